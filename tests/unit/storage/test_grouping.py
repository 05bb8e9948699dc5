"""Aggregations as clients write them: what is read, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from storage.aggregations import Aggregation, Dates, Measure, Steps, Values
from storage.dsl import read_search
from storage.grouping import _FOREIGN, MAX_AGGREGATIONS
from tests.support.stores import refused


def read(kind: Any) -> Any:
    (found,) = read_search({"aggs": {"a": kind}}).aggregations
    return found


def test_they_are_read_with_those_within() -> None:
    found = read({"terms": {"field": "f", "size": 3}, "aggs": {"b": {"max": {"field": "g"}}}})
    assert found == Aggregation("a", Values("f", 3), (Aggregation("b", Measure("max", "g")),))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ({"calendar_interval": "month"}, "M"),
        ({"calendar_interval": "1m"}, "m"),
        ({"interval": "1M"}, "M"),
        ({"interval": "90m"}, 5_400_000),
        ({"fixed_interval": "1d"}, 86_400_000),
    ],
)
def test_intervals(interval: Any, expected: Any) -> None:
    assert read({"date_histogram": {"field": "f", **interval}}).kind == Dates("f", expected)


def test_an_offset_is_within_one_step() -> None:
    assert read({"histogram": {"field": "f", "interval": 2, "offset": 5}}).kind == Steps("f", 2, 1)


@pytest.mark.parametrize("name", sorted(_FOREIGN))
def test_the_peers_other_aggregations_are_named(name: str) -> None:
    with refused("trivium.unsupported.feature", f'The aggregation "{name}"'):
        read({name: {}})


@pytest.mark.parametrize(
    "kind",
    [
        {"terms": {"field": "f", "missing": "x"}},
        {"terms": {"field": "f", "include": "a.*"}},
        {"terms": {"field": "f", "min_doc_count": 0}},
        {"sum": {"field": "f", "missing": 0}},
        {"date_histogram": {"field": "f", "interval": "1d", "offset": "+6h"}},
        {"histogram": {"field": "f", "interval": 1, "extended_bounds": {"min": 0, "max": 9}}},
        {"percentiles": {"field": "f", "hdr": {}}},
        {"top_hits": {"highlight": {}}},
        {"filters": {"filters": [{}], "meta": 1}},
        {"max": {"field": "f"}, "meta": {"x": 1}},
    ],
)
def test_options_that_would_be_ignored_are_named(kind: Any) -> None:
    with refused("trivium.unsupported.feature"):
        read(kind)


@pytest.mark.parametrize(
    "kind",
    [
        5,
        {},
        {"nope": {}},
        {"max": 5},
        {"max": {}},
        {"max": {"field": "f"}, "min": {"field": "f"}},
        {"max": {"field": "f"}, "aggs": {"b": {"max": {"field": "f"}}}},
        {"terms": {"field": "f", "size": 0}},
        {"terms": {"field": "f", "size": 10**9}},
        {"terms": {"field": "f", "order": {"b": "asc"}}},
        {"terms": {"field": "f", "order": {"_key": "up"}}},
        {"date_histogram": {"field": "f"}},
        {"date_histogram": {"field": "f", "calendar_interval": "2d"}},
        {"date_histogram": {"field": "f", "fixed_interval": "0s"}},
        {"date_histogram": {"field": "f", "fixed_interval": "1M"}},
        {"date_histogram": {"field": "f", "interval": "1d", "time_zone": "Nowhere"}},
        {"histogram": {"field": "f", "interval": 0}},
        {"range": {"field": "f", "ranges": []}},
        {"range": {"field": "f", "ranges": [{"from": "x"}]}},
        {"percentiles": {"field": "f", "percents": [101]}},
        {"top_hits": {"size": 101}},
        {"filters": {"filters": {}}},
        {"filter": {"term": {}}},
    ],
)
def test_what_is_malformed_is_refused(kind: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        read(kind)


def test_many_and_deep_ones_are_refused() -> None:
    one: Any = {"max": {"field": "f"}}
    with refused("services.storage.unexpected_bad_request"):
        read_search({"aggs": {str(at): one for at in range(MAX_AGGREGATIONS + 1)}})
    deep = one
    for _ in range(12):
        deep = {"filter": {}, "aggs": {"b": deep}}
    with refused("services.storage.unexpected_bad_request"):
        read(deep)
    with refused("services.storage.unexpected_bad_request"):
        read_search({"aggs": {"bad[name]": one}})
