"""Documents read by their mapping: what is checked and which index rows come out."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from router.envelope import JsonObject
from router.errors import RouterError
from storage.mapping import Mapping, changed_rows
from storage.merge import merge
from tests.support.stores import refused


def of(definition: Any) -> Mapping:
    return Mapping.parse("i", "c", {"properties": {"f": definition}})


def values(definition: Any, value: Any) -> list[Any]:
    rows, _ = of(definition).read({"f": value})
    return [row[2] for row in rows]


class TestRows:
    def test_a_row_names_its_field_and_kind(self) -> None:
        mapping = of({"type": "keyword", "fields": {"text": {"type": "text"}}})
        assert mapping.rows({"f": "x", "other": 1}) == [
            ("f", "keyword", "x"),
            ("f.text", "text", "x"),
        ]

    @pytest.mark.parametrize(
        ("definition", "value", "rows"),
        [
            ({"type": "keyword"}, ["a", ["b", None], "a"], ["a", "b"]),
            ({"type": "keyword"}, [12, 1.5, True, False], ["12", "1.5", "true", "false"]),
            ({"type": "keyword", "ignore_above": 2}, ["ab", "abc"], ["ab"]),
            ({"type": "keyword", "normalizer": "lowercase"}, "ÀB", ["àb"]),
            ({"type": "keyword", "null_value": "none"}, None, ["none"]),
            ({"type": "keyword", "null_value": "none"}, [None, "a"], ["none", "a"]),
            ({"type": "keyword", "index": False}, "a", []),
            ({"type": "text"}, ["a b", 1], ["a b", "1"]),
            ({"type": "long"}, ["", "-7", 2**63 - 1, 1.9, -1.9], [-7, 2**63 - 1, 1, -1]),
            ({"type": "byte"}, [127, "-128"], [127, -128]),
            ({"type": "unsigned_long"}, 2**64 - 1, [float(2**64 - 1)]),
            ({"type": "long", "ignore_malformed": True}, ["x", 1, {}], [1]),
            ({"type": "double"}, [1, "2.5", "", 1e308], [1.0, 2.5, 1e308]),
            ({"type": "scaled_float", "scaling_factor": 10}, 1.26, [1.3]),
            ({"type": "long", "coerce": False}, [1, 2.0], [1, 2]),
            ({"type": "boolean"}, [True, "false", ""], [True, False]),
            ({"type": "date"}, [1, "1970-01-01T00:00:00.002Z"], [1, 2]),
            ({"type": "date", "format": "yyyy"}, "1971", [31_536_000_000]),
            ({"type": "ip"}, "::ffff:10.0.0.1", ["0" * 20 + "ffff0a000001"]),
            ({"type": "ip"}, "10.0.0.1", ["0" * 20 + "ffff0a000001"]),
            ({"type": "geo_point"}, [2, 1], [(1.0, 2.0)]),
            ({"type": "geo_point"}, [[2, 1], "3,4"], [(1.0, 2.0), (3.0, 4.0)]),
            ({"type": "binary"}, "aGk=", []),
            ({"type": "object", "enabled": False}, {"any": "thing"}, []),
            (
                {"type": "nested", "properties": {"k": {"type": "keyword"}}},
                [{"k": "x"}],
                ['{"k":"x"}'],
            ),
        ],
    )
    def test_values_are_of_their_kind(self, definition: Any, value: Any, rows: Any) -> None:
        found = values(definition, value)
        assert found == rows
        assert [type(each) for each in found] == [type(each) for each in rows]

    def test_objects_in_arrays_give_all_their_values(self) -> None:
        mapping = of({"properties": {"k": {"type": "keyword"}, "n": {"type": "long"}}})
        source: Any = {"f": [{"k": "a"}, [{"k": ["b", "a"]}, None], {"n": 1}]}
        assert mapping.rows(source) == [
            ("f.k", "keyword", "a"),
            ("f.k", "keyword", "b"),
            ("f.n", "number", 1),
        ]

    def test_dotted_keys_are_paths(self) -> None:
        mapping = of({"properties": {"g": {"properties": {"k": {"type": "keyword"}}}}})
        assert mapping.rows({"f.g": {"k": "a"}}) == [("f.g.k", "keyword", "a")]
        assert mapping.rows({"f": {"g.k": "b"}}) == [("f.g.k", "keyword", "b")]

    @pytest.mark.parametrize("key", [".", "..", "a.", ".f", "f..g", "x.y", "." * 100_000])
    def test_odd_keys_are_just_not_mapped(self, key: str) -> None:
        assert of({"properties": {}}).read({key: 1}).rows == []

    def test_stored_documents_that_no_longer_fit_have_no_rows_for_it(self) -> None:
        mapping = of({"type": "long"})
        assert mapping.rows({"f": ["x", 1]}) == [("f", "number", 1)]
        assert of({"properties": {}}).rows({"f": 1}) == []
        strict = mapping.extended({"dynamic": "strict"})
        assert strict.rows({"f": 1, "other": 2}) == [("f", "number", 1)]
        loose = mapping.extended({"dynamic": "true"})
        assert loose.rows({"f": 1, "other": 2, "": 1, ".": 1}) == [("f", "number", 1)]

    def test_only_changed_rows_are_touched(self) -> None:
        mapping = of({"type": "keyword"})
        before, after = mapping.rows({"f": ["a", "b"]}), mapping.rows({"f": ["b", "c"]})
        assert changed_rows(before, after) == ([("f", "keyword", "a")], [("f", "keyword", "c")])
        assert changed_rows(before, before[::-1]) == ([], [])


class TestRefusals:
    @pytest.mark.parametrize(
        ("definition", "value"),
        [
            ({"type": "keyword"}, {}),
            ({"type": "text"}, {}),
            ({"type": "keyword"}, "é" * 16_384),
            *(({"type": "long"}, value) for value in ("x", "1e999", True, {}, 2**63, "1_0", " 1")),
            ({"type": "byte"}, 128),
            ({"type": "unsigned_long"}, -1),
            ({"type": "half_float"}, 70_000),
            ({"type": "float"}, 1e39),
            *(({"type": "double"}, value) for value in ("nan", True, {}, 10**400, "1e999")),
            *(({"type": "long", "coerce": False}, value) for value in ("1", 1.5, "")),
            *(({"type": "double", "coerce": False}, value) for value in ("1", "")),
            *(({"type": "boolean"}, value) for value in (1, 0, "True", {})),
            *(({"type": "ip"}, value) for value in (1, "x", "10.0.0.0/8")),
            *(({"type": "binary"}, value) for value in (1, "x", "é")),
            ({"type": "geo_point"}, [["!", "?"]]),
            ({"properties": {}}, 1),
            ({"properties": {}}, [1]),
        ],
    )
    def test_a_value_against_its_type_names_field_and_value(
        self, definition: Any, value: Any
    ) -> None:
        mapping = of(definition)
        with pytest.raises(RouterError, match='The field "f" is') as caught:
            mapping.check({"f": value})
        assert caught.value.id == "services.storage.unexpected_bad_request"
        assert mapping.rows({"f": value}) == []

    def test_a_long_value_is_told_in_part(self) -> None:
        with pytest.raises(Exception, match="…") as caught:
            of({"type": "long"}).check({"f": "x" * 1_000_000})
        assert len(str(caught.value)) < 300

    def test_strict_names_the_key_index_and_collection(self) -> None:
        mapping = of({"dynamic": "strict", "properties": {}})
        with refused("services.storage.strict_mapping_rejection", "x", "i", "c"):
            mapping.check({"f": {"x": None}})
        with refused("services.storage.strict_mapping_rejection", "y", "i", "c"):
            mapping.check({"f": {"y.z": 1}})
        assert mapping.check({"unknown": 1}) is None


class TestLearning:
    def open(self) -> Mapping:
        return Mapping.parse("i", "c", {"dynamic": True})

    def learnt(self, source: Any) -> Any:
        extended = self.open().check(source)
        assert extended is not None
        return extended.to_json(include_kuzzle_meta=False)["properties"]

    TEXT: ClassVar[Any] = {
        "type": "text",
        "fields": {"keyword": {"type": "keyword", "ignore_above": 256}},
    }

    @pytest.mark.parametrize(
        ("value", "definition"),
        [
            ("x", TEXT),
            ("2026", TEXT),
            ("2026-13-01", TEXT),
            ("2026-01-31T10:00:00Z", {"type": "date"}),
            (1, {"type": "long"}),
            (2**64, {"type": "float"}),
            (1.5, {"type": "float"}),
            (False, {"type": "boolean"}),
            ([None, [], [3]], {"type": "long"}),
            ({}, {"type": "object"}),
            ({"a": {"b": 1}}, {"properties": {"a": {"properties": {"b": {"type": "long"}}}}}),
            (
                [{"a": 1}, {"b": {"c": 1}}, {"b": {"d": 1}}, {"a": 2}],
                {
                    "properties": {
                        "a": {"type": "long"},
                        "b": {"properties": {"c": {"type": "long"}, "d": {"type": "long"}}},
                    }
                },
            ),
        ],
    )
    def test_a_value_tells_its_type(self, value: Any, definition: Any) -> None:
        assert self.learnt({"f": value}) == {"f": definition}

    @pytest.mark.parametrize("value", [None, [], [None, []]])
    def test_nothing_tells_nothing(self, value: Any) -> None:
        assert self.open().check({"f": value}) is None

    def test_the_rows_are_those_of_the_extended_mapping(self) -> None:
        rows, extended = self.open().read({"a.b": "x", "a": {"c": [1, 2]}})
        assert extended is not None
        assert rows == [
            ("a.b", "text", "x"),
            ("a.b.keyword", "keyword", "x"),
            ("a.c", "number", 1),
            ("a.c", "number", 2),
        ]
        assert extended.read({"a.b": "x", "a": {"c": [1, 2]}}) == (rows, None)

    def test_objects_that_are_known_learn_too(self) -> None:
        mapping = Mapping.parse(
            "i",
            "c",
            {
                "properties": {
                    "n": {"type": "nested", "dynamic": "true", "properties": {}},
                    "o": {"properties": {"p": {"dynamic": "true", "properties": {}}}},
                }
            },
        )
        extended = mapping.check({"n": [{"a": 1}, {"b": 2}], "o": {"p": {"q": 1}, "r": 1}})
        assert extended is not None
        told: Any = extended.to_json()["properties"]
        assert told["n"] == {
            "type": "nested",
            "dynamic": "true",
            "properties": {"a": {"type": "long"}, "b": {"type": "long"}},
        }
        assert told["o"]["properties"]["p"]["properties"] == {"q": {"type": "long"}}
        assert set(told["o"]["properties"]) == {"p"}

    @pytest.mark.parametrize(
        "source",
        [
            {"f": [1, "x"]},
            {"f": [{"a": 1}, {"a": "x"}]},
            {"f": [{"a": 1}, 2]},
            {"": 1},
            {".": 1},
            {"a..b": 1},
            {"_id": 1},
            {"f": {"": 1}},
            {"a." * 30 + "a": 1},
        ],
    )
    def test_what_contradicts_itself_or_has_no_name_is_refused(self, source: Any) -> None:
        with refused("services.storage.unexpected_bad_request"):
            self.open().check(source)

    def test_a_mapping_grows_to_its_limit_only(self) -> None:
        with refused("services.storage.unexpected_bad_request"):
            self.open().check({f"f{n}": n for n in range(10_001)})


class TestFields:
    def test_leaves_are_found_by_path(self) -> None:
        mapping = of({"properties": {"k": {"type": "keyword", "fields": {"t": {"type": "text"}}}}})
        assert [mapping.leaf(path) is not None for path in ("f.k", "f.k.t", "f", "k")] == [
            True,
            True,
            False,
            False,
        ]
        assert [leaf.path for leaf in mapping.scope.leaves_under("f")] == ["f.k", "f.k.t"]
        assert mapping.scope.leaves_under("f.k") == []

    @pytest.mark.parametrize(
        "options", [{"enabled": True}, {"type": "nested", "include_in_root": True}]
    )
    def test_what_documents_add_to_an_object_is_read_back(self, options: Any) -> None:
        first = of({"dynamic": "true", "type": "object", **options})
        extended = first.check({"f": {"x": 1}})
        assert extended is not None
        assert Mapping.parse("i", "c", extended.to_json()).to_json() == extended.to_json()

    def test_what_is_told_is_read_back(self) -> None:
        declared: Any = {
            "dynamic": "strict",
            "_meta": {"x": 1},
            "dynamic_templates": [{"t": {"match": "*", "mapping": {"type": "keyword"}}}],
            "properties": {
                "a": {"type": "nested", "dynamic": "true"},
                "b": {"type": "object"},
                "c": {"properties": {"d": {"type": "object", "enabled": False}}},
            },
        }
        mapping = Mapping.parse("i", "c", declared)
        assert mapping.to_json(include_kuzzle_meta=False) == declared
        again = Mapping.parse("i", "c", mapping.to_json())
        assert again.to_json() == mapping.to_json()


EVERY_KIND: JsonObject = {
    "properties": {
        "n": {"type": "integer"},
        "o": {"dynamic": "true", "properties": {"k": {"type": "keyword"}}},
        "list": {"type": "nested", "properties": {"m": {"type": "integer"}}},
        "off": {"enabled": False, "properties": {"x": {"type": "integer"}}},
        "zero": {"type": "integer", "null_value": 0},
        "t": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    }
}


class TestRereading:
    def test_an_update_reads_what_it_touched(self) -> None:
        mapping = Mapping.parse(
            "i", "c", {"properties": {"a": {"type": "keyword"}, "n": {"type": "integer"}}}
        )
        before: JsonObject = {"a": "x", "n": 1, "other": {"deep": 1}}
        gone, new, extended = mapping.reread(before, merge(before, {"n": 2}))
        assert (gone, new) == ([("n", "number", 1)], [("n", "number", 2)])
        assert extended is None

    def test_a_place_is_read_whole_when_half_of_it_changed(self) -> None:
        mapping = Mapping.parse("i", "c", {"properties": {"p": {"type": "geo_point"}}})
        before: JsonObject = {"p": {"lat": 1.0, "lon": 2.0}}
        gone, new, _ = mapping.reread(before, merge(before, {"p": {"lat": 3.0}}))
        assert [row[2] for row in gone] == [(1.0, 2.0)]
        assert [row[2] for row in new] == [(3.0, 2.0)]

    def test_a_field_with_two_ways_to_it_keeps_the_row_of_the_other(self) -> None:
        mapping = Mapping.parse(
            "i", "c", {"properties": {"a": {"properties": {"b": {"type": "integer"}}}}}
        )
        before: JsonObject = {"a": {"b": 1}, "a.b": 1}
        gone, new, _ = mapping.reread(before, merge(before, {"a": {"b": 2}}))
        assert gone == []
        assert [row[2] for row in new] == [2]

    @pytest.mark.parametrize(
        "change",
        [
            {"n": 2},
            {"n": None},
            {"n": [2, 3]},
            {"o": {"k": "z"}},
            {"o": {"k": {"no": "text"}}},
            {"o": None},
            {"o": {"new": "y"}},
            {"list": {"m": 4}},
            {"off": {"x": 1}},
            {"zero": None},
            {"t": "new words"},
            {"unmapped": {"deep": 2}},
            {"o.k": "beside"},
        ],
    )
    def test_changes_lead_to_what_looking_finds(self, change: JsonObject) -> None:
        mapping = Mapping.parse("i", "c", EVERY_KIND)
        before: JsonObject = {
            "n": 1,
            "o": {"k": "x"},
            "list": [{"m": 1}, {"m": 2}],
            "off": {"x": 0},
            "zero": 5,
            "t": "old words",
            "unmapped": {"deep": 1},
        }
        after = merge(before, change)
        try:
            found = mapping.reread(before, after)
        except RouterError as error:
            with pytest.raises(RouterError, match=re.escape(str(error))):
                mapping.reread(before, after, change)
            return
        along = mapping.reread(before, after, change)
        assert (sorted(along.gone), sorted(along.new)) == (sorted(found.gone), sorted(found.new))
        assert (along.extended is None) == (found.extended is None)

    def test_what_does_not_fit_its_field_is_refused_along_the_changes_too(self) -> None:
        mapping = Mapping.parse("i", "c", EVERY_KIND)
        before: JsonObject = {"n": "older than its field"}
        gone, new, _ = mapping.reread(before, {"n": 2}, {"n": 2})
        assert (gone, new) == ([], [("n", "number", 2)])
        with pytest.raises(RouterError) as caught:
            mapping.reread({"n": 2}, {"n": "word"}, {"n": "word"})
        assert caught.value.id == "services.storage.unexpected_bad_request"

    def test_a_replaced_document_loses_what_is_no_longer_there(self) -> None:
        mapping = Mapping.parse("i", "c", {"properties": {"n": {"type": "integer"}}})
        assert mapping.reread({"n": 1}, {"m": 1})[:2] == ([("n", "number", 1)], [])
