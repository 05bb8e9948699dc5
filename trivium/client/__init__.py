"""A client of the router on each of its wires, for the command line and the demonstration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Final, Literal, TypeAlias

from trivium.client.exchange import Client, ConnectionFailedError

__all__ = ["Client", "ConnectionFailedError", "Protocol", "connect"]

Protocol: TypeAlias = Literal["ws", "http", "mqtt"]

DEFAULT_PORTS: Final[dict[Protocol, int]] = {"ws": 7512, "http": 7512, "mqtt": 1883}

_PLACES: Final[dict[Protocol, str]] = {
    "ws": "trivium.client.websocket",
    "http": "trivium.client.http",
    "mqtt": "trivium.client.mqtt",
}


@contextlib.asynccontextmanager
async def connect(
    protocol: Protocol, host: str = "127.0.0.1", port: int | None = None, *, timeout_s: float = 30.0
) -> AsyncIterator[Client]:
    """A client that is connected for the time of the block.

    Args:
        port: None for the protocol's usual one.
        timeout_s: Seconds to connect, and to wait for each answer.

    Raises:
        ConnectionFailedError: Nobody answers there, or the connection is lost on the way.
    """
    # Each client library is loaded only by those who use its wire.
    module = import_module(_PLACES[protocol])
    port = DEFAULT_PORTS[protocol] if port is None else port
    client: Client = await module.open_client(host, port, timeout_s=timeout_s)
    try:
        yield client
    finally:
        await client.close()
