"""One HTTP connection: requests in order, one at a time, within its limits of time and size."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final
from uuid import uuid4

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion10, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from protocols.codec.answer import chunk
from protocols.codec.rest import Head, head_of
from protocols.http_front import Front
from protocols.http_parsing import collect, fault_of
from router.envelope import Stream, nothing
from router.errors import RouterError

_log: Final = structlog.get_logger("trivium.http")

# How long a connection that is to close goes on reading, so that the client gets its answer
# rather than a reset (RFC 9112, 9.6).
_LINGER_S: Final = 1.0

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpConnection(RequestHandler):
    """Reads requests off one connection, has each answered, writes the answers in order.

    aiohttp's handler gives the parser, its flow control and the way to a WebSocket
    (`set_parser`); its request loop is replaced, since it makes a task and two objects for
    each request and answers errors as text.
    """

    __slots__ = (
        "_body",
        "_fault",
        "_front",
        "_half_closed",
        "_head_timer",
        "_lingering",
        "_on_lost",
        "_parse_error",
        "address",
        "certified",
        "id",
        "is_secure",
    )

    def __init__(self, manager: web.Server, front: Front) -> None:
        http = front.http
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=http.keepalive_timeout_s,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to switch it off
            auto_decompress=False,
            max_line_size=http.max_line_bytes,
            max_field_size=http.max_line_bytes,
            max_headers=http.max_headers,
        )
        self._front = front
        self._body: StreamReader = EMPTY_PAYLOAD
        self._fault: RouterError | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._half_closed = False
        self._lingering = False
        self._on_lost = nothing
        self._parse_error: RouterError | None = None
        self.id = str(uuid4())
        self.address = ""
        self.certified = ""
        self.is_secure = False

    @property
    def task(self) -> asyncio.Task[None]:
        """What serves the connection, from `connection_made` to `connection_lost`."""
        assert self._task_handler is not None
        return self._task_handler

    def close(self) -> None:
        """Finish the request at work, then end the connection."""
        self._on_lost()
        super().close()

    def is_gone(self) -> bool:
        """Whether nobody will read the answer."""
        return self.transport is None

    # -- what the transport tells ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to serve the connection."""
        super().connection_made(transport)
        peer = self.peername
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        if transport.get_extra_info("sslcontext") is not None:
            self.is_secure = True
            self.certified = self._front.certified(transport)
        self._fault = self._front.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection; a request at work is finished, its answer has no reader."""
        self._cancel_head_timer()
        self._fail_body("the connection was lost")
        self._on_lost()
        self._front.closed(self)
        self._front.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; see to it that a head arrives in time."""
        if self._lingering:
            return
        super().data_received(data)
        if self._messages:
            message = self._messages[-1][0]
            if not isinstance(message, RawRequestMessage):
                # The parser gave up: a body that was on its way will never be complete.
                self._fail_body("the body is malformed")
                self._parse_error = self._parse_error or fault_of(
                    message.exc, data, self._front.http
                )
        elif self._waiter is not None and self._head_timer is None and not self._upgraded:
            self._head_timer = self._loop.call_later(
                self._front.http.header_timeout_s, self._head_is_late
            )

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio: true keeps it open
        """Answer what has arrived, then close; the client may still read, but not over TLS."""
        if self._payload_parser is not None or self._lingering or self.is_secure:
            return False
        self._half_closed = True
        self._on_lost()  # who waits for the end of a stream leaves its own half open
        self._fail_body("the body ends early")
        if self._waiter is not None and not self._messages:
            self.force_close()
        return True

    # -- the requests ----------------------------------------------------------------------

    async def start(self) -> None:
        """Answer request after request until the connection is to end."""
        try:
            while not self._force_close and not self._close and await self._serve_next():
                self._restart_keepalive()
            await self._linger()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 - the boundary: it ends this connection only
            await self._apologise(error)
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _serve_next(self) -> bool:
        if self._fault is None and not self._messages:
            if self._half_closed:
                return False
            await self._wait()
        if self._fault is not None:
            return await self._refuse(self._fault, None)
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if not isinstance(message, RawRequestMessage):
            return await self._refuse(
                self._parse_error or fault_of(message.exc, b"", self._front.http), None
            )
        head = head_of(message.method, message.path, message.headers.items())
        if message.upgrade and head.headers.get("upgrade", "").lower() == "websocket":
            return await self._hand_over(head, message, payload)
        return await self._exchange(head, message, payload)

    async def _exchange(
        self, head: Head, message: RawRequestMessage, payload: StreamReader
    ) -> bool:
        try:
            if head.verb == hdrs.METH_CONNECT:
                raise RouterError("network.http.unsupported_verb", head.verb)
            body = b"" if payload is EMPTY_PAYLOAD else await self._read(head, payload)
        except RouterError as error:
            return await self._refuse(error, head)
        answer = await self._front.respond(head, body, self)
        # llhttp stops behind a request for another protocol, and aiohttp drops what follows.
        is_last = "upgrade" in head.headers or (self._half_closed and not self._messages)
        if answer.stream is not None and message.version == HttpVersion10:
            answer, is_last = msgspec.structs.replace(answer, is_chunked=False), True
        stays = not (message.should_close or self._close or is_last)
        if not stays:
            connection = "close"
        else:
            connection = "keep-alive" if message.version == HttpVersion10 else ""
        try:
            await self._write(self._front.encode(answer, head, connection, self))
            if answer.stream is not None and head.verb != hdrs.METH_HEAD:
                await self._send(answer.stream, is_chunked=answer.is_chunked)
        finally:
            if answer.stream is not None:
                self._on_lost = nothing
                answer.stream.on_lost()
                await answer.stream.chunks.aclose()
        return stays

    async def _send(self, stream: Stream, *, is_chunked: bool) -> None:
        """Send a body as it is made, no faster than the client reads it."""
        self._on_lost = stream.on_lost
        try:
            async for data in stream.chunks:
                if data:
                    await self._write(chunk(data) if is_chunked else data)
        except ConnectionError:
            raise
        except Exception as error:
            # The head is sent: only an end without the last chunk says that something is missing.
            _log.error("stream failed", connection=self.id, exc_info=error)
            if self.transport is not None:
                self.transport.abort()
            raise ConnectionAbortedError("the stream failed") from error
        if is_chunked:
            await self._write(chunk(b""))

    async def _hand_over(
        self, head: Head, message: RawRequestMessage, payload: StreamReader
    ) -> bool:
        upgrade = self._front.upgrade
        refused = self._front.refuse_stranger(head, self)
        if refused is None and upgrade is None:
            refused = RouterError("trivium.unsupported.feature", "WebSocket")
        if refused is not None or upgrade is None:
            return await self._refuse(refused or RouterError("network.http.url_not_found"), head)
        task = asyncio.current_task()
        assert task is not None
        request = web.BaseRequest(
            message, payload, self, StreamWriter(self, self._loop), task, self._loop
        )
        self._front.handed_over(self)
        response = await upgrade(request, self._front.describe(head, self))
        if self._payload_parser is None and self.transport is not None:
            await self.finish_response(request, response, None)
        return False

    async def _refuse(self, error: RouterError, head: Head | None) -> bool:
        self._lingering = True
        answer = self._front.refuse(error, head)
        await self._write(self._front.encode(answer, head, "close", self))
        return False

    async def _apologise(self, error: Exception) -> None:
        fault = RouterError("core.fatal.unexpected_error", type(error).__name__)
        answer = self._front.refuse(fault, None)
        _log.error("connection failed", request_id=answer.request_id, exc_info=error)
        if self._payload_parser is None:
            with suppress(ConnectionError):
                await self._write(self._front.encode(answer, None, "close", self))

    # -- reading ---------------------------------------------------------------------------

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._cancel_head_timer()

    async def _read(self, head: Head, payload: StreamReader) -> bytes:
        limit = self._front.max_bytes
        length = head.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise RouterError("network.http.request_too_large")
        timeout_s = self._front.http.body_timeout_s
        self._body = payload
        try:
            if payload.is_eof():
                body = payload.read_nowait()
            else:
                if head.headers.get("expect", "").lower() == "100-continue":
                    await self._write(_CONTINUE)
                async with asyncio.timeout(timeout_s):
                    body = await collect(payload, limit)
        except TimeoutError:
            raise RouterError("network.http.too_slow", timeout_s) from None
        except RequestPayloadError as error:
            raise RouterError("network.http.unexpected_error", str(error)) from None
        finally:
            self._body = EMPTY_PAYLOAD
        if len(body) > limit:
            raise RouterError("network.http.request_too_large")
        return body

    def _fail_body(self, reason: str) -> None:
        if self._body is not EMPTY_PAYLOAD and not self._body.is_eof():
            self._body.set_exception(RequestPayloadError(reason))

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._waiter is not None and not self._waiter.done():
            self._fault = RouterError("network.http.too_slow", self._front.http.header_timeout_s)
            self._waiter.set_result(None)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _restart_keepalive(self) -> None:
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    # -- writing ---------------------------------------------------------------------------

    async def _write(self, answer: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(answer)
        if not self._paused:
            return
        try:
            async with asyncio.timeout(self._front.http.write_timeout_s):
                await self._drain_helper()
        except TimeoutError:
            self._front.cut_off("slow reader")
            transport.abort()
            raise ConnectionAbortedError("the client does not read its answers") from None

    async def _linger(self) -> None:
        transport = self.transport
        if not self._lingering or self._half_closed or transport is None or self.is_secure:
            # TLS has a closing handshake of its own.
            return
        with suppress(OSError, RuntimeError):
            transport.write_eof()
            transport.resume_reading()
        self._waiter = gone = self._loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await gone
