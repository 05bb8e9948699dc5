"""Every engine: what aggregations count and compute."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Storage
from storage.dsl import read_search
from tests.support.stores import TARGET, a_write, put, refused

OTHER = ("tenant-b", "assets")
DOCUMENTS: dict[str, Any] = {
    "a": {"model": "Truck", "size": 1, "live": True, "tags": ["red", "blue"]},
    "b": {"model": "Truck", "size": [5, 9], "live": False, "seen": "2026-01-31T23:30:00Z"},
    "c": {"model": "Crate", "size": 3, "seen": 1_767_225_600_000, "address": "10.1.2.3"},
    "d": {"tags": [], "size": None},
    "e": {"model": ["Crate", "Box"], "ratio": 7, "seen": "2026-03-01"},
}
JANUARY, FEBRUARY, MARCH = 1_767_225_600_000, 1_769_904_000_000, 1_772_323_200_000


@pytest.fixture
async def fleet(storage: Storage) -> Storage:
    for name, content in DOCUMENTS.items():
        await put(storage, name, {"model": "Old", "size": 77})
        await put(storage, name, content)
    await storage.refresh(*TARGET)
    return storage


async def computed(storage: Storage, kind: Any, *targets: tuple[str, str], **body: Any) -> Any:
    search = read_search({"size": 0, "aggs": {"a": kind}, **body})
    page = await storage.search(targets or (TARGET,), search)
    assert page.aggregations is not None
    return page.aggregations["a"]


def counts(told: Any) -> dict[Any, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in told["buckets"]}


# Aggregations and what they tell; one test, as each empties the engine.
NUMBERS: Any = [
    ({"min": {"field": "size"}}, {"value": 1.0}),
    ({"max": {"field": "size"}}, {"value": 9.0}),
    ({"avg": {"field": "size"}}, {"value": 4.5}),
    ({"sum": {"field": "size"}}, {"value": 18.0}),
    ({"value_count": {"field": "model"}}, {"value": 5}),
    ({"cardinality": {"field": "model"}}, {"value": 3}),
    ({"max": {"field": "ratio"}}, {"value": 7.0}),
    ({"min": {"field": "unknown"}}, {"value": None}),
    ({"sum": {"field": "unknown"}}, {"value": 0.0}),
    (
        {"max": {"field": "seen"}},
        {"value": float(MARCH), "value_as_string": "2026-03-01T00:00:00.000Z"},
    ),
    (
        {"stats": {"field": "size"}},
        {"count": 4, "min": 1.0, "max": 9.0, "avg": 4.5, "sum": 18.0},
    ),
    (
        {"percentiles": {"field": "size", "percents": [50, 100]}},
        {"values": {"50.0": 5.0, "100.0": 9.0}},
    ),
]
BUCKETS: Any = [
    ({"terms": {"field": "model"}}, {"Crate": 2, "Truck": 2, "Box": 1}),
    ({"terms": {"field": "model", "size": 1}}, {"Crate": 2}),
    ({"terms": {"field": "model", "order": {"_key": "desc"}}}, {"Truck": 2, "Crate": 2, "Box": 1}),
    ({"terms": {"field": "model", "min_doc_count": 2}}, {"Crate": 2, "Truck": 2}),
    ({"terms": {"field": "live"}}, {0: 1, 1: 1}),
    ({"terms": {"field": "size"}}, {1: 1, 3: 1, 5: 1, 9: 1}),
    ({"terms": {"field": "address"}}, {"10.1.2.3": 1}),
    ({"terms": {"field": "unknown"}}, {}),
    ({"histogram": {"field": "size", "interval": 4}}, {0.0: 2, 4.0: 1, 8.0: 1}),
    (
        {"range": {"field": "size", "ranges": [{"to": 4}, {"key": "many", "from": 4}]}},
        {"*-4.0": 2, "many": 1},
    ),
    (
        {"date_histogram": {"field": "seen", "calendar_interval": "month"}},
        {JANUARY: 2, FEBRUARY: 0, MARCH: 1},
    ),
    (
        {"date_histogram": {"field": "seen", "calendar_interval": "1M", "min_doc_count": 1}},
        {JANUARY: 2, MARCH: 1},
    ),
    (
        {
            "date_histogram": {
                "field": "seen",
                "calendar_interval": "month",
                "time_zone": "Europe/Paris",
            }
        },
        {JANUARY - 3_600_000: 1, FEBRUARY - 3_600_000: 1, MARCH - 3_600_000: 1},
    ),
    (
        {"date_histogram": {"field": "seen", "fixed_interval": "1d", "min_doc_count": 1}},
        {JANUARY: 1, FEBRUARY - 86_400_000: 1, MARCH: 1},
    ),
]


async def test_numbers(fleet: Storage) -> None:
    for kind, expected in NUMBERS:
        assert await computed(fleet, kind) == expected, kind


async def test_buckets_in_their_order(fleet: Storage) -> None:
    for kind, expected in BUCKETS:
        told = counts(await computed(fleet, kind))
        assert list(told.items()) == list(expected.items()), kind


async def test_buckets_say_what_is_left_out_and_how_a_key_is_written(fleet: Storage) -> None:
    told = await computed(fleet, {"terms": {"field": "model", "size": 1}})
    assert (told["sum_other_doc_count"], told["doc_count_error_upper_bound"]) == (3, 0)
    told = await computed(
        fleet,
        {"date_histogram": {"field": "seen", "interval": "year", "keyed": True, "format": "yyyy"}},
    )
    assert told["buckets"]["2026"]["doc_count"] == 3
    told = await computed(fleet, {"terms": {"field": "live"}})
    assert [bucket["key_as_string"] for bucket in told["buckets"]] == ["false", "true"]


async def test_filters_count_what_they_match(fleet: Storage) -> None:
    trucks, crates = {"term": {"model": "Truck"}}, {"term": {"model": "Crate"}}
    assert await computed(fleet, {"filter": trucks}) == {"doc_count": 2}
    named = {"filters": {"filters": {"t": trucks, "c": crates}, "other_bucket_key": "rest"}}
    told = (await computed(fleet, named))["buckets"]
    assert told == {"t": {"doc_count": 2}, "c": {"doc_count": 2}, "rest": {"doc_count": 1}}
    listed = {"filters": {"filters": [trucks, {"match_all": {}}]}}
    assert (await computed(fleet, listed))["buckets"] == [{"doc_count": 2}, {"doc_count": 5}]


async def test_aggregations_within_buckets(fleet: Storage) -> None:
    kind = {
        "terms": {"field": "model", "order": {"most": "desc"}},
        "aggs": {
            "most": {"max": {"field": "size"}},
            "first": {"top_hits": {"size": 1, "sort": ["_id"], "_source": "model"}},
        },
    }
    told = (await computed(fleet, kind, query={"exists": {"field": "size"}}))["buckets"]
    assert [(bucket["key"], bucket["most"]["value"]) for bucket in told] == [
        ("Truck", 9.0),
        ("Crate", 3.0),
    ]
    hits = told[0]["first"]["hits"]
    assert hits["total"] == {"value": 2, "relation": "eq"}
    (hit,) = hits["hits"]
    assert hit == {
        "_index": "&tenant-a.assets",
        "_id": "a",
        "_score": None,
        "_source": {"model": "Truck"},
    }


async def test_they_see_all_that_the_query_matches_whatever_is_shown(fleet: Storage) -> None:
    told = await computed(
        fleet,
        {"terms": {"field": "model"}},
        query={"exists": {"field": "size"}},
        post_filter={"term": {"model": "Crate"}},
        sort=["_id"],
        search_after=["z"],
    )
    assert counts(told) == {"Truck": 2, "Crate": 1}


async def test_an_update_moves_a_document_between_buckets(fleet: Storage) -> None:
    await fleet.write(a_write("update", "a", {"model": "Van"}, refresh=True))
    await fleet.refresh(*TARGET)
    told = counts(await computed(fleet, {"terms": {"field": "model"}}))
    assert told == {"Crate": 2, "Box": 1, "Truck": 1, "Van": 1}


async def test_many_collections_count_together(fleet: Storage) -> None:
    mapping: Any = {"properties": {"model": {"type": "keyword"}, "size": {"type": "long"}}}
    await fleet.create_collection(*OTHER, mapping)
    for at in range(3):
        await put(fleet, f"z{at}", {"model": "Box", "size": 100}, index=OTHER[0])
    await fleet.refresh(*OTHER)
    kind = {"terms": {"field": "model", "size": 1}, "aggs": {"s": {"sum": {"field": "size"}}}}
    told = await computed(fleet, kind, TARGET, OTHER)
    assert told["buckets"] == [{"key": "Box", "doc_count": 4, "s": {"value": 300.0}}]
    assert told["sum_other_doc_count"] == 4


@pytest.mark.parametrize(
    "kind",
    [
        {"terms": {"field": "note"}},
        {"terms": {"field": "place"}},
        {"sum": {"field": "model"}},
        {"histogram": {"field": "seen", "interval": 1}},
        {"date_histogram": {"field": "size", "calendar_interval": "day"}},
        {"filter": {"term": {"size": "many"}}},
        {"top_hits": {"sort": "note"}},
    ],
)
async def test_what_a_field_cannot_tell_is_refused(storage: Storage, kind: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await computed(storage, kind)


async def test_too_many_buckets_are_refused_at_once(fleet: Storage) -> None:
    await put(fleet, "old", {"seen": "1970-01-01", "size": 2**31 - 1}, refresh=True)
    for kind in (
        {"date_histogram": {"field": "seen", "fixed_interval": "1s"}},
        {"date_histogram": {"field": "seen", "calendar_interval": "second"}},
        {"histogram": {"field": "size", "interval": 0.5}},
    ):
        with refused("services.storage.unexpected_bad_request"):
            await computed(fleet, kind)
