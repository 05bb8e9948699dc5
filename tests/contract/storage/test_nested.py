"""Every engine: nested objects, each of which matches by itself."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Storage
from storage.dsl import read_search
from storage.query import Search
from tests.support.stores import INDEX, a_write, found, put, refused

TARGET = (INDEX, "nested")
MAPPING: dict[str, Any] = {
    "properties": {
        "key": {"type": "keyword"},
        "parts": {
            "type": "nested",
            "properties": {
                "k": {"type": "keyword"},
                "n": {"type": "long"},
                "t": {"type": "text"},
                "spot": {"type": "geo_point"},
                "deep": {"type": "nested", "properties": {"x": {"type": "long"}}},
            },
        },
        "seen": {
            "type": "nested",
            "include_in_root": True,
            "properties": {"v": {"type": "keyword"}},
        },
    }
}
DOCUMENTS: dict[str, Any] = {
    "a": {
        "key": "x",
        "parts": [{"k": "a", "n": 1, "deep": [{"x": 1}, {"x": 2}]}, {"k": "b", "n": 2}],
        "seen": {"v": "s"},
    },
    "b": {"parts": {"k": ["a", "b"], "n": 2, "t": "Hello world", "spot": [2.35, 48.85]}},
    "c": {"key": "x", "parts": []},
    "d": {"parts": None},
    "e": {"parts": [{}]},
    "f": {"parts": [None, {"deep": {"x": 5}}]},
    "g": {"parts": {"k": None}},
}


def nested(query: Any, path: str = "parts", **more: Any) -> Any:
    return {"nested": {"path": path, "query": query, **more}}


def both(*queries: Any) -> Any:
    return {"bool": {"must": list(queries)}}


def term(field: str, value: Any) -> Any:
    return {"term": {field: value}}


FINDS: list[tuple[Any, str]] = [
    (nested({"match_all": {}}), "abefg"),
    (nested({"match_none": {}}), ""),
    (nested(term("parts.k", "a")), "ab"),
    (nested(both(term("parts.k", "a"), term("parts.n", 2))), "b"),
    (both(nested(term("parts.k", "a")), nested(term("parts.n", 2))), "ab"),
    (nested({"bool": {"must_not": term("parts.k", "a")}}), "aefg"),
    ({"bool": {"must_not": nested(term("parts.k", "a"))}}, "cdefg"),
    ({"bool": {"must_not": nested({"match_all": {}})}}, "cd"),
    (nested({"exists": {"field": "parts.k"}}), "ab"),
    (nested({"exists": {"field": "parts"}}), "ab"),
    (nested({"match": {"parts.t": "hello"}}), "b"),
    (nested({"match_phrase_prefix": {"parts.t": "hello wo"}}), "b"),
    (nested({"multi_match": {"query": "hello"}}), "b"),
    (nested({"range": {"parts.n": {"gt": 1}}}), "ab"),
    (nested({"geo_distance": {"distance": "1km", "parts.spot": "48.85,2.35"}}), "b"),
    (nested({"match_all": {}}, score_mode="max"), "abefg"),
    # nested within nested, and asked for from outside
    (nested(term("parts.deep.x", 2), "parts.deep"), "a"),
    (nested(nested(term("parts.deep.x", 2), "parts.deep")), "a"),
    (nested(both(term("parts.k", "a"), nested(term("parts.deep.x", 2), "parts.deep"))), "a"),
    (nested(both(term("parts.k", "b"), nested(term("parts.deep.x", 2), "parts.deep"))), ""),
    (nested({"bool": {"must_not": nested({"match_all": {}}, "parts.deep")}}), "abeg"),
    (nested(term("parts.deep.x", 2)), ""),
    # neither sees the other's fields, unless they are included
    (term("parts.k", "a"), ""),
    ({"exists": {"field": "parts"}}, ""),
    (nested(term("key", "x")), ""),
    (nested({"exists": {"field": "key"}}), ""),
    (term("seen.v", "s"), "a"),
    (nested(term("seen.v", "s"), "seen"), "a"),
    # where there are none
    (nested({"match_all": {}}, "nowhere", ignore_unmapped=True), ""),
    (nested({"match_all": {}}, "key", ignore_unmapped=True), ""),
]


@pytest.fixture
async def fleet(empty: Storage) -> Storage:
    """Each document written twice, so that indexes have moved."""
    await empty.create_collection(*TARGET, MAPPING)
    for name, content in DOCUMENTS.items():
        old = {"parts": [{"k": "a", "n": 9}, {"k": "old"}], "key": "old"}
        await put(empty, name, old, collection="nested")
        await put(empty, name, content, collection="nested", refresh=True)
    return empty


async def test_a_nested_query_finds(fleet: Storage) -> None:
    for query, expected in FINDS:
        told = await found(fleet, {"query": query, "sort": ["_id"]}, TARGET)
        assert "".join(told) == expected, query


async def test_an_update_moves_the_objects(fleet: Storage) -> None:
    changes: list[tuple[Any, str, str]] = [
        ({"parts": {"n": 7}}, "b", "b"),  # one object: merged
        ({"parts": [{"k": "z", "n": 7}]}, "a", "ab"),  # an array: replaced
        ({"parts": {"n": 8}}, "b", "a"),
    ]
    for change, name, expected in changes:
        await fleet.write(a_write("update", name, change, collection="nested"))
        told = await found(fleet, {"query": nested(term("parts.n", 7)), "sort": ["_id"]}, TARGET)
        assert "".join(told) == expected
    query = nested(both(term("parts.k", "a"), term("parts.n", 8)))
    assert await found(fleet, {"query": query}, TARGET) == ["b"]
    await fleet.write(a_write("delete", "b", collection="nested"))
    assert await found(fleet, {"query": query}, TARGET) == []


async def test_a_filter_of_an_aggregation_counts_by_objects(fleet: Storage) -> None:
    query = nested(both(term("parts.k", "a"), term("parts.n", 2)))
    body = {"size": 0, "aggs": {"both": {"filter": query}}}
    page = await fleet.search([TARGET], read_search(body))
    assert page.aggregations == {"both": {"doc_count": 1}}


@pytest.mark.parametrize(
    "query",
    [nested({"match_all": {}}, "nowhere"), nested({"match_all": {}}, "key"), nested({}, "")],
)
async def test_where_no_objects_are_it_is_refused(fleet: Storage, query: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await found(fleet, {"query": query}, TARGET)


async def test_what_is_missing_is_named(fleet: Storage) -> None:
    with refused("trivium.unsupported.feature", "_id within a nested query"):
        await found(fleet, {"query": nested({"ids": {"values": ["a"]}})}, TARGET)
    with refused("trivium.unsupported.feature", 'Sorting by "parts.n" within nested objects'):
        await found(fleet, {"sort": ["parts.n"]}, TARGET)
    assert await fleet.count([TARGET], Search()) == len(DOCUMENTS)


# Aggregations on the path of nested objects, and what they tell: as where nothing is mapped.
UNSEEN: Any = [
    ({"terms": {"field": "parts"}}, []),
    ({"terms": {"field": "parts"}, "aggs": {"m": {"max": {"field": "parts.n"}}}}, []),
    ({"histogram": {"field": "parts", "interval": 1}}, []),
    ({"date_histogram": {"field": "parts", "calendar_interval": "day"}}, []),
    ({"range": {"field": "parts", "ranges": [{"key": "all", "from": 0}]}}, [("all", 0)]),
    ({"value_count": {"field": "parts"}}, 0),
    ({"cardinality": {"field": "parts"}}, 0),
    ({"sum": {"field": "parts"}}, 0),
    ({"max": {"field": "parts"}}, None),
]


async def test_aggregations_see_no_values_at_their_path(fleet: Storage) -> None:
    for kind, told in UNSEEN:
        # The filter looks at the objects; what is beside it and within it doesn't.
        inner = {"filter": nested({"match_all": {}}), "aggs": {"a": kind}}
        search = read_search({"size": 0, "aggs": {"a": kind, "inner": inner}})
        found: Any = (await fleet.search([TARGET], search)).aggregations
        for each in (found["a"], found["inner"]["a"]):
            if "buckets" in each:
                assert [(one["key"], one["doc_count"]) for one in each["buckets"]] == told
            else:
                assert each["value"] == told, kind
