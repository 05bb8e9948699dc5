"""The HTTP wire: the listener of HTTP requests and, on the same port, of WebSocket upgrades."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from random import getrandbits
from typing import Final

from aiohttp import web

from protocols.callers import Caller, Proxies
from protocols.codec.answer import Answer, answer_of, common_lines, encode_answer
from protocols.codec.frame import FrameLimits
from protocols.codec.rest import VERBS, Head, Rules, decode
from protocols.codec.route import RouteTable
from protocols.crowd import CROWDED_S, Crowd
from protocols.http_connection import HttpConnection
from protocols.http_front import Client, Upgrade
from protocols.locality import foreign, is_local
from protocols.pages import Page, answer_with
from protocols.tls import Certificates, Door, open_door
from protocols.tls.identity import user_of
from protocols.vigil import BACKLOG, keep
from router.actions import ActionTable
from router.addresses import network_of
from router.envelope import Connection, Json, Response, always, refusal
from router.errors import RouterError, TooSoonError
from router.ports import Auditor, ConnectionObserver, Dispatcher, Unaudited
from router.rates import Rates
from router.settings import Settings

RATE_EXCEEDED: Final = "network.http.ratelimit_exceeded"


class HttpListener:
    """Serves HTTP/1.1 (and 1.0) on one port; hands WebSocket upgrades on.

    Args:
        node: Name of this router, in every answer.
        readiness: Whether `GET /_ready` answers 200.
        metrics: The body and the content type of `GET /metrics`.
        upgrade: Serves one WebSocket, from the handshake to its end, on any path. A request
            that it declines is answered with what it returns. None: there are no WebSockets.
        guard: Whether only requests that are local in fact are answered (`locality`).
        crowd: Counts the connections of each address.
        pages: Static files by path.
        auditor: Told of clients that are refused before there is a request.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        router: Dispatcher,
        table: ActionTable,
        settings: Settings,
        *,
        observer: ConnectionObserver,
        crowd: Crowd,
        node: str,
        readiness: Callable[[], bool],
        metrics: Callable[[], tuple[bytes, str]],
        upgrade: Upgrade | None = None,
        pages: Mapping[str, Page] | None = None,
        guard: Callable[[], bool] = lambda: True,
        auditor: Auditor | None = None,
    ) -> None:
        self.http = settings.http
        self.max_bytes = settings.frame.max_bytes
        self.upgrade = upgrade
        self._rules = _rules_of(table, settings)
        self._router = router
        self._observer = observer
        self._node = node
        self._readiness = readiness
        self._metrics = metrics
        self._guard = guard
        self._auditor = Unaudited() if auditor is None else auditor
        self._origins = {name.strip() for name in settings.http.allow_origin.split(",")}
        self._max_connections = settings.limits.connections
        self._tls = settings.tls
        self._crowd = crowd
        self._rate_limit = settings.http.rate_limit
        self._rates = Rates()
        self._proxies = Proxies(settings.http)
        self._common = common_lines(node, hsts_s=0)
        self._common_secure = common_lines(node, hsts_s=settings.tls.hsts_s)
        self._connections: set[HttpConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | Door | None = None
        self._manager: web.Server
        self._is_stopping = False
        self._date = ""
        self._date_second = 0
        self._services = self._fixed(pages or {})

    async def start(self, host: str, port: int, *, certificates: Certificates | None = None) -> int:
        """Listen, with TLS if there are certificates; 0 lets the system choose the port.

        Raises:
            OSError: The port is in use, or the address isn't this machine's.
        """
        self._manager = web.Server(_unused)
        if certificates is not None:
            self._server = await open_door(self, certificates, self._tls, (host, port))
            return self._server.port
        self._server = await asyncio.get_running_loop().create_server(
            self.make_connection, host, port, backlog=BACKLOG
        )
        keep(self._server.sockets)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self, timeout_s: float) -> None:
        """Take no new connection, end the idle ones, let requests at work finish, then close.

        Requests that aren't answered within the timeout are cancelled. WebSockets are left to
        who serves them.
        """
        self._is_stopping = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in tuple(self._connections):
            connection.force_close()

    # -- what the door asks ----------------------------------------------------------------

    def make_connection(self) -> HttpConnection:
        """The protocol of a client that was let in."""
        return HttpConnection(self._manager, self)

    def may_enter(self, address: str) -> bool:
        """Whether that address may have one more connection."""
        return self._crowd.has_room(address)

    def turned_away(self, reason: str) -> None:
        """Count a client that TLS was not begun or ended with."""
        self._observer.refused("http", reason)

    def plain_answer(self) -> bytes:
        """Tells a client that it should have begun with TLS."""
        error = RouterError("network.http.unexpected_error", "this port speaks TLS: use https")
        return self._encode(answer_of(refusal(error), None, self._node), None, "close")

    # -- what connections ask --------------------------------------------------------------

    def opened(self, connection: HttpConnection) -> RouterError | None:
        """Count a connection in; returns why it can't stay."""
        self._connections.add(connection)
        task = connection.task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._observer.opened("http")
        self._crowd.enter(connection.address)
        if self._is_stopping:
            return RouterError("api.process.shutting_down")
        if len(self._connections) > self._max_connections:
            return RouterError("api.process.overloaded")
        if self._crowd.excess(connection.address):
            return TooSoonError("network.entrypoint.too_many_connections", retry_after_s=CROWDED_S)
        return None

    def lost(self, connection: HttpConnection) -> None:
        """Count a TCP connection out of its address's."""
        self._crowd.leave(connection.address)

    def certified(self, transport: asyncio.BaseTransport) -> str:
        """The user that a client's certificate names, empty without one."""
        return user_of(transport, self._tls)

    def closed(self, connection: HttpConnection) -> None:
        """Count a connection out; what it still has at work goes on."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._observer.closed("http")

    def handed_over(self, connection: HttpConnection) -> None:
        """Count a connection out that is HTTP no longer; `stop` leaves it alone."""
        self._tasks.discard(connection.task)
        self.closed(connection)

    def refuse_stranger(self, head: Head, client: Client) -> RouterError | None:
        """Why a client is neither answered nor upgraded; None if it may be."""
        refused = self._stranger(head, client.address)
        if refused is not None:
            self._auditor.turned_away(self.describe(head, client), _request_id(head), refused)
        return refused

    def describe(self, head: Head, client: Client) -> Connection:
        """The client's connection, as requests name it."""
        caller = self._caller(head, client) if self._proxies else client
        return Connection(
            client.id,
            "http",
            caller.address,
            headers=head.headers,
            is_gone=client.is_gone,
            # Behind the guard nobody is from elsewhere.
            is_local=always if self._guard() else lambda: self._is_local(head, client),
            is_secure=caller.is_secure,
            certified=client.certified,
        )

    async def respond(self, head: Head, body: bytes, client: Client) -> Answer:
        """The answer to a request, whatever it is."""
        refused = self.refuse_stranger(head, client)
        if refused is not None:
            return self.refuse(refused, head)
        if head.verb == "OPTIONS":
            return self._plain(head, {})
        if head.verb not in VERBS:
            return self.refuse(RouterError("network.http.unsupported_verb", head.verb), head)
        service = self._services.get(head.path)
        if service is not None and head.verb in ("GET", "HEAD"):
            return service(head)
        connection = self.describe(head, client)
        try:
            if self._rate_limit:
                self._spend(connection.address)
            request = decode(head, body, connection=connection, rules=self._rules, new_id=_new_id())
        except RouterError as error:
            return self.refuse(error, head)
        return answer_of(await self._router.dispatch(request), head, self._node)

    def refuse(self, error: RouterError, head: Head | None) -> Answer:
        """The answer to what never became a request."""
        self._observer.refused("http", error.id)
        request_id = None if head is None else head.headers.get("x-kuzzle-request-id")
        return answer_of(refusal(error, request_id=request_id), head, self._node)

    def cut_off(self, reason: str) -> None:
        """Count a client that is hung up on without an answer."""
        self._observer.refused("http", reason)

    def encode(self, answer: Answer, head: Head | None, connection: str, client: Client) -> bytes:
        """The answer as bytes."""
        return self._encode(answer, head, connection, is_secure=self._asks_hsts(head, client))

    def _encode(
        self, answer: Answer, head: Head | None, connection: str, *, is_secure: bool = False
    ) -> bytes:
        now = int(time.time())
        if now != self._date_second:
            self._date_second, self._date = now, formatdate(now, usegmt=True)
        return encode_answer(
            answer,
            head,
            common=self._common_secure if is_secure else self._common,
            date=self._date,
            connection=connection,
            is_allowed=head is not None and self._may_show(head),
        )

    # -- what needs no router --------------------------------------------------------------

    def _fixed(self, pages: Mapping[str, Page]) -> dict[str, Callable[[Head], Answer]]:
        return {
            "/_healthcheck": self._alive,
            "/_live": self._alive,
            "/_ready": self._ready,
            "/metrics": self._measured,
            **{path: self._paged(page) for path, page in pages.items()},
        }

    def _alive(self, head: Head) -> Answer:
        return self._plain(head, None)

    def _ready(self, head: Head) -> Answer:
        if self._is_stopping:
            return self.refuse(RouterError("api.process.shutting_down"), head)
        if not self._readiness():
            return self.refuse(RouterError("api.process.overloaded"), head)
        return self._plain(head, None)

    def _measured(self, head: Head) -> Answer:
        body, content_type = self._metrics()
        return Answer(200, body, _request_id(head), {}, content_type=content_type)

    def _paged(self, page: Page) -> Callable[[Head], Answer]:
        return lambda head: answer_with(page, _request_id(head))

    def _plain(self, head: Head, result: Json) -> Answer:
        response = Response(request_id=_request_id(head), status=200, result=result)
        return answer_of(response, head, self._node)

    def _spend(self, address: str) -> None:
        if not self._rates.spend(network_of(address), self._rate_limit):
            raise TooSoonError(RATE_EXCEEDED, retry_after_s=1)

    # -- who asks, and may -----------------------------------------------------------------

    def _caller(self, head: Head, client: Client) -> Caller:
        return self._proxies.caller(Caller(client.address, client.is_secure), head.headers)

    def _asks_hsts(self, head: Head | None, client: Client) -> bool:
        # Never for localhost: the browser would then insist on TLS of every other program there.
        if head is None or not (client.is_secure or self._proxies):
            return False
        return self._caller(head, client).is_secure and not is_local(head.headers)

    def _stranger(self, head: Head, address: str) -> RouterError | None:
        if self._guard():
            sentence = foreign(head.headers, address)
            if sentence is not None:
                return RouterError("trivium.origin.refused", sentence)
        if not self._is_allowed(head):
            return RouterError("api.process.unauthorized_origin", head.headers["origin"])
        return None

    def _is_local(self, head: Head, client: Client) -> bool:
        return foreign(head.headers, client.address) is None

    def _may_show(self, head: Head) -> bool:
        if "origin" not in head.headers:
            return True
        return self._stranger(head, "localhost") is None

    def _is_allowed(self, head: Head) -> bool:
        origin = head.headers.get("origin")
        return origin is None or "*" in self._origins or origin in self._origins


def _rules_of(table: ActionTable, settings: Settings) -> Rules:
    frame = settings.frame
    limits = FrameLimits(frame.max_bytes, frame.max_depth, frame.max_keys)
    return Rules(RouteTable(table), limits, settings.http.max_encodings)


def _request_id(head: Head) -> str:
    return head.headers.get("x-kuzzle-request-id") or _new_id()


def _new_id() -> str:
    # The shape of a version 4 UUID, a fifth of the time of the uuid module; ids of requests
    # are unique, not secret.
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError(f"aiohttp's own loop ran for {request.path}")
