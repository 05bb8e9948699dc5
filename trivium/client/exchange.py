"""What every client offers, and the waiting for answers that two of them share."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final, Protocol

from router.envelope import Json, JsonObject

SDK_NAME: Final = "trivium"


class ConnectionFailedError(Exception):
    """No connection, or none any more; the message is one line for the person who asked."""


class Client(Protocol):
    """One connection to a router."""

    async def query(self, request: JsonObject) -> JsonObject:
        """The whole answer to a request, errors included.

        Raises:
            ConnectionFailedError: The connection is lost, or no answer comes in time.
        """

    async def close(self) -> None:
        """Close the connection."""


class Answers:
    """Answers on their way, by request id."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: dict[str, asyncio.Future[JsonObject]] = {}
        self._lost: str | None = None

    def expect(self, request: JsonObject) -> tuple[JsonObject, asyncio.Future[JsonObject]]:
        """The request with an id of its own if it had none, and its answer to come.

        Raises:
            ConnectionFailedError: The connection is gone already.
        """
        if self._lost is not None:
            raise ConnectionFailedError(self._lost)
        request_id = str(request.get("requestId") or uuid.uuid4())
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        return {**request, "requestId": request_id}, answer

    async def wait(self, answer: asyncio.Future[JsonObject]) -> JsonObject:
        """The answer, once it is there. Raises: ConnectionFailedError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError:
            raise ConnectionFailedError(f"no answer in {self._timeout_s:g} s") from None

    def deliver(self, frame: Json) -> None:
        """Take in what the router sent; what nobody waits for is dropped."""
        if not isinstance(frame, dict):
            return
        answer = self._waiting.pop(str(frame.get("requestId")), None)
        if answer is not None and not answer.done():
            answer.set_result(frame)

    def fail(self, reason: str) -> None:
        """Let everyone who waits know that the connection is gone."""
        self._lost = reason
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionFailedError(reason))
        self._waiting.clear()
