"""Filters of the same meaning share a room; those of another don't."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.koncorde.parse import FilterLimits, normal_form

LIMITS = FilterLimits(conditions=100, depth=32)
A = {"equals": {"a": 1}}
B = {"equals": {"b": 2}}
C = {"exists": "c"}


def room(content: Any, index: str = "golden", collection: str = "c") -> str:
    return normal_form(content, LIMITS).room_id(index, collection)


def test_ids_are_those_of_kuzzle() -> None:
    # Recorded from Kuzzle 2.56.
    assert room({}, "engine-ayse", "assets") == (
        "08f946e4c180080d613ba8cbef2e08ea5dd28868ee813a7feccdf8b1f99adb38"
    )
    assert room({"range": {"n": {"gte": 5}}}) == (
        "5595f950467a30b5a419d8342b32f4034865f72df56bba61607bdb7da1b5bb56"
    )
    assert room({}, "noindex", "c") == (
        "cf6eedaa49700e883553519dc62da5a79900ac8fd2bdda4ea512af19bbc8cd30"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"and": [A, B]}, {"and": [B, A, A]}),
        ({"and": [A, {"and": [B, C]}]}, {"and": [A, B, C]}),
        ({"equals": {"a": 1.0}}, A),
        ({"not": {"not": A}}, A),
        ({"not": {"and": [A, B]}}, {"or": [{"not": B}, {"not": A}]}),
        ({"missing": "c"}, {"not": C}),
        ({"in": {"a": ["x", "y"]}}, {"or": [{"equals": {"a": "y"}}, {"equals": {"a": "x"}}]}),
        ({"ids": {"values": ["x"]}}, {"equals": {"_id": "x"}}),
        ({"or": [A, {"and": [A, B]}]}, A),
        ({"or": [{"and": [A, C]}, {"and": [A, {"not": C}]}]}, A),
        ({"or": [C, {"not": C}]}, {}),
        ({"and": [A, {"not": A}]}, {"nothing": {}}),
        ({"and": [A, {"equals": {"a": 2}}]}, {"nothing": {}}),
        ({"and": [A, {"range": {"a": {"gt": 0}}}]}, A),
        ({"and": [A, {"range": {"a": {"gt": 1}}}]}, {"nothing": {}}),
        ({"and": [A, {"missing": "a"}]}, {"nothing": {}}),
        ({"and": [A, {"exists": "a"}]}, A),
        ({"bool": {"must": [A], "must_not": [C]}}, {"and": [A, {"not": C}]}),
        ({"regexp": {"a": "x"}}, {"regexp": {"a": {"value": "x"}}}),
        (
            {"geoDistance": {"p": [1, 2], "distance": "1km"}},
            {"geoDistance": {"p": {"lat": 1, "lon": 2}, "distance": "1000m"}},
        ),
        ({"match": {"a": 1, "b": [1]}}, {"match": {"b": [1], "a": 1}}),
    ],
)
def test_equal_filters_share_an_id(one: Any, other: Any) -> None:
    assert room(one) == room(other)


@pytest.mark.parametrize(
    "other",
    [B, {"equals": {"a": True}}, {"equals": {"a": "1"}}, {"not": A}, {"or": [A, B]}, C, {}],
)
def test_other_filters_do_not(other: Any) -> None:
    assert room(A) != room(other)


def test_each_collection_has_rooms_of_its_own() -> None:
    assert len({room(A), room(A, "other"), room(A, "golden", "d")}) == 3
