"""Queries bound to a mapping: what an engine gets to compare."""

from __future__ import annotations

from typing import Any

import pytest

from storage.binding import bind, check_sort
from storage.evaluate import field_values, matches
from storage.mapping import Mapping
from storage.query import Bool, Exists, GeoDistance, Ids, MatchAll, MatchNone, Range, Sort, Terms
from tests.support.stores import refused

MAPPING = Mapping.parse(
    "i",
    "c",
    {
        "properties": {
            "key": {"type": "keyword", "ignore_above": 4},
            "low": {"type": "keyword", "normalizer": "lowercase"},
            "num": {"type": "integer"},
            "big": {"type": "unsigned_long"},
            "day": {"type": "date"},
            "ip": {"type": "ip"},
            "flag": {"type": "boolean"},
            "off": {"type": "keyword", "index": False},
            "spot": {"type": "geo_point"},
            "obj": {"properties": {"a": {"type": "long"}, "b": {"type": "binary"}}},
            "nest": {"type": "nested", "properties": {"g": {"type": "geo_point"}}},
        }
    },
)
DAY = 1_769_817_600_000


@pytest.mark.parametrize(
    ("query", "bound"),
    [
        (Terms("_id", ("a", 1)), Ids(("a", "1"))),
        (Terms("num", ("1", 2.0, 2.5, None)), Terms("num", (1, 2.0, 2.5))),
        (Terms("num", (None,)), MatchNone()),
        (Terms("key", (1, True, "long!")), Terms("key", ("1", "true"))),
        (Terms("key", ("long!",)), MatchNone()),
        (Terms("low", ("ABC",)), Terms("low", ("abc",))),
        (Terms("big", (2**64 - 1,)), Terms("big", (float(2**64 - 1),))),
        (Terms("num", (-(2**70),)), Terms("num", (float(-(2**70)),))),
        (Terms("flag", ("true",)), Terms("flag", (True,))),
        (Terms("day", (5, "1970-01-01T00:00:00.007Z")), Terms("day", (5, 7))),
        (Terms("day", ("2026-01-31",)), Range("day", gte=DAY, lte=DAY + 86_399_999)),
        (
            Terms("day", (5, "2026-01-31")),
            Bool(
                should=(Terms("day", (5,)), Range("day", gte=DAY, lte=DAY + 86_399_999)), minimum=1
            ),
        ),
        (Terms("day", ()), MatchNone()),
        (Range("day", gt="2026-01-31"), Range("day", gt=DAY + 86_399_999)),
        (Range("day", lt="2026-01-31"), Range("day", lt=DAY)),
        (Range("num"), Exists("num")),
        (Range("nowhere", gt=1), MatchNone()),
        (Terms("nest.g", ("x",)), MatchNone()),
        (Exists("_id"), MatchAll()),
        (Exists("obj"), Exists("obj.a")),
        (Exists("obj.b"), MatchNone()),
        (Exists("off"), MatchNone()),
        (Exists("nest"), MatchNone()),
        (Exists("nowhere"), MatchNone()),
        (
            Bool(must=(Exists("x"),), must_not=(Exists("x"),), should=(Exists("x"),), minimum=1),
            Bool(must=(MatchNone(),), must_not=(MatchNone(),), should=(MatchNone(),), minimum=1),
        ),
        (Bool(must=(Exists("num"),), should=(MatchAll(),), minimum=2), MatchNone()),
        (MatchAll(), MatchAll()),
        (Ids(("a",)), Ids(("a",))),
    ],
)
def test_values_become_those_of_rows(query: Any, bound: Any) -> None:
    assert bind(query, MAPPING) == bound


def test_a_network_is_the_range_of_its_addresses() -> None:
    query = bind(Terms("ip", ("10.0.0.0/8", "::1")), MAPPING)

    def is_in(address: str) -> bool:
        return matches(query, "x", field_values(MAPPING.rows({"ip": address})))

    found = [each for each in ("10.0.0.0", "10.255.255.255", "11.0.0.0", "::1") if is_in(each)]
    assert found == ["10.0.0.0", "10.255.255.255", "::1"]


@pytest.mark.parametrize(
    "query",
    [
        Terms("num", ("x",)),
        Terms("num", ("1e999",)),
        Terms("num", (False,)),
        Terms("flag", ("",)),
        Terms("ip", ("10.0.0.0/x",)),
        Terms("ip", (1,)),
        Terms("off", ("x",)),
        Terms("spot", ("1,2",)),
        Range("_id", gt="a"),
    ],
)
def test_what_the_field_cannot_answer_is_refused(query: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        bind(query, MAPPING)


def test_a_place_within_a_nested_object_matches_nothing() -> None:
    assert bind(GeoDistance("nest.g", 0, 0, 1), MAPPING) == MatchNone()


def test_sort_keys_are_checked() -> None:
    check_sort((Sort("num"), Sort("_id"), Sort("nowhere", unmapped=True)), MAPPING)
    for field in ("nowhere", "spot", "off", "obj"):
        with refused("services.storage.unexpected_bad_request"):
            check_sort((Sort(field),), MAPPING)


def test_a_query_that_was_never_bound_is_no_query() -> None:
    with pytest.raises(TypeError, match="bound"):
        matches(Range("num", gt="1"), "x", {"num": [1]})
