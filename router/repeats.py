"""Repeats of keyed requests: done once, answered each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from router.envelope import ABSENT, JsonObject, Request, Response
from router.errors import RouterError
from router.once import Memory, Once

Act: TypeAlias = Callable[[Request], Awaitable[Response]]


class Repeats:
    """Runs each keyed request once and answers its repeats from memory.

    A repeat of one at work waits for it; of one that was written, but never answered, goes on
    behind the write; of one that was answered, gets that answer. What was refused before
    anything was written is forgotten: the repeat is a first try.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._running: dict[str, tuple[str, asyncio.Future[Response | None]]] = {}

    async def answer(self, request: Request, once: Once, act: Act, *, keep: bool) -> Response:
        """The answer to a keyed request.

        Args:
            keep: Keep the answer too. Where no code of an application takes part it follows
                from the write, and needs no commit of its own.

        Raises:
            RouterError: `api.process.idempotency_key_reused`; what the store raises.
        """
        while (running := self._running.get(once.key)) is not None:
            fingerprint, ended = running
            _check(fingerprint, once, request)
            answered = await asyncio.shield(ended)
            if answered is not None:
                return _addressed(answered, request)
        ended = asyncio.get_running_loop().create_future()
        self._running[once.key] = (once.fingerprint, ended)
        response: Response | None = None
        try:
            response = await self._first(request, once, act, keep=keep)
            return response
        finally:
            del self._running[once.key]
            ended.set_result(response if once.is_written else None)

    async def _first(self, request: Request, once: Once, act: Act, *, keep: bool) -> Response:
        known = await self._memory.recall(once.key)
        if known is not None:
            _check(known.fingerprint, once, request)
            once.is_repeat = once.is_written = True
            if known.answer is not None:
                return _revived(known.answer, request)
        response = await act(request.replace(once=once))
        if once.is_written and keep:
            await self._memory.conclude(once.key, _kept(response))
        return response


def _check(fingerprint: str, once: Once, request: Request) -> None:
    if fingerprint != once.fingerprint:
        key = request.args.get("idempotencyKey")
        raise RouterError("api.process.idempotency_key_reused", key)


def _kept(response: Response) -> JsonObject:
    """What of a response doesn't belong to the one who asked."""
    kept: JsonObject = {
        "status": response.status,
        "error": response.error,
        "index": response.index,
        "collection": response.collection,
        "headers": dict(response.headers),
        "etag": response.etag,
    }
    if not isinstance(response.result, msgspec.UnsetType):
        kept["result"] = response.result
    return kept


def _revived(answer: JsonObject, request: Request) -> Response:
    fields: dict[str, object] = {"result": ABSENT, **answer}
    asked = Response(
        request_id=request.request_id,
        status=200,
        controller=request.controller,
        action=request.action,
        volatile=request.volatile,
    )
    return msgspec.structs.replace(asked, **fields)


def _addressed(response: Response, request: Request) -> Response:
    return msgspec.structs.replace(
        response, request_id=request.request_id, volatile=request.volatile
    )
