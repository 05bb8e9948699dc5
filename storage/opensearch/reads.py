"""Reads by id: all that wait go in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from router.envelope import Json, JsonObject
from storage.contract import Document
from storage.opensearch import places
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, objects, refusal
from storage.opensearch.compile import is_id
from storage.opensearch.faults import RefusedError, UnreachableError
from storage.opensearch.records import Record, read_record

_BATCH: Final = 1_000
"""Documents of one request."""

Address = tuple[str, str]
"""What is read: the alias and the id."""

_ABSENT: Final[JsonObject] = {"found": False}


class Reads:
    """Coalesces reads: one request is under way, and takes everything that waited before it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[Address, asyncio.Future[JsonObject]] = {}
        self._task: asyncio.Task[None] | None = None

    async def records(self, collection: Collection, ids: Sequence[str]) -> list[Record]:
        """The records of these ids as of now, without tombstones. Raises: faults."""
        found = await asyncio.gather(*(self._read((collection.alias, each)) for each in ids))
        return [read_record(each) for each in found]

    async def close(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await self._task

    async def _read(self, address: Address) -> JsonObject:
        if not is_id(address[1]):
            return _ABSENT
        future = self._waiting.get(address)
        if future is None:
            future = self._waiting[address] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="reads")
        # Others may wait for the same answer, and each alters what it gets: see `read_record`.
        found = _checked(await asyncio.shield(future))
        source = found.get("_source")
        return {**found, "_source": dict(source)} if isinstance(source, dict) else dict(found)

    async def _run(self) -> None:
        while self._waiting:
            addresses = list(self._waiting)[:_BATCH]
            futures = [self._waiting.pop(address) for address in addresses]
            try:
                found = await fetch(self._client, addresses)
            except (UnreachableError, RefusedError) as fault:
                for future in futures:
                    future.set_exception(fault)
                    future.exception()  # the callers may have given up
            else:
                for future, each in zip(futures, found, strict=True):
                    future.set_result(each)
        self._task = None


def _checked(answer: JsonObject) -> JsonObject:
    """One answer of several. Not to know whether there is a document isn't to know of none."""
    error = answer.get("error")
    if error is None:
        return answer
    fault = refusal(503, error)  # such as no_shard_available_action_exception, after a start
    raise RefusedError(404, fault.kind, fault.reason) if fault.is_of_missing_index else fault


async def fetch(client: Client, addresses: Sequence[Address]) -> list[JsonObject]:
    """The server's answers for these addresses, in their order. Raises: faults."""
    asked: list[Json] = [{"_index": alias, "_id": own} for alias, own in addresses]
    told = await client.request("POST", "_mget", body={"docs": asked})
    return objects(told.get("docs"))


async def fetch_records(
    client: Client, collection: Collection, ids: Sequence[str]
) -> dict[str, Record]:
    """The records of these ids with their tombstones. Raises: faults."""
    graves = places.alias(collection.scope.graves)
    good = [each for each in ids if is_id(each)]
    addresses = [(collection.alias, each) for each in good]
    addresses += [(graves, places.key(collection.uuid, each)) for each in good]
    found = [_checked(each) for each in await fetch(client, addresses)] if good else []
    pairs = zip(good, found[: len(good)], found[len(good) :], strict=True)
    records = {each: read_record(document, grave) for each, document, grave in pairs}
    return {each: records.get(each, Record()) for each in ids}


async def documents(
    reads: Reads, ids: Sequence[str], found: list[Collection]
) -> list[Document | None]:
    """The documents of these ids in the one collection that was found, in their order."""
    (place,) = found
    records = await reads.records(place, ids)
    return [
        record.document(each, place.incarnation) for each, record in zip(ids, records, strict=True)
    ]
