"""The certificate that this router shows, renewed while it runs."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Final, TypeAlias

import structlog

from router.settings import TlsSettings

_log: Final = structlog.get_logger("trivium.tls")

# Mozilla, "Server Side TLS" 5.7, intermediate, less its finite-field and CBC suites; for TLS 1.2,
# as all suites of 1.3 are good.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_DEMANDS: Final = {
    "off": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

_Signature: TypeAlias = "tuple[tuple[int, int, int] | None, ...]"


class BadCertificateError(Exception):
    """A certificate, key or CA that can't be used; the text is one line that names the file."""


class Certificates:
    """What TLS connections are made with; new files count from the next connection on.

    Attributes:
        context: For the next connection. A new one after each change, so that nothing is
            changed under a handshake, and no session of before is resumed.

    Raises:
        BadCertificateError: See `reload`; the files must be good at the start.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._look()
        self.context = make_context(settings)

    def reload(self) -> None:
        """Take the files as they are now; bad ones are left alone.

        Raises:
            BadCertificateError: A file is missing or broken, or the key is another certificate's.
                The connections go on with what was there before.
        """
        self._seen = self._look()
        self.context = make_context(self._settings)
        _log.info("certificate loaded", file=self._settings.certificate)

    async def refresh(self) -> None:
        """The same in a thread; what is wrong goes to the log."""
        try:
            await asyncio.to_thread(self.reload)
        except BadCertificateError as error:
            _log.error("certificate not loaded, the one before stays", reason=str(error))

    async def watch(self) -> None:
        """Take changed files, for as long as this runs; each broken change is logged once."""
        while True:
            await asyncio.sleep(self._settings.reload_s)
            if await asyncio.to_thread(self._look) != self._seen:
                await self.refresh()

    def _look(self) -> _Signature:
        tls = self._settings
        return tuple(_signature(file) for file in (tls.certificate, tls.key, tls.client_ca))


def make_context(tls: TlsSettings) -> ssl.SSLContext:
    """A server's context from the files that the settings name. Raises: BadCertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1", "mqtt"])
    _load_own(context, tls)
    if tls.client_certificates != "off":
        _load_clients(context, tls)
    return context


def _load_own(context: ssl.SSLContext, tls: TlsSettings) -> None:
    try:
        # A function, as OpenSSL would ask on the terminal for a password that isn't given.
        context.load_cert_chain(tls.certificate, tls.key or None, lambda: tls.key_password)
    except (OSError, ValueError) as error:
        files = tls.certificate if not tls.key else f"{tls.certificate} with {tls.key}"
        raise BadCertificateError(f"tls.certificate, tls.key: {files}: {_why(error)}") from None


def _load_clients(context: ssl.SSLContext, tls: TlsSettings) -> None:
    try:
        context.load_verify_locations(tls.client_ca or None)
    except (OSError, ValueError, TypeError) as error:
        why = _why(error) if tls.client_ca else "client certificates need their CA"
        raise BadCertificateError(f"tls.client_ca: {tls.client_ca}: {why}") from None
    context.verify_mode = _DEMANDS[tls.client_certificates]


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM, or the key's password is wrong").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


def _signature(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
