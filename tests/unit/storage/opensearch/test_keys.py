"""Idempotency keys that several routers share, and those of routers that died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from router.envelope import JsonObject
from router.once import Once, Remembered
from storage.contract import Write, outcome
from storage.opensearch import places
from storage.opensearch.client import Client
from storage.opensearch.faults import UnreachableError
from storage.opensearch.store import OpenSearchStorage
from tests.support.stores import TARGET, a_write, put

pytestmark = pytest.mark.needs("opensearch")


def keyed(weight: int = 7) -> Write:
    return a_write("update", "one", {"weight": weight}, once=Once("k", "f"), retries=5)


class Unprojected(Client):
    """A router that is cut off before it has told the feed and the keys' index."""

    async def bulk(self, operations: Sequence[bytes]) -> list[JsonObject]:
        if any(b'"_index":"@%trivium' in operation for operation in operations):
            raise UnreachableError("cut off")
        return await super().bulk(operations)


async def test_two_routers_do_it_once(open_store: Any) -> None:
    first = await open_store()
    await first.create_collection(*TARGET)
    second = await open_store()
    await put(first, "one", {"weight": 1})
    writes = [each.write(keyed()) for each in (first, second) * 5]
    versions = {(await outcome(write)).version for write in writes}  # type: ignore[union-attr]
    assert versions == {2}
    assert (await second.get(*TARGET, "one")).version == 2


async def test_a_repeat_finds_the_key_in_the_document_itself(open_store: Any) -> None:
    other: OpenSearchStorage = await open_store()
    await other.create_collection(*TARGET)
    dying: OpenSearchStorage = await open_store(Unprojected)
    creation = a_write("create", "one", {"weight": 7}, once=Once("k", "f"))
    assert (await dying.write(creation)).created
    again = await other.write(creation)
    assert (again.version, again.created, again.repeats) == (1, True, {"weight": 7})
    # Whoever overwrites the document brings the key into its index first.
    await put(other, "one", {"weight": 9})
    assert await other.recall("k") == Remembered("f")
    assert (await other.write(creation)).version == 1
    assert (await other.get(*TARGET, "one")).version == 2


async def test_keys_that_are_too_old_are_forgotten(open_store: Any) -> None:
    store: OpenSearchStorage = await open_store()
    await store.create_collection(*TARGET)
    await put(store, "one", {"weight": 1})
    await store.write(keyed())
    await store._opened.feed.settled()
    client = store._opened.client
    old: JsonObject = {"doc": {"at": 1}}
    await client.request("POST", places.PUBLIC.keys, "_update", "k", body=old)
    assert await store.recall("k") is None
    await put(store, "one", {"weight": 2})
    assert (await store.write(keyed())).version == 4
