"""Aggregations that SQL computes: none of the documents is held meanwhile."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.dsl import read_search
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write

MANY = 12_000
DAY_MS = 86_400_000
MAPPING = {
    "properties": {
        "model": {"type": "keyword"},
        "size": {"type": "integer"},
        "seen": {"type": "date"},
    }
}
AVERAGE = {"avg": {"field": "size"}}
SHAPES: dict[str, Any] = {
    "terms": {"terms": {"field": "model"}},
    "dates": {"date_histogram": {"field": "seen", "calendar_interval": "month"}},
    "steps": {"histogram": {"field": "size", "interval": 100}},
    "ranges": {"range": {"field": "size", "ranges": [{"to": 500}, {"from": 250}]}},
    "filter": {"filter": {"range": {"size": {"lt": 500}}}},
}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(StorageSettings(data=tmp_path, search_timeout_s=600))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    for start in range(0, MANY, 3_000):
        numbers = range(start, start + 3_000)
        await storage.bulk([a_write("create", f"a{n}", asset(n)) for n in numbers])
    yield storage
    await storage.close()


def asset(number: int) -> dict[str, Any]:
    return {
        "model": f"m{number % 8}",
        "size": number * 7919 % 1_000,
        "seen": number % 300 * DAY_MS,
    }


async def computed(storage: SqliteStorage, kind: Any, **body: Any) -> Any:
    page = await storage.search([TARGET], read_search({"size": 0, "aggs": {"a": kind}, **body}))
    assert page.aggregations is not None
    return page.aggregations["a"]


async def test_memory_does_not_grow_with_what_matches(storage: SqliteStorage) -> None:
    for shape in SHAPES.values():
        within = {"n": {**SHAPES["terms"], "aggs": {"m": AVERAGE}}, "m": AVERAGE}
        tracemalloc.start()
        try:
            await computed(storage, {**shape, "aggs": within})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # Held, each took about 400 bytes.
        assert peak < MANY * 50, shape


async def test_the_next_search_begins_anew(storage: SqliteStorage) -> None:
    kind = {**SHAPES["terms"], "aggs": {"m": AVERAGE}}
    one = await computed(storage, kind, query={"range": {"size": {"lt": 10}}})
    every = await computed(storage, kind)
    assert sum(each["doc_count"] for each in every["buckets"]) == MANY
    assert one != every
    assert await computed(storage, kind, query={"range": {"size": {"lt": 10}}}) == one


async def test_intervals_too_small_for_a_table_are_counted_all_the_same(
    storage: SqliteStorage,
) -> None:
    dates = {"field": "seen", "fixed_interval": "1s", "min_doc_count": 1}
    told = await computed(storage, {"date_histogram": dates, "aggs": {"m": AVERAGE}})
    assert len(told["buckets"]) == 300
    with pytest.raises(RouterError, match="more than 65535 buckets"):
        await computed(storage, {"date_histogram": {**dates, "min_doc_count": 0}})
