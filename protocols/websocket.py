"""The WebSocket wire: takes upgraded connections over from the HTTP listener, and ends them."""

from __future__ import annotations

import asyncio
import sys
import uuid
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web

from protocols import websocket_handshake
from protocols.codec import frame
from protocols.codec.frame import FrameLimits
from protocols.crowd import CROWDED_S, Crowd
from protocols.websocket_connection import ConnectionLimits, WebSocketConnection
from protocols.websocket_session import Terms, WebSocketSession
from router.connections import Connections
from router.envelope import Connection, always, never, refusal
from router.errors import RouterError, TooSoonError
from router.ports import ConnectionObserver, Dispatcher
from router.settings import Settings

SERVICE_RESTART: Final = 1012


class WebSocketWire:
    """Serves every WebSocket of one listener.

    Args:
        connections: Told of each connection, so that it can be sent notifications.
        node: This router's name, sent with every answer.
        crowd: Counts the connections of each address.
    """

    def __init__(
        self,
        router: Dispatcher,
        settings: Settings,
        *,
        observer: ConnectionObserver,
        connections: Connections,
        crowd: Crowd,
        node: str,
    ) -> None:
        self._router = router
        self._connections = connections
        self._settings = settings
        self._observer = observer
        self._crowd = crowd
        self._sessions: set[WebSocketSession] = set()
        self._empty = asyncio.Event()
        limits = FrameLimits(
            max_bytes=settings.frame.max_bytes,
            max_depth=settings.frame.max_depth,
            max_keys=settings.frame.max_keys,
        )
        self._limits = ConnectionLimits(
            max_bytes=settings.frame.max_bytes,
            max_unsent_bytes=settings.websocket.max_unsent_bytes,
            idle_timeout_s=settings.websocket.idle_timeout_s,
        )
        self._terms = Terms(
            limits,
            settings.limits.requests_per_connection,
            node,
            rate_limit=settings.websocket.rate_limit,
        )
        self._is_stopping = False

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._sessions)

    async def upgrade(self, request: web.BaseRequest, peer: Connection) -> web.StreamResponse:
        """Answer an upgrade request and serve its connection; returns when that is gone.

        Args:
            peer: The connection, as HTTP describes it.
        """
        transport = request.transport
        if transport is None:
            return Ended()
        # The listener has counted the peer itself, which may be a proxy that serves many.
        passed_on = "" if peer.address == request.remote else peer.address
        try:
            self._admit(passed_on)
            transport.write(websocket_handshake.accept(request))
        except RouterError as error:
            return self._refuse(error)
        session = self._open(transport, peer)
        self._enter(session, passed_on)
        try:
            request.protocol.keep_alive(False)
            # The way that aiohttp's own WebSocket takes: bytes that came glued to the
            # upgrade request are fed at once.
            request.protocol.set_parser(session.wire)  # type: ignore[arg-type]
            await session.wire.closed
            await session.drain()
        finally:
            session.wire.abort()
            try:
                await session.cancel()
            finally:
                self._leave(session, passed_on)
        return Ended()

    async def stop(self, timeout_s: float) -> None:
        """Refuse new work, finish what was let in, close with 1012.

        Returns at most `timeout_s` and the time of a closing handshake later; what is not
        answered by then is cancelled.
        """
        self._is_stopping = True
        sessions = list(self._sessions)
        if not sessions:
            return
        for session in sessions:
            session.retire()
        drains = [asyncio.create_task(session.drain()) for session in sessions]
        await asyncio.wait(drains, timeout=timeout_s)
        for drain in drains:
            drain.cancel()
        await asyncio.gather(*drains, return_exceptions=True)
        for session in sessions:
            session.wire.close(SERVICE_RESTART, "the router is stopping")
        for session in sessions:
            await session.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_timeout_s + 1):
                await self._empty.wait()

    # -- inside -------------------------------------------------------------------------

    def _admit(self, passed_on: str) -> None:
        if self._is_stopping:
            raise RouterError("network.entrypoint.shutting_down")
        if len(self._sessions) >= self._settings.limits.connections:
            raise RouterError("api.process.overloaded")
        if passed_on and not self._crowd.has_room(passed_on):
            raise TooSoonError("network.entrypoint.too_many_connections", retry_after_s=CROWDED_S)

    def _enter(self, session: WebSocketSession, passed_on: str) -> None:
        self._sessions.add(session)
        self._connections.opened(session.id, session)
        self._empty.clear()
        self._observer.opened("websocket")
        if passed_on:
            self._crowd.enter(passed_on)

    def _leave(self, session: WebSocketSession, passed_on: str) -> None:
        self._sessions.discard(session)
        self._connections.closed(session.id)
        if not self._sessions:
            self._empty.set()
        self._observer.closed("websocket")
        if passed_on:
            self._crowd.leave(passed_on)

    def _open(self, transport: asyncio.Transport, peer: Connection) -> WebSocketSession:
        wire = WebSocketConnection(transport, self._limits)
        is_local = peer.is_local()
        session = WebSocketSession(
            wire,
            self._router,
            peer=msgspec.structs.replace(
                peer,
                id=str(uuid.uuid4()),
                wire="websocket",
                is_gone=lambda: not wire.is_open,
                headers={sys.intern(name): value for name, value in peer.headers.items()},
                is_local=always if is_local else never,
            ),
            terms=self._terms,
            observer=self._observer,
        )
        wire.attach(session)
        return session

    def _refuse(self, error: RouterError) -> web.StreamResponse:
        self._observer.refused("websocket", error.id)
        response = web.Response(
            status=error.status,
            body=frame.encode(refusal(error), node=self._terms.node),
            content_type="application/json",
            # RFC 6455 section 4.4: tells the version that would have been accepted.
            headers={"Sec-WebSocket-Version": "13", **error.headers},
        )
        # What follows was meant for a WebSocket, and must not be read as HTTP.
        response.force_close()
        return response


class Ended(web.StreamResponse):
    """Tells aiohttp that the connection has been answered on, and is over."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing: the handshake has been answered long ago."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""
