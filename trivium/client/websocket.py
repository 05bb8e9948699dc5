"""The WebSocket client, on `websockets`."""

from __future__ import annotations

import asyncio
import ssl

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from router.envelope import JsonObject
from trivium.client.exchange import Answers, Client, ConnectionFailedError


class WebSocketClient:
    """Sends requests as JSON frames; answers come in any order."""

    def __init__(self, connection: ClientConnection, *, timeout_s: float) -> None:
        self._connection = connection
        self._answers = Answers(timeout_s)
        self._reader = asyncio.create_task(self._read())

    async def query(self, request: JsonObject) -> JsonObject:
        """The whole answer to a request. Raises: ConnectionFailedError."""
        request, answer = self._answers.expect(request)
        try:
            await self._connection.send(orjson.dumps(request).decode())
        except ConnectionClosed as error:
            raise ConnectionFailedError(_reason(error)) from None
        return await self._answers.wait(answer)

    async def close(self) -> None:
        """Close with code 1000 and wait for the router to agree."""
        await self._connection.close()
        await self._reader

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                self._answers.deliver(orjson.loads(frame))
            self._answers.fail("the router closed the connection")
        except ConnectionClosed as error:
            self._answers.fail(_reason(error))
        except orjson.JSONDecodeError:
            self._answers.fail("the answer is not JSON; is this a router?")


async def open_client(
    host: str, port: int, *, timeout_s: float, tls: ssl.SSLContext | None = None
) -> Client:
    """A connected client. Raises: ConnectionFailedError."""
    url = f"ws{'s' if tls else ''}://{host}:{port}"
    try:
        connection = await connect_websocket(
            url, open_timeout=timeout_s, max_size=None, compression=None, proxy=None, ssl=tls
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
        raise ConnectionFailedError(f"no router at {url}: {_first_line(error)}") from None
    return WebSocketClient(connection, timeout_s=timeout_s)


def _reason(error: ConnectionClosed) -> str:
    closed = error.rcvd
    detail = f" ({closed.code} {closed.reason})".rstrip() if closed else ""
    return f"the router closed the connection{detail}"


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
