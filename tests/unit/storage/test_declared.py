"""Mappings as clients declare them: what is taken, what is refused and how."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from storage import declared as limits
from storage.declared import count_fields, declare, unite
from storage.fields import FIELD_TYPES, FOREIGN_TYPES
from storage.mapping import Mapping
from tests.support.stores import refused


def fields(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


class TestDeclare:
    def test_booleans_become_texts_as_the_peer_shows_them(self) -> None:
        for given, told in ((True, "true"), (False, "false"), ("strict", "strict")):
            assert declare({"dynamic": given})["dynamic"] == told

    def test_dotted_names_are_objects(self) -> None:
        dotted = declare(fields(**{"a.b": {"type": "long"}, "a.c": {"type": "keyword"}}))
        plain = fields(a=fields(b={"type": "long"}, c={"type": "keyword"}))
        assert dotted == declare(plain)

    def test_nothing_is_shared_with_the_client(self) -> None:
        given: Any = {
            "_meta": {"a": [1]},
            "dynamic_templates": [{"x": {"mapping": {}}}],
            "properties": {"k": {"type": "keyword", "meta": {"u": 1}}},
        }
        before = copy.deepcopy(given)
        form: Any = declare(given)
        form["_meta"]["a"].append(2)
        form["dynamic_templates"][0]["x"]["y"] = 1
        form["properties"]["k"]["meta"]["u"] = 2
        assert given == before

    @pytest.mark.parametrize("name", sorted(FIELD_TYPES))
    def test_every_type_can_be_declared(self, name: str) -> None:
        definition = {"type": name}
        if name == "scaled_float":
            definition["scaling_factor"] = 100  # type: ignore[assignment]
        mapping = Mapping.parse("i", "c", fields(f=definition, g=fields(h=definition)))
        told: Any = mapping.to_json()["properties"]
        assert told["f"] == definition
        assert told["g"]["properties"]["h"] == definition

    @pytest.mark.parametrize("name", sorted(FOREIGN_TYPES))
    def test_types_of_the_peers_that_are_missing_are_named(self, name: str) -> None:
        with refused("trivium.unsupported.feature", f'The type "{name}" of field "a.f"'):
            declare(fields(a=fields(f={"type": name})))


@pytest.mark.parametrize(
    ("mapping", "error", "props"),
    [
        ({"propertees": {}}, "invalid_mapping", ["propertees", ' Did you mean "properties"?']),
        ({"dinamic": "true"}, "invalid_mapping", ["dinamic", ' Did you mean "dynamic"?']),
        ({"xyz": 1}, "invalid_mapping", ["xyz", ""]),
        (
            fields(a={"properties": {}, "dinamic": True}),
            "invalid_mapping",
            ["a.dinamic", ' Did you mean "dynamic"?'],
        ),
        (
            {"dynamic": 1},
            "invalid_mapping",
            ["dynamic", " Dynamic property value should be a string."],
        ),
        (
            fields(a={"properties": {}, "dynamic": "maybe"}),
            "invalid_mapping",
            [
                "a.dynamic",
                " Incorrect dynamic property value (maybe). "
                'Should be one of "true", "false", "strict"',
            ],
        ),
        ({"_meta": []}, "invalid_mapping", None),
        ({"properties": []}, "invalid_mapping", None),
        ({"dynamic_templates": {}}, "invalid_mapping", None),
        ({"dynamic_templates": [1]}, "invalid_mapping", None),
        (fields(a="keyword"), "invalid_mapping", None),
        (fields(a={"type": "object", "enabled": "no"}), "invalid_mapping", None),
        (fields(a={"type": "keyboard"}), "invalid_mapping_type", ["a", "keyboard"]),
        (fields(a={"type": 1}), "invalid_mapping_type", ["a", 1]),
        (fields(a={"type": "long", "analyzer": "x"}), "unexpected_properties", ["analyzer", "a"]),
        (
            fields(a={"type": "long", "properties": {}}),
            "unexpected_properties",
            ["properties", "a"],
        ),
        (
            fields(a={"type": "keyword", "ignore_above": -1}),
            "invalid_mapping_argument",
            ["a", "ignore_above"],
        ),
        (fields(a={"type": "keyword", "ignore_above": True}), "invalid_mapping_argument", None),
        (fields(a={"type": "long", "coerce": "yes"}), "invalid_mapping_argument", ["a", "coerce"]),
        (
            fields(a={"type": "long", "null_value": "x"}),
            "invalid_mapping_argument",
            ["a", "null_value"],
        ),
        (fields(a={"type": "scaled_float", "scaling_factor": 0}), "invalid_mapping_argument", None),
        (fields(a={"type": "keyword", "fields": []}), "invalid_mapping_argument", ["a", "fields"]),
        (
            fields(a={"type": "keyword", "fields": {"b": {"type": "text", "fields": {}}}}),
            "invalid_mapping_argument",
            ["a.b", "fields"],
        ),
        (fields(a={"type": "scaled_float"}), "unexpected_bad_request", None),
        (fields(a={}), "unexpected_bad_request", None),
        (fields(**{"": {"type": "long"}}), "unexpected_bad_request", None),
        (fields(**{"a.": {"type": "long"}}), "unexpected_bad_request", None),
        (fields(**{".a": {"type": "long"}}), "unexpected_bad_request", None),
        (fields(_id={"type": "keyword"}), "unexpected_bad_request", None),
        (
            fields(a={"type": "keyword", "fields": {"b.c": {"type": "text"}}}),
            "unexpected_bad_request",
            None,
        ),
        (
            fields(**{"a.b": {"type": "long"}, "a": {"type": "long"}}),
            "cannot_change_mapping",
            ["a"],
        ),
    ],
)
def test_a_bad_mapping_is_refused(mapping: Any, error: str, props: Any) -> None:
    with refused(f"services.storage.{error}", *(props or [])):
        declare(mapping)


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "keyword", "copy_to": "b"},
        {"type": "keyword", "normalizer": "mine"},
        {"type": "date", "format": "basic_date"},
        {"type": "keyword", "fields": {"b": {"type": "nested"}}},
    ],
)
def test_options_that_would_be_ignored_are_refused_by_name(definition: Any) -> None:
    with refused("trivium.unsupported.feature"):
        declare(fields(a=definition))


class TestLimits:
    def test_fields_are_counted_with_objects_and_sub_fields(self) -> None:
        sub = {"type": "keyword", "fields": {"text": {"type": "text"}}}
        assert count_fields(declare(fields(a=sub, b=fields(c=sub)))) == 5

    def test_too_many_fields_are_refused(self) -> None:
        many = {f"f{n}": {"type": "long"} for n in range(limits.MAX_FIELDS)}
        assert count_fields(declare({"properties": many})) == limits.MAX_FIELDS
        with refused("services.storage.unexpected_bad_request"):
            declare({"properties": {**many, "one_more": {"type": "long"}}})

    @pytest.mark.parametrize("is_dotted", [True, False])
    def test_too_deep_objects_are_refused(self, is_dotted: bool) -> None:
        def nested(depth: int) -> Any:
            if is_dotted:
                return fields(**{".".join("a" * (depth + 1)): {"type": "long"}})
            definition: Any = {"type": "long"}
            for _ in range(depth):
                definition = fields(a=definition)
            return fields(a=definition)

        declare(nested(limits.MAX_DEPTH - 1))
        for depth in (limits.MAX_DEPTH + 1, 100_000 if is_dotted else 200):
            with refused("services.storage.unexpected_bad_request"):
                declare(nested(depth))


class TestUnite:
    def united(self, earlier: Any, later: Any) -> Any:
        return Mapping.parse("i", "c", earlier).extended(later).to_json(include_kuzzle_meta=False)

    def test_fields_and_sub_fields_add_up(self) -> None:
        earlier = fields(a={"type": "keyword", "fields": {"x": {"type": "text"}}}, o=fields())
        later = fields(
            a={"type": "keyword", "fields": {"y": {"type": "long"}, "x": {"type": "text"}}},
            o=fields(p={"type": "long"}),
        )
        assert self.united(earlier, later)["properties"] == {
            "a": {"type": "keyword", "fields": {"x": {"type": "text"}, "y": {"type": "long"}}},
            "o": {"properties": {"p": {"type": "long"}}},
        }

    def test_what_later_says_nothing_of_stays(self) -> None:
        earlier = {"dynamic": "strict", "_meta": {"a": 1}, **fields(d={"type": "date"})}
        assert self.united(earlier, {}) == earlier

    def test_an_unchanged_mapping_is_the_same_object(self) -> None:
        mapping = Mapping.parse("i", "c", fields(a={"type": "long"}))
        assert mapping.extended(fields(a={"type": "long"})) is mapping

    def test_some_options_may_change(self) -> None:
        earlier = fields(a={"type": "keyword", "ignore_above": 1})
        later = fields(a={"type": "keyword", "ignore_above": 2})
        assert self.united(earlier, later)["properties"]["a"]["ignore_above"] == 2

    @pytest.mark.parametrize(
        ("earlier", "later", "path"),
        [
            ({"type": "long"}, {"type": "integer"}, "a"),
            ({"type": "long"}, fields(), "a"),
            (fields(), {"type": "long"}, "a"),
            (fields(), {"type": "nested"}, "a"),
            ({"type": "nested"}, fields(), "a"),
            (fields(b={"type": "long"}), fields(b={"type": "keyword"}), "a.b"),
            ({"type": "date", "format": "yyyy"}, {"type": "date", "format": "date"}, "a"),
            (
                {"type": "keyword", "fields": {"b": {"type": "text"}}},
                {"type": "keyword", "fields": {"b": {"type": "long"}}},
                "a.b",
            ),
        ],
    )
    def test_types_may_not(self, earlier: Any, later: Any, path: str) -> None:
        with refused("services.storage.cannot_change_mapping", path):
            self.united(fields(a=earlier), fields(a=later))

    def test_neither_form_is_altered(self) -> None:
        earlier, later = declare(fields(a=fields())), declare(fields(a=fields(b=fields())))
        before = copy.deepcopy((earlier, later))
        unite(earlier, later)
        assert (earlier, later) == before

    def test_the_sum_of_both_is_bounded(self) -> None:
        half = limits.MAX_FIELDS // 2 + 1
        one = Mapping.parse(
            "i", "c", {"properties": {f"a{n}": {"type": "long"} for n in range(half)}}
        )
        with refused("services.storage.unexpected_bad_request"):
            one.extended({"properties": {f"b{n}": {"type": "long"} for n in range(half)}})
