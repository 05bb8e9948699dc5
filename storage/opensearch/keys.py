"""Idempotency keys: carried by the document that was written, then kept in an index of their own.

A key is in the last row of its document or in the index, or nothing was written under it: who
overwrites a document gets its rows and keys into their indexes first. So the document is read
first, then the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from router.envelope import JsonObject
from router.errors import RouterError
from router.once import Once, Remembered
from storage.clock import Clock
from storage.contract import Write, Written
from storage.merge import copied
from storage.opensearch import places
from storage.opensearch.client import Client, object_at, objects
from storage.opensearch.faults import RefusedError

MAPPING: Final[JsonObject] = {
    "dynamic": "false",
    "properties": {"at": {"type": "date", "format": "epoch_millis"}},
}


class Keys:
    """The index of the keys of one store.

    Args:
        kept_ms: How long a key is remembered.
    """

    def __init__(self, client: Client, scope: places.Scope, clock: Clock, kept_ms: int) -> None:
        self._client = client
        self._own = scope.keys
        self._clock = clock
        self._kept_ms = kept_ms

    async def find(self, keys: Sequence[str]) -> dict[str, JsonObject]:
        """What is kept of these keys. Those that are too old are forgotten. Raises: faults."""
        if not keys:
            return {}
        asked: JsonObject = {"ids": list(keys)}
        told = await self._client.request("POST", self._own, "_mget", body=asked)
        found = {str(hit["_id"]): object_at(hit, "_source") for hit in objects(told.get("docs"))}
        kept = {key: memo for key, memo in found.items() if memo}
        old = [key for key, memo in kept.items() if self._is_old(memo)]
        await self._forget(old)
        return {key: memo for key, memo in kept.items() if key not in old}

    async def recall(self, key: str) -> Remembered | None:
        """What is known of a key. Raises: faults."""
        memo = (await self.find([key])).get(key)
        if memo is None:
            return None
        answer = memo.get("answer")
        return Remembered(str(memo["fingerprint"]), answer if isinstance(answer, dict) else None)

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key that is in the index. Raises: faults."""
        body: JsonObject = {"doc": {"answer": answer}}
        try:
            await self._client.request("POST", self._own, "_update", key, body=body)
        except RefusedError as error:
            if error.status != 404:  # forgotten meanwhile: nobody will ask
                raise

    async def _forget(self, keys: Sequence[str]) -> None:
        head = {"_index": places.alias(self._own)}
        lines = [orjson.dumps({"delete": {**head, "_id": key}}) + b"\n" for key in keys]
        if lines:
            await self._client.bulk(lines)

    def _is_old(self, memo: JsonObject) -> bool:
        at = memo.get("at")
        return not isinstance(at, int) or at < self._clock.now_ms() - self._kept_ms


def memo_of(once: Once, write: Write, written: Written, now_ms: int) -> JsonObject:
    """What is kept of a write that was done under a key."""
    previous = written.previous
    return {
        "key": once.key,
        "fingerprint": once.fingerprint,
        "at": now_ms,
        "version": written.version,
        "created": written.created,
        "content": copied(write.content),
        "source": copied(written.source),
        "previous": None if previous is None else copied(previous),
    }


def repeated(once: Once, memo: JsonObject, id: str, incarnation: str) -> Written:
    """The outcome of the first write, for its repeat.

    Raises:
        RouterError: `api.process.idempotency_key_reused`.
    """
    if memo["fingerprint"] != once.fingerprint:
        raise RouterError("api.process.idempotency_key_reused", once.key)
    version, previous = memo["version"], memo["previous"]
    assert isinstance(version, int)
    return Written(
        id=id,
        version=version,
        source=copied(object_at(memo, "source")),
        replaced=copied(previous) if isinstance(previous, dict) else None,
        created=memo["created"] is True,
        incarnation=incarnation,
        repeats=copied(object_at(memo, "content")),
    )


def line(scope: places.Scope, memo: JsonObject) -> bytes:
    """The operation that puts a memo into the index; of two tries the first one counts."""
    kept = {name: value for name, value in memo.items() if name != "key"}
    head = {"create": {"_index": places.alias(scope.keys), "_id": memo["key"]}}
    return orjson.dumps(head) + b"\n" + orjson.dumps(kept) + b"\n"
