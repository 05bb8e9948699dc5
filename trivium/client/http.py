"""The HTTP client, on `aiohttp`."""

from __future__ import annotations

import ssl

import aiohttp
import orjson

from router.envelope import Json, JsonObject
from trivium.client.exchange import Client, ConnectionFailedError
from trivium.client.routes import choose


class HttpClient:
    """Sends each request to the route that the router's public API names for its action."""

    def __init__(self, session: aiohttp.ClientSession, public_api: JsonObject) -> None:
        self._session = session
        self._public_api = public_api

    async def query(self, request: JsonObject) -> JsonObject:
        """The whole answer to a request.

        Raises:
            ConnectionFailedError: The connection is lost, or no answer comes in time.
            NoRouteError: The action can't be reached over HTTP, or not with these arguments.
        """
        chosen = choose({"body": None, **request}, self._public_api)
        return await _fetch(self._session, chosen.verb, chosen.target, chosen.body)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def open_client(
    host: str, port: int, *, timeout_s: float, tls: ssl.SSLContext | None = None
) -> Client:
    """A client that has read the router's public API. Raises: ConnectionFailedError."""
    session = aiohttp.ClientSession(
        f"http{'s' if tls else ''}://{host}:{port}",
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        connector=aiohttp.TCPConnector(ssl=tls or True),
    )
    try:
        answer = await _fetch(session, "GET", "/_publicApi", None)
    except ConnectionFailedError:
        await session.close()
        raise
    result = answer.get("result")
    return HttpClient(session, result if isinstance(result, dict) else {})


async def _fetch(session: aiohttp.ClientSession, verb: str, target: str, body: Json) -> JsonObject:
    content = None if body is None else orjson.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        async with session.request(verb, target, data=content, headers=headers) as response:
            text = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise ConnectionFailedError(f"no answer over HTTP: {reason}") from None
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ConnectionFailedError("the answer is not JSON; is this a router?") from None
    if not isinstance(answer, dict):
        raise ConnectionFailedError("the answer is not an object; is this a router?")
    return answer
