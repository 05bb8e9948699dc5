"""Searches read page by page over a snapshot that the server keeps."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator, Sequence

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Hit
from storage.evaluate import in_order
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, object_at, objects
from storage.opensearch.faults import RefusedError, telling
from storage.opensearch.searches import Found, body_of, total_of
from storage.query import Search


class OpenSearchScroll:
    """Snapshots of the collections (points in time of the server), read side by side."""

    def __init__(self, client: Client, legs: Sequence[_Leg], search: Search) -> None:
        self._client = client
        self._legs = legs
        self._search = search
        self._read = 0
        self.total = 0

    @property
    def remaining(self) -> int:
        """How many hits are left to read."""
        return self.total - self._read

    async def next(self) -> list[Hit]:
        """The next hits."""
        size = self._search.size
        with _telling():
            await asyncio.gather(*(leg.fill(self._client, size) for leg in self._legs))
        if not self._read:
            self.total = sum(leg.total for leg in self._legs)
        buffered = [each for leg in self._legs for each in leg.buffer]
        chosen = in_order(buffered, self._search.sort)[:size]
        for leg in self._legs:
            leg.buffer = leg.buffer[sum(each.place[1:] == leg.place for each in chosen) :]
        self._read += len(chosen)
        return [each.hit(self._search) for each in chosen]

    async def close(self) -> None:
        """Let the server forget them."""
        names: list[Json] = [leg.pit for leg in self._legs]
        with telling():
            await self._client.request("DELETE", "_search", "point_in_time", body={"pit_id": names})


class _Leg:
    """One collection of a scroll."""

    def __init__(self, collection: Collection, body: JsonObject, pit: str, life: str) -> None:
        self.place = collection.name
        self.pit = pit
        self.buffer: list[Found] = []
        self.total = 0
        self._collection = collection
        self._body: JsonObject = {**body, "from": 0, "pit": {"id": pit, "keep_alive": life}}
        self._is_read = False

    async def fill(self, client: Client, size: int) -> None:
        """Have as many hits ready as one page may need."""
        if self._is_read or len(self.buffer) >= size:
            return
        answer = await client.request("POST", "_search", body=self._body)
        hits = objects(object_at(answer, "hits").get("hits"))
        self.total = total_of(answer)
        self.buffer += [Found(self._collection, hit) for hit in hits]
        self._is_read = len(hits) < size
        if hits:
            self._body["search_after"] = hits[-1].get("sort")


async def opened(
    client: Client, collections: Sequence[Collection], search: Search, life_s: float
) -> OpenSearchScroll:
    """Take the snapshots. Raises: as `Storage.scroll`; faults."""
    life = f"{math.ceil(life_s)}s"
    bodies = [body_of(each, search, (0, search.size)) for each in collections]
    legs: list[_Leg] = []
    for collection, body in zip(collections, bodies, strict=True):
        told = await client.request(
            "POST", collection.alias, "_search", "point_in_time", params={"keep_alive": life}
        )
        legs.append(_Leg(collection, body, str(told.get("pit_id")), life))
    return OpenSearchScroll(client, legs, search)


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    try:
        with telling():
            yield
    except RouterError as error:
        if isinstance(error.__cause__, RefusedError) and error.__cause__.status == 404:
            raise RouterError("services.storage.unknown_scroll_id") from error
        raise
