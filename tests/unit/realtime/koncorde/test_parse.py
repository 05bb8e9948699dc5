"""What filters are read, what is refused, and that the refusal names the place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from realtime.koncorde.evaluate import matches
from realtime.koncorde.parse import FilterLimits, normal_form, parse
from router.errors import RouterError

LIMITS = FilterLimits(conditions=100, depth=32)


def refusal(content: Any, limits: FilterLimits = LIMITS) -> str:
    with pytest.raises(RouterError) as caught:
        normal_form(content, limits)
    assert caught.value.id == "api.assert.koncorde_dsl_error"
    return str(caught.value.to_json()["message"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"nope": {}}, '"nope": unknown keyword'),
        ([], "must be an object"),
        ("equals", "must be an object"),
        (
            {"equals": {"a": 1}, "exists": "b"},
            "Invalid filter syntax. Filters must have one keyword only",
        ),
        ({"equals": {}}, '"equals": expected object to have exactly 1 property, got 0'),
        (
            {"equals": {"a": [1]}},
            '"equals.a": must either be a string, a number, a boolean, or null',
        ),
        ({"in": {"a": []}}, '"in.a": cannot be empty'),
        ({"in": {"a": ["x", 1]}}, '"in.a": must hold only values of type "string"'),
        ({"ids": {"value": ["a"]}}, '"ids": the property "values" is missing'),
        ({"exists": ""}, '"exists": cannot test empty field name'),
        ({"exists": {"field": 1}}, '"exists.field": must be a string'),
        ({"missing": "a[nope]"}, '"missing": contains an invalid array value'),
        ({"range": {"a": {}}}, '"range.a": must be a non-empty object'),
        (
            {"range": {"a": {"above": 1}}},
            '"range.a": "above" is not an allowed attribute (allowed: gt,gte,lt,lte)',
        ),
        ({"range": {"a": {"gt": "1"}}}, '"range.a.gt": must be a number'),
        ({"range": {"a": {"gt": True}}}, '"range.a.gt": must be a number'),
        ({"range": {"a": {"gt": 1, "gte": 1}}}, '"range.a": only 1 lower boundary allowed'),
        ({"range": {"a": {"lt": 1, "lte": 1}}}, '"range.a": only 1 upper boundary allowed'),
        (
            {"range": {"a": {"gt": 2, "lt": 2}}},
            '"range.a": lower boundary must be strictly inferior to the upper one',
        ),
        ({"regexp": {"a": 1}}, '"regexp.a": must be either a string or a non-empty object'),
        ({"regexp": {"a": {"flags": "i"}}}, '"regexp.a": the property "value" is missing'),
        (
            {"select": {"field": "a", "index": 1.5, "query": {"exists": "value"}}},
            '"select.index": cannot have decimals, must be an integer',
        ),
        (
            {"select": {"field": "a", "index": 0, "query": {"nope": 1}}},
            '"select.query.nope": unknown keyword',
        ),
        ({"match": {}}, '"match": must be a non-empty object'),
        ({"and": {}}, '"and": must be an array'),
        ({"or": []}, '"or": cannot be empty'),
        ({"and": [{}]}, '"and": can only contain non-empty objects'),
        ({"and": [{"or": [{"equals": 3}]}]}, '"and[0].or[0].equals": must be an object'),
        ({"not": []}, '"not": must be an object'),
        ({"not": {"not": {"oh": 1}}}, '"not.not.oh": unknown keyword'),
        (
            {"bool": {"may": []}},
            '"bool": "may" is not an allowed attribute (allowed: must,must_not,should,should_not)',
        ),
        ({"bool": {"must": [3]}}, '"bool.must": can only contain non-empty objects'),
        ({"geoDistance": {"a": "hi!", "distance": "1km"}}, '"geoDistance.a": unrecognized'),
        (
            {"geoDistance": {"a": [1, 2], "distance": "far"}},
            '"geoDistance.distance": unable to parse distance value',
        ),
        ({"geoDistance": {"a": [91, 2], "distance": "1m"}}, '"geoDistance.a": unrecognized'),
        (
            {"geoDistanceRange": {"a": [1, 2], "from": "2km", "to": "1km"}},
            '"geoDistanceRange": inner radius must be smaller than outer radius',
        ),
        ({"geoBoundingBox": {"a": {"top": 1}}}, '"geoBoundingBox.a": unrecognized'),
        (
            {"geoPolygon": {"a": {"points": [[1, 2], [2, 3]]}}},
            '"geoPolygon.a.points": at least 3 points are required',
        ),
        (
            {"geoPolygon": {"a": {"points": [[1, 2], [2, 3], "?"]}}},
            '"geoPolygon.a.points[2]": unrecognized point format',
        ),
    ],
)
def test_a_fault_is_named_with_its_path(content: Any, message: str) -> None:
    assert refusal(content).startswith(message)


@pytest.mark.parametrize("pattern", ["(", "(?=ahead)", r"(a)\1", "(a{1000}){1000}", "a" * 2_000])
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    assert refusal({"regexp": {"name": pattern}}).startswith('"regexp.name": cannot parse regexp')


def test_an_unknown_flag_is_refused() -> None:
    assert "unknown flags x" in refusal({"regexp": {"a": {"value": "b", "flags": "ix"}}})


def test_conditions_are_counted_one_for_each_value() -> None:
    names = [f"n{number}" for number in range(100)]
    assert normal_form({"in": {"name": names}}, LIMITS).products
    assert "Filter too complex" in refusal({"in": {"name": [*names, "one more"]}})
    assert "Filter too complex" in refusal({"or": [{"exists": name} for name in [*names, "z"]]})


def test_two_long_lists_are_one_alternative() -> None:
    lists = [{"in": {field: [f"v{number}" for number in range(50)]}} for field in ("a", "b")]
    assert len(normal_form({"and": lists}, LIMITS).products) == 1


def test_an_exploding_filter_is_refused_at_once() -> None:
    pairs = [{"or": [{"exists": f"a{n}"}, {"exists": f"b{n}"}]} for n in range(50)]
    started = time.process_time()
    assert "Filter too complex" in refusal({"and": pairs})
    assert "Filter too complex" in refusal({"not": {"or": [{"and": pairs}, {"and": pairs}]}})
    assert time.process_time() - started < 20


def test_the_largest_filters_are_read_in_bounded_time() -> None:
    alternatives = [{"or": [{"exists": f"a{n}"}, {"exists": f"b{n}"}]} for n in range(6)]
    common = [{"range": {f"r{n}": {"gt": n}}} for n in range(88)]
    started = time.process_time()
    assert len(normal_form({"and": [*common, *alternatives]}, LIMITS).products) == 64
    assert time.process_time() - started < 20


@pytest.mark.parametrize("keyword", ["not", "and", "select", "match"])
def test_a_filter_a_thousand_levels_deep_is_refused(keyword: str) -> None:
    content: Any = {"exists": "a"}
    for _ in range(1_000):
        content = {
            "not": {"not": content},
            "and": {"and": [content]},
            "select": {"select": {"field": "a", "index": 0, "query": content}},
            "match": {"match": content} if "match" not in content else {"match": {"a": content}},
        }[keyword]
    assert "nested more than 32 deep" in refusal(content)


@pytest.mark.parametrize(
    ("content", "document", "matched"),
    [
        ({}, {}, True),
        (None, {"a": 1}, True),
        ({"nothing": {}}, {"a": 1}, False),
        ({"equals": {"a.b": 1}}, {"a": {"b": 1.0}}, True),
        ({"equals": {"a.b": 1}}, {"a.b": 1}, True),
        ({"equals": {"a": 1}}, {"a": True}, False),
        ({"equals": {"a": 1}}, {"a": "1"}, False),
        ({"equals": {"a": 1}}, {"a": [1]}, False),
        ({"equals": {"a": None}}, {"a": None}, True),
        ({"equals": {"a": None}}, {}, False),
        ({"not": {"equals": {"a": 1}}}, {}, True),
        ({"ids": {"values": ["x", "y"]}}, {"_id": "y"}, True),
        ({"exists": "a"}, {"a": None}, True),
        ({"exists": {"field": "a.b"}}, {"a": {"b": {}}}, True),
        ({"missing": "a"}, {"b": 1}, True),
        ({"exists": 'a["x"]'}, {"a": ["y", "x"]}, True),
        ({"exists": 'a["x"]'}, {"a": "x"}, False),
        ({"missing": "a[1]"}, {"a": [True]}, True),
        ({"exists": r"a\[1\]"}, {"a[1]": 0}, True),
        ({"range": {"a": {"gte": 1, "lt": 2}}}, {"a": 1}, True),
        ({"range": {"a": {"gte": 1, "lt": 2}}}, {"a": 2}, False),
        ({"range": {"a": {"gt": 0}}}, {"a": "1"}, False),
        ({"range": {"a": {"gt": 0}}}, {"a": True}, False),
        ({"regexp": {"a": "^b+$"}}, {"a": "bbb"}, True),
        ({"regexp": {"a": {"value": "B", "flags": "i"}}}, {"a": "abc"}, True),
        ({"match": {"a": {"b": 1}, "c": [2]}}, {"a": {"b": 1, "x": 0}, "c": [1, 2]}, True),
        ({"match": {"c": [{"x": 1}, {"x": 1}]}}, {"c": [{"x": 1}, {"x": 2}]}, False),
        ({"match": {"a": {}}}, {"a": {"b": 1}}, True),
        ({"match": {"a": {}}}, {"a": []}, False),
        (
            {"select": {"field": "a", "index": -1, "query": {"equals": {"value.b": 1}}}},
            {"a": [0, {"b": 1}]},
            True,
        ),
        (
            {"select": {"field": "a", "index": 2, "query": {"exists": "value"}}},
            {"a": [0, 1]},
            False,
        ),
        ({"geoDistance": {"p": [48.85, 2.35], "distance": "1 km"}}, {"p": "48.85, 2.36"}, True),
        ({"geoDistance": {"p": [48.85, 2.35], "distance": "1km"}}, {"p": [2.35, 48.85]}, False),
        (
            {"geoDistance": {"p": {"lat_lon": [48.85, 2.35]}, "distance": "3 258,55 Ft"}},
            {"p": {"latLon": "48.85, 2.36"}},
            True,
        ),
        (
            {"geoDistanceRange": {"p": [0, 0], "from": "1km", "to": "200km"}},
            {"p": {"lat": 0, "lon": 0}},
            False,
        ),
        (
            {"geoBoundingBox": {"p": {"top_left": [10, 170], "bottomRight": [0, -170]}}},
            {"p": [5, 179]},
            True,
        ),
        (
            {"geoBoundingBox": {"p": {"top": "10", "left": 0, "bottom": 0, "right": 10}}},
            {"p": [5, 11]},
            False,
        ),
        ({"geoPolygon": {"p": {"points": [[0, 0], [0, 10], [10, 0]]}}}, {"p": [2, 2]}, True),
        ({"geoPolygon": {"p": {"points": [[0, 0], [0, 10], [10, 0]]}}}, {"p": [8, 8]}, False),
        ({"not": {"geoDistance": {"p": [0, 0], "distance": "1km"}}}, {"p": "nowhere"}, True),
        (
            {
                "bool": {
                    "must": [{"exists": "a"}],
                    "must_not": [{"equals": {"b": 1}}],
                    "should": [{"equals": {"c": 1}}, {"equals": {"c": 2}}],
                    "should_not": [{"exists": "d"}, {"exists": "e"}],
                }
            },
            {"a": 0, "c": 2, "d": 0},
            True,
        ),
    ],
)
def test_a_filter_means_what_koncorde_says(content: Any, document: Any, matched: bool) -> None:
    assert matches(parse(content, LIMITS), document) is matched
