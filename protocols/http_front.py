"""What HTTP connections and the listener that owns them know of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from protocols.codec.answer import Answer
from protocols.codec.rest import Head
from router.envelope import Connection
from router.errors import RouterError
from router.settings import HttpSettings

if TYPE_CHECKING:
    from protocols.http_connection import HttpConnection

Upgrade = Callable[[web.BaseRequest, Connection], Awaitable[web.StreamResponse]]
"""Serves a WebSocket, given the upgrade request and its connection, as HTTP describes it."""


class Client(Protocol):
    """Who asks on a connection."""

    id: str
    address: str
    is_secure: bool
    certified: str

    def is_gone(self) -> bool:
        """Whether nobody will read the answer."""


class Front(Protocol):
    """What a connection needs from the listener that owns it."""

    http: HttpSettings
    max_bytes: int
    upgrade: Upgrade | None

    def opened(self, connection: HttpConnection) -> RouterError | None:
        """Told of a new connection; returns why it can't stay."""

    def closed(self, connection: HttpConnection) -> None:
        """Told that the connection is gone."""

    def handed_over(self, connection: HttpConnection) -> None:
        """Told that the connection is HTTP no longer; `closed` follows all the same."""

    def lost(self, connection: HttpConnection) -> None:
        """Told that the TCP connection is gone, whatever it had become."""

    def certified(self, transport: asyncio.BaseTransport) -> str:
        """The user that a client's certificate names, empty without one."""

    def refuse_stranger(self, head: Head, client: Client) -> RouterError | None:
        """Why a client is neither answered nor upgraded; None if it may be."""

    def describe(self, head: Head, client: Client) -> Connection:
        """The client's connection, as requests name it."""

    async def respond(self, head: Head, body: bytes, client: Client) -> Answer:
        """The answer to a request; raises nothing but cancellation."""

    def refuse(self, error: RouterError, head: Head | None) -> Answer:
        """The answer to what never became a request."""

    def cut_off(self, reason: str) -> None:
        """Told that a client is hung up on without an answer."""

    def encode(self, answer: Answer, head: Head | None, connection: str, client: Client) -> bytes:
        """The answer as bytes; `connection` is the header of that name, empty for none."""
