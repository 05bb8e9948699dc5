"""bulk:* beyond what one request shows: many pages, rivals, what nobody waits for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from controllers.documents import matching
from storage.contract import Write
from storage.query import Search
from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
COUNT = 1_203
FEW = 43


@contextlib.asynccontextmanager
async def filled(count: int) -> AsyncIterator[InProcess]:
    """A router with so many documents in one collection."""
    async with in_process() as router:
        mapping = {"properties": {"n": {"type": "integer"}}}
        await router.result("collection:create", {"mappings": mapping}, **PLACE)
        writes = [Write(verb="create", id=f"d{n}", content={"n": n}, **PLACE) for n in range(count)]
        await router.storage.bulk(writes)
        yield router


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with filled(COUNT) as router:
        yield router


async def test_by_query_knows_no_limit(lab: InProcess) -> None:
    query = {"query": {"range": {"n": {"gte": 3}}}}
    updated = await lab.result("bulk:updateByQuery", {**query, "changes": {"m": 1}}, **PLACE)
    assert updated == {"updated": COUNT - 3}
    assert await lab.result("bulk:deleteByQuery", query, **PLACE) == {"deleted": COUNT - 3}
    assert await lab.result("document:count", **PLACE) == {"count": 3}


async def test_an_update_out_of_the_query_is_done_once_each(lab: InProcess) -> None:
    query = {"query": {"range": {"n": {"gte": 0}}}}
    assert await lab.result("bulk:updateByQuery", {**query, "changes": {"n": -1}}, **PLACE) == {
        "updated": COUNT
    }
    documents = await lab.storage.mget("lab", "things", [f"d{n}" for n in range(COUNT)])
    assert {document.version for document in documents} == {2}


@pytest.mark.parametrize("size", [1, 7, FEW, FEW + 1])
async def test_pages_hold_everything_once(size: int) -> None:
    async with filled(FEW) as lab:
        found = [
            hit.id
            async for hits in matching.pages(lab.storage, ("lab", "things"), Search(), size)
            for hit in hits
        ]
    assert sorted(found) == sorted(f"d{n}" for n in range(FEW))
    assert found == sorted(found)
