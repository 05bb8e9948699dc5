"""Aggregations of numbers and dates at the ends of their kinds, alike on both own stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.settings import StorageSettings
from storage.contract import Storage
from storage.dsl import read_search
from storage.memory import MemoryStorage
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, put, refused

MAPPING = {
    "properties": {
        "large": {"type": "double"},
        "turned": {"type": "double"},
        "until": {"type": "date"},
        "ends": {"type": "date"},
        "far": {"type": "date"},
    }
}
YEAR_1, LAST, BEFORE = -62_135_596_800_000, 253_402_300_799_999, -100_000_000_000_000
DOCUMENTS: list[Any] = [
    {"large": 1.7e308, "turned": [1.7e308, 1.6e308], "until": "2024-05-05", "ends": YEAR_1},
    {"large": 1.7e308, "turned": -1.7e308, "until": "9999-12-31", "ends": LAST, "far": BEFORE},
]


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    is_memory = request.param == "memory"
    storage = MemoryStorage() if is_memory else SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    for number, content in enumerate(DOCUMENTS):
        await put(storage, f"d{number}", content)
    yield storage
    await storage.close()


async def computed(storage: Storage, kind: Any) -> Any:
    page = await storage.search([TARGET], read_search({"size": 0, "aggs": {"a": kind}}))
    assert page.aggregations is not None
    return page.aggregations["a"]


def dates(field: str, interval: str = "year", **more: Any) -> Any:
    return {"date_histogram": {"field": field, "calendar_interval": interval, **more}}


async def test_intervals_go_on_to_the_end_of_the_calendar(storage: Storage) -> None:
    for zone in ({}, {"time_zone": "-12:00"}, {"time_zone": "Europe/Paris"}):
        buckets = (await computed(storage, dates("until", **zone)))["buckets"]
        assert [each["doc_count"] for each in buckets] == [1, *[0] * 7_974, 1]
        assert buckets[-1]["key_as_string"].startswith("9999-01-01")
    both = dates("ends", min_doc_count=1)
    assert [each["doc_count"] for each in (await computed(storage, both))["buckets"]] == [1, 1]


@pytest.mark.parametrize(
    "kind",
    [
        dates("ends", min_doc_count=1, time_zone="+14:00"),
        dates("ends", min_doc_count=1, time_zone="-12:00"),
        dates("far", min_doc_count=1),
        {"histogram": {"field": "large", "interval": 5e-324}},
        {"histogram": {"field": "large", "interval": 1e-300, "min_doc_count": 1}},
        {"histogram": {"field": "turned", "interval": 9e307, "min_doc_count": 1}},
        {"histogram": {"field": "turned", "interval": 9e307}},
    ],
    ids=str,
)
async def test_what_has_no_interval_or_step_is_refused(storage: Storage, kind: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await computed(storage, kind)


async def test_dates_that_no_calendar_has_are_shown_as_numbers(storage: Storage) -> None:
    told = await computed(storage, {"min": {"field": "far"}})
    assert told == {"value": float(BEFORE), "value_as_string": str(BEFORE)}
    fixed = {"date_histogram": {"field": "far", "fixed_interval": "1d"}}
    assert [each["doc_count"] for each in (await computed(storage, fixed))["buckets"]] == [1]


async def test_sums_too_large_for_a_number_are_written_as_the_peer_does(storage: Storage) -> None:
    for name in ("sum", "avg"):
        assert await computed(storage, {name: {"field": "large"}}) == {"value": "Infinity"}
    told = await computed(storage, {"stats": {"field": "large"}})
    assert told == {
        "count": 2,
        "min": 1.7e308,
        "max": 1.7e308,
        "avg": "Infinity",
        "sum": "Infinity",
    }
    kind = {"terms": {"field": "until", "order": {"s": "desc"}}}
    told = await computed(storage, {**kind, "aggs": {"s": {"sum": {"field": "turned"}}}})
    assert [each["s"]["value"] for each in told["buckets"]] == ["Infinity", -1.7e308]


async def test_a_sum_too_large_only_on_the_way_is_told(storage: Storage) -> None:
    assert (await computed(storage, {"sum": {"field": "turned"}}))["value"] == pytest.approx(
        1.6e308
    )
