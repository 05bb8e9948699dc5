"""Specifications: what each type takes, what is refused about a specification itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from controllers.validation import check, specification
from router.envelope import Json

RING = [[0, 0], [0, 1], [1, 1], [0, 0]]


def faults_of(fields: Any, document: Any, **more: Any) -> list[check.Fault]:
    found, wrong = specification.read({"fields": fields, **more})
    assert wrong == []
    return list(check.faults(found, document, None))


def takes(field: Any, value: Json) -> bool:
    return faults_of({"f": field}, {"f": value}) == []


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ({"type": "anything"}, [1, "x", [1], {"a": 1}], []),
        ({"type": "boolean"}, [True, False], ["true", 1, 0]),
        ({"type": "integer"}, [0, -5, 3.0], [1.5, "1", True, 2**60]),
        ({"type": "integer", "typeOptions": {"range": {"min": 1, "max": 3}}}, [1, 3], [0, 4]),
        ({"type": "numeric"}, [0, 1.5, -2], ["1", False]),
        ({"type": "numeric", "typeOptions": {"range": {"min": 0.5}}}, [0.5, 10**12], [0.4]),
        ({"type": "string"}, ["", "x"], [1, {}, True]),
        ({"type": "string", "typeOptions": {"length": {"min": 1, "max": 2}}}, ["a"], ["", "abc"]),
        ({"type": "enum", "typeOptions": {"values": ["a", "b"]}}, ["a"], ["c", 1]),
        ({"type": "email"}, ["a@b.io", ""], ["a@b", "a b@c.io", 5]),
        ({"type": "email", "typeOptions": {"notEmpty": True}}, ["a@b.io"], [""]),
        ({"type": "ip_address"}, ["10.0.0.1", "::1", ""], ["10.0.0", "x", 7]),
        (
            {"type": "url"},
            ["https://a.io/b?c=d", ""],
            ["a.io", "javascript:x", "http://", "http://[", 1],
        ),
        ({"type": "date"}, [0, 1_700_000_000_000, "1700000000000"], ["soon", True, {}]),
        (
            {"type": "date", "typeOptions": {"formats": ["YYYY-MM-DD"]}},
            ["2026-01-31"],
            ["31/01/2026"],
        ),
        (
            {
                "type": "date",
                "typeOptions": {"range": {"min": "2026-01-01", "max": 1_800_000_000_000}},
            },
            [1_767_225_600_000],
            [0, 1_900_000_000_000],
        ),
        ({"type": "geo_point"}, [{"lat": 1, "lon": 2}, "1,2", [2, 1]], [{"lat": 100, "lon": 2}, 5]),
        (
            {"type": "geo_shape"},
            [
                {"type": "point", "coordinates": [1, 2]},
                {"type": "polygon", "coordinates": [RING]},
                {"type": "multipolygon", "coordinates": [[RING]]},
                {"type": "circle", "coordinates": [1, 2], "radius": "5km"},
                {
                    "type": "geometrycollection",
                    "geometries": [{"type": "point", "coordinates": [1, 2]}],
                },
            ],
            [
                {"type": "point", "coordinates": [[1, 2]]},
                {"type": "polygon", "coordinates": RING},
                {"type": "linestring", "coordinates": [[1, 2]]},
                {"type": "circle", "coordinates": [1, 2]},
                {"type": "blob", "coordinates": [1, 2]},
                "x",
            ],
        ),
        (
            {"type": "geo_shape", "typeOptions": {"shapeTypes": ["point"]}},
            [{"type": "point", "coordinates": [1, 2]}],
            [{"type": "polygon", "coordinates": [RING]}],
        ),
        ({"type": "object"}, [{}, {"a": 1}], ["x", 1]),
    ],
)
def test_each_type(field: Any, good: list[Json], bad: list[Json]) -> None:
    assert [value for value in good if not takes(field, value)] == []
    assert [value for value in bad if takes(field, value)] == []


def test_now_is_the_time_of_the_check() -> None:
    field = {"type": "date", "typeOptions": {"range": {"min": "NOW"}}}
    assert takes(field, int(time.time() * 1000) + 60_000)
    assert not takes(field, int(time.time() * 1000) - 60_000)


class TestFields:
    def test_null_is_as_if_it_were_missing(self) -> None:
        for document in ({}, {"f": None}):
            assert faults_of({"f": {"type": "string"}}, document) == []
            (fault,) = faults_of({"f": {"type": "string", "mandatory": True}}, document)
            assert fault.path == ("f",)

    def test_several_values(self) -> None:
        many = {"value": True, "minCount": 1, "maxCount": 2}
        field = {"type": "integer", "multivalued": many}
        assert takes(field, [1, 2])
        for bad in ([], [1, 2, 3], 1, ["x"]):
            assert not takes(field, bad)
        assert not takes({"type": "integer"}, [1])

    @pytest.mark.parametrize(
        "fields",
        [
            {
                "o": {
                    "type": "object",
                    "children": {
                        "p": {
                            "type": "object",
                            "children": {"n": {"type": "integer", "mandatory": True}},
                        }
                    },
                }
            },
            {
                "o": {"type": "object"},
                "o/p": {"type": "object"},
                "o/p/n": {"type": "integer", "mandatory": True},
            },
        ],
    )
    def test_fields_within_fields(self, fields: Any) -> None:
        assert faults_of(fields, {"o": {"p": {"n": 1}}}) == []
        assert faults_of(fields, {"o": {}}) == []
        (fault,) = faults_of(fields, {"o": {"p": {}}})
        assert fault.path == ("o", "p", "n")
        assert fault.as_error().props[0] == "o.p.n"

    def test_strictness(self) -> None:
        strict = {
            "type": "object",
            "typeOptions": {"strict": True},
            "children": {"a": {"type": "string"}},
        }
        assert [f.path for f in faults_of({"o": strict}, {"o": {"b": 1}, "x": 1})] == [("o",)]
        found = faults_of({"o": {"type": "object"}}, {"x": 1, "_kuzzle_info": {}}, strict=True)
        assert [fault.path for fault in found] == [()]

    def test_defaults_go_where_nothing_is(self) -> None:
        fields: Any = {
            "zero": {"type": "integer", "defaultValue": 0},
            "list": {"type": "anything", "defaultValue": [{"a": 1}]},
            "o": {"type": "object", "children": {"no": {"type": "boolean", "defaultValue": False}}},
            "os": {
                "type": "object",
                "multivalued": {"value": True},
                "children": {"n": {"type": "integer", "defaultValue": 1}},
            },
        }
        found, _ = specification.read({"fields": fields})
        sent: Any = {"o": {}, "os": [{}, {"n": 2}]}
        document: Any = check.filled(found, sent)
        assert document == {
            "zero": 0,
            "list": [{"a": 1}],
            "o": {"no": False},
            "os": [{"n": 1}, {"n": 2}],
        }
        assert sent == {"o": {}, "os": [{}, {"n": 2}]}
        document["list"][0]["a"] = 2
        assert check.filled(found, {})["list"] == [{"a": 1}]

    def test_filters_see_the_whole_document_and_its_id(self) -> None:
        found, _ = specification.read(
            {"validators": [{"range": {"n": {"gt": 1}}}, {"ids": {"values": ["a"]}}]}
        )
        assert not list(check.faults(found, {"n": 2}, "a"))
        assert list(check.faults(found, {"n": 1}, "a"))
        assert list(check.faults(found, {"n": 2}, "b"))


@pytest.mark.parametrize(
    ("content", "id"),
    [
        ({"field": {}}, "unexpected_properties"),
        ({"strict": "maybe"}, "invalid_type"),
        ({"fields": []}, "invalid_type"),
        ({"fields": {"a": 5}}, "invalid_type"),
        ({"fields": {"a": {}}}, "missing_type"),
        ({"fields": {"a": {"type": "colour"}}}, "unknown_type"),
        ({"fields": {"a": {"type": ["string"]}}}, "unknown_type"),
        ({"fields": {"a": {"type": "string", "mandatroy": True}}}, "unexpected_properties"),
        (
            {"fields": {"a": {"type": "string", "typeOptions": {"range": {}}}}},
            "unexpected_properties",
        ),
        (
            {"fields": {"a": {"type": "integer", "typeOptions": {"range": {"min": 3, "max": 1}}}}},
            "invalid_range",
        ),
        (
            {"fields": {"a": {"type": "integer", "typeOptions": {"range": {"min": "1"}}}}},
            "invalid_type",
        ),
        ({"fields": {"a": {"type": "date", "typeOptions": {"formats": []}}}}, "invalid_type"),
        ({"fields": {"a": {"type": "date", "typeOptions": {"formats": ["QQ"]}}}}, "invalid_type"),
        (
            {"fields": {"a": {"type": "date", "typeOptions": {"range": {"min": "soon"}}}}},
            "invalid_type",
        ),
        ({"fields": {"a": {"type": "enum"}}}, "invalid_type"),
        (
            {"fields": {"a": {"type": "geo_shape", "typeOptions": {"shapeTypes": ["blob"]}}}},
            "invalid_type",
        ),
        ({"fields": {"a": {"type": "string", "multivalued": {"minCount": 1}}}}, "missing_value"),
        (
            {"fields": {"a": {"type": "string", "multivalued": {"value": False, "minCount": 1}}}},
            "not_multivalued",
        ),
        (
            {
                "fields": {
                    "a": {
                        "type": "string",
                        "multivalued": {"value": True, "minCount": 2, "maxCount": 1},
                    }
                }
            },
            "invalid_range",
        ),
        (
            {"fields": {"a": {"type": "string", "children": {"b": {"type": "string"}}}}},
            "unexpected_children",
        ),
        ({"fields": {"a/b": {"type": "string"}}}, "missing_parent"),
        ({"validators": {}}, "invalid_type"),
        ({"validators": [{"nope": {}}]}, "invalid_filters"),
    ],
)
def test_what_makes_no_specification(content: Any, id: str) -> None:
    _, faults = specification.read(content)
    assert [fault.id for fault in faults] == [f"validation.assert.{id}"]


def test_one_too_deep_is_refused() -> None:
    nested: Any = {"type": "object"}
    for _ in range(60):
        nested = {"type": "object", "children": {"a": nested}}
    _, faults = specification.read({"fields": {"a": nested}})
    assert [fault.id for fault in faults] == ["validation.assert.missing_nested_spec"]
