"""The HTTP client, on `aiohttp`."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncGenerator, Iterator
from typing import NamedTuple

import aiohttp
import orjson

from router.envelope import Json, JsonObject
from trivium.client.exchange import ConnectionFailedError
from trivium.client.routes import choose
from trivium.errors import AnsweredError


class Login(NamedTuple):
    """Who asks: an API key, or else a user name and a password."""

    api_key: str | None = None
    username: str | None = None
    password: str | None = None


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

    async def stream(self, request: JsonObject) -> AsyncGenerator[bytes, None]:
        """The answer to a request piece by piece, however long it is and takes.

        Raises:
            AnsweredError: The router refuses it.
            ConnectionFailedError: The connection is lost, or nothing comes for too long.
            NoRouteError: As with `query`.
        """
        chosen = choose({"body": None, **request}, self._public_api)
        content = None if chosen.body is None else orjson.dumps(chosen.body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self._session.timeout.total)
        with _failing():
            async with self._session.request(
                chosen.verb, chosen.target, data=content, headers=headers, timeout=timeout
            ) as response:
                if response.status != 200:
                    raise AnsweredError(_error(_object(await response.read())))
                async for piece in response.content.iter_any():
                    yield piece

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def open_client(
    host: str,
    port: int,
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    login: Login | None = None,
) -> HttpClient:
    """A client that has read the router's public API, as a user if there is a login.

    Raises:
        ConnectionFailedError: Nobody answers.
        AnsweredError: The router doesn't let the user in.
    """
    session = aiohttp.ClientSession(
        f"http{'s' if tls else ''}://{host}:{port}",
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        connector=aiohttp.TCPConnector(ssl=tls or True),
    )
    try:
        if login is not None:
            session.headers["Authorization"] = f"Bearer {await _token(session, login)}"
        answer = await _fetch(session, "GET", "/_publicApi", None)
        if login is not None and answer.get("error") is not None:
            raise AnsweredError(_error(answer))
    except BaseException:
        await session.close()
        raise
    result = answer.get("result")
    return HttpClient(session, result if isinstance(result, dict) else {})


async def _token(session: aiohttp.ClientSession, login: Login) -> str:
    if login.api_key is not None:
        return login.api_key
    body: JsonObject = {"username": login.username, "password": login.password}
    answer = await _fetch(session, "POST", "/_login/local", body)
    result = answer.get("result")
    if not isinstance(result, dict):
        raise AnsweredError(_error(answer))
    return str(result["jwt"])


async def _fetch(session: aiohttp.ClientSession, verb: str, target: str, body: Json) -> JsonObject:
    content = None if body is None else orjson.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    with _failing():
        async with session.request(verb, target, data=content, headers=headers) as response:
            text = await response.read()
    return _object(text)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Tell of a lost connection in a sentence."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise ConnectionFailedError(f"no answer over HTTP: {reason}") from None


def _object(text: bytes) -> JsonObject:
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ConnectionFailedError("the answer is not JSON; is this a router?") from None
    if not isinstance(answer, dict):
        raise ConnectionFailedError("the answer is not an object; is this a router?")
    return answer


def _error(answer: JsonObject) -> JsonObject:
    error = answer.get("error")
    return error if isinstance(error, dict) else {"message": "the router gave no reason"}
