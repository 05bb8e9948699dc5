"""A client of the router on each of its wires, for the command line and the demonstration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from trivium.client.exchange import Client, ConnectionFailedError

if TYPE_CHECKING:
    import ssl

__all__ = ["Client", "ConnectionFailedError", "Protocol", "connect", "trusting"]

Protocol: TypeAlias = Literal["ws", "http", "mqtt"]

DEFAULT_PORTS: Final[dict[Protocol, int]] = {"ws": 7512, "http": 7512, "mqtt": 1883}
MQTT_TLS_PORT: Final = 8883

_PLACES: Final[dict[Protocol, str]] = {
    "ws": "trivium.client.websocket",
    "http": "trivium.client.http",
    "mqtt": "trivium.client.mqtt",
}


@contextlib.asynccontextmanager
async def connect(
    protocol: Protocol,
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    timeout_s: float = 30.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A client that is connected for the time of the block.

    Args:
        port: None for the protocol's usual one.
        timeout_s: Seconds to connect, and to wait for each answer.
        tls: What `trusting` gives; None speaks without TLS.

    Raises:
        ConnectionFailedError: Nobody answers there, or the connection is lost on the way.
    """
    # Each client library is loaded only by those who use its wire.
    module = import_module(_PLACES[protocol])
    if port is None:
        port = MQTT_TLS_PORT if tls and protocol == "mqtt" else DEFAULT_PORTS[protocol]
    client: Client = await module.open_client(host, port, timeout_s=timeout_s, tls=tls)
    try:
        yield client
    finally:
        await client.close()


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that takes the certificates of the CAs in a PEM file; None for those of the system.

    Raises:
        ConnectionFailedError: The file can't be read, or holds no certificate.
    """
    import ssl  # noqa: PLC0415 - only where it is asked for

    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = (
            error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate"
        )
        raise ConnectionFailedError(f"{ca_file} can't be read: {reason}") from None
