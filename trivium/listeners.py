"""The ports of one router: which there are, on what addresses, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from protocols.locality import is_loopback
from protocols.tls import BadCertificateError, Certificates
from router.settings import Settings
from router.tasks import ended
from trivium.assembly import Wires
from trivium.errors import StartError

_LOOPBACK: Final = "127.0.0.1"

Stop = Callable[[float], Awaitable[None]]


class _Listener(Protocol):
    async def start(self, host: str, port: int, *, certificates: Certificates | None) -> int:
        """Listen."""


class _Port(NamedTuple):
    """A port to open: its number, and the setting and perhaps the flag that name it."""

    number: int
    setting: str
    flag: str = ""


class Listeners:
    """Opens the ports that the settings name, and keeps their certificates fresh.

    Attributes:
        port: HTTP and WebSocket, over TLS if there is a certificate; 0 before `start`.
        mqtt_port: MQTT without TLS; 0 if it isn't spoken.
        mqtt_tls_port: MQTT over TLS; 0 if it isn't spoken.
        stops: How to stop what was started.
    """

    def __init__(self, wires: Wires, settings: Settings) -> None:
        self.port = self.mqtt_port = self.mqtt_tls_port = 0
        self.stops: list[Stop] = []
        self._wires = wires
        self._settings = settings
        self._certificates: Certificates | None = None

    async def start(self) -> None:
        """Listen. Raises: StartError."""
        settings, mqtt, tls = self._settings, self._settings.mqtt, self._settings.tls
        host = settings.server.host
        self._certificates = certificates = load_certificates(settings)
        port = _Port(settings.server.port, "server.port", "--port")
        self.port = await self._open(self._wires.http, host, port, certificates)
        self.stops += [self._wires.http.stop, self._wires.websocket.stop]
        if not mqtt.enabled:
            return
        self.stops.append(self._wires.mqtt.stop)
        if tls.is_on:
            port = _Port(mqtt.tls_port, "mqtt.tls_port")
            self.mqtt_tls_port = await self._open(self._wires.mqtt, host, port, certificates)
        plain_host = plain_mqtt_host(settings)
        if plain_host:
            port = _Port(mqtt.port, "mqtt.port", "--mqtt-port")
            self.mqtt_port = await self._open(self._wires.mqtt, plain_host, port, None)

    async def refresh(self) -> None:
        """Read the certificates anew; bad ones are logged, and those before them stay."""
        if self._certificates is not None:
            await self._certificates.refresh()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Take new certificates for the time of the block."""
        if self._certificates is None:
            yield
            return
        watching = asyncio.create_task(self._certificates.watch())
        try:
            yield
        finally:
            await ended(watching)

    async def _open(
        self, listener: _Listener, host: str, port: _Port, certificates: Certificates | None
    ) -> int:
        try:
            return await listener.start(host, port.number, certificates=certificates)
        except OSError as error:
            raise _unusable(host, port, error) from error


def load_certificates(settings: Settings) -> Certificates | None:
    """The certificates that the settings name, None if they name none. Raises: StartError."""
    tls = settings.tls
    if not tls.is_on:
        if tls.key or tls.client_certificates != "off":
            raise StartError("tls.certificate is empty, but other settings of TLS are not")
        return None
    try:
        return Certificates(tls)
    except BadCertificateError as error:
        raise StartError(str(error)) from None


def plain_mqtt_host(settings: Settings) -> str:
    """Where MQTT is spoken without TLS; empty for nowhere."""
    host, plain = settings.server.host, settings.mqtt.plain
    if not settings.tls.is_on or plain == "everywhere":
        return host
    if plain == "off":
        return ""
    return host if is_loopback(host) else _LOOPBACK


def _unusable(host: str, port: _Port, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        flag = f"{port.flag} N, or " if port.flag else ""
        return StartError(
            f"port {port.number} of {host} is in use; name another one ({flag}{port.setting} in "
            "the settings), or let --auto-port take the next free one"
        )
    reason = error.strerror or str(error)
    return StartError(f"can't listen on {host}:{port.number} ({port.setting}): {reason}")
