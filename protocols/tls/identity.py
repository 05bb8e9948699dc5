"""Who a client's certificate names."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any, Final

from router.settings import TlsSettings

# How Python's ssl module calls the kinds of alternative names (RFC 5280, 4.2.1.6).
_KINDS: Final = {"dns": "DNS", "email": "email", "uri": "URI"}

_LONGEST: Final = 256


def user_of(transport: asyncio.BaseTransport, tls: TlsSettings) -> str:
    """The id of the user that the client's certificate names, empty without one.

    The certificate was verified by the handshake. It must hold exactly one name of the kind
    that the settings ask for: which of several was meant, nobody could tell.
    """
    if tls.client_certificates == "off":
        return ""
    certificate = transport.get_extra_info("peercert")
    return user_named(certificate, tls) if certificate else ""


def has_expired(transport: asyncio.BaseTransport) -> bool:
    """Whether the client's certificate has come to its end.

    A full handshake would have refused it; a resumed session is taken on its former word.
    """
    certificate = transport.get_extra_info("peercert")
    return bool(certificate) and ssl.cert_time_to_seconds(certificate["notAfter"]) < time.time()


def user_named(certificate: dict[str, Any], tls: TlsSettings) -> str:
    """The same for a certificate in the form of `ssl.SSLSocket.getpeercert`."""
    if tls.client_user == "common_name":
        pairs = [pair for part in certificate.get("subject", ()) for pair in part]
        kind = "commonName"
    else:
        pairs = certificate.get("subjectAltName", ())
        kind = _KINDS[tls.client_user]
    names = [str(value) for key, value in pairs if key == kind]
    if len(names) != 1 or not _is_usable(names[0]):
        return ""
    return tls.client_user_prefix + names[0]


def _is_usable(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and name.isprintable()
