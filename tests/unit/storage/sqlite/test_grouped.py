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
        "tags": {"type": "keyword"},
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


WIDE = 600
WIDEST: dict[str, Any] = {"field": "tags", "size": 65_535}
TOO_MANY: dict[str, Any] = {
    "by count": {"terms": WIDEST, "aggs": {"t": {"terms": WIDEST, "aggs": {"m": AVERAGE}}}},
    "by measure": {
        "terms": WIDEST,
        "aggs": {"t": {"terms": {**WIDEST, "order": {"m": "asc"}}, "aggs": {"m": AVERAGE}}},
    },
    "steps": {"histogram": {"field": "size", "interval": 1e-3, "min_doc_count": 1}},
}


@pytest.fixture
async def wide(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    """A document with many tags, one with more numbers than there may be buckets."""
    storage = SqliteStorage(StorageSettings(data=tmp_path, search_timeout_s=600))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    tags = [f"tag-{n:04}" for n in range(WIDE)]
    numbers = list(range(70_000))
    await storage.bulk([a_write("create", "a", {"tags": tags, "size": 1})])
    await storage.bulk([a_write("create", "n", {"size": numbers})])
    yield storage
    await storage.close()


async def test_buckets_that_are_too_many_are_not_held(wide: SqliteStorage) -> None:
    for name, kind in TOO_MANY.items():
        tracemalloc.start()
        try:
            with pytest.raises(RouterError, match="more than 65535 buckets"):
                await computed(wide, kind)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # All were held: 100 MB of them.
        assert peak < 40_000_000, name


async def test_many_aggregations_share_what_is_allowed(wide: SqliteStorage) -> None:
    within = {f"t{n}": {"terms": {"field": "tags", "size": 55}} for n in range(2)}
    kind = {"terms": {"field": "tags", "size": WIDE}, "aggs": within}
    with pytest.raises(RouterError, match="more than 65535 buckets"):
        await computed(wide, kind)
    within.popitem()
    assert len((await computed(wide, kind))["buckets"]) == WIDE


async def test_terms_that_are_not_shown_are_counted_together(wide: SqliteStorage) -> None:
    await wide.bulk([a_write("create", "b", {"tags": ["tag-0007", "last"]})])
    inner = {"terms": {"field": "tags", "size": 2, "order": {"_key": "desc"}}}
    told = await computed(
        wide, {"terms": {"field": "tags", "size": 2}, "aggs": {"t": inner, "m": AVERAGE}}
    )
    assert told["sum_other_doc_count"] == WIDE - 1
    first, second = told["buckets"]
    assert [(each["key"], each["doc_count"]) for each in (first, second)] == [
        ("tag-0007", 2),
        ("last", 1),
    ]
    assert [each["key"] for each in first["t"]["buckets"]] == ["tag-0599", "tag-0598"]
    assert first["t"]["sum_other_doc_count"] == WIDE
    assert second["t"]["sum_other_doc_count"] == 0


async def test_terms_sorted_by_what_is_in_them_are_divided_as_those_shown(
    wide: SqliteStorage,
) -> None:
    inner: Any = {"terms": {"field": "tags", "size": 3}}
    kind = {"terms": {"field": "tags", "size": 2, "order": {"m": "asc"}}}
    told = await computed(wide, {**kind, "aggs": {"m": AVERAGE, "t": inner}})
    assert [each["key"] for each in told["buckets"]] == ["tag-0000", "tag-0001"]
    for each in told["buckets"]:
        assert [one["doc_count"] for one in each["t"]["buckets"]] == [1, 1, 1]
        assert each["t"]["sum_other_doc_count"] == WIDE - 3
