"""Dynamic templates, by the words of OpenSearch's documentation of them."""

from __future__ import annotations

from typing import Any

import pytest

from router.errors import RouterError
from storage.mapping import Mapping
from storage.templates import templated

TEXT: Any = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def chosen(template: Any, *path: str, inferred: Any = TEXT) -> Any:
    found = templated([{"t": {"mapping": {"type": "keyword"}, **template}}], path, inferred)
    return found["type"] == "keyword"


@pytest.mark.parametrize(
    ("template", "path", "is_chosen"),
    [
        ({}, ("a",), True),
        ({"match": "a*"}, ("abc",), True),
        ({"match": "a*"}, ("b", "abc"), True),
        ({"match": "a*"}, ("bac",), False),
        ({"match": ["x", "a*c"]}, ("abc",), True),
        ({"match": "a?c"}, ("abc",), False),
        ({"match": "a[b]c"}, ("abc",), False),
        ({"match": "*", "unmatch": "*_text"}, ("a_text",), False),
        ({"match": "^a\\d+$", "match_pattern": "regex"}, ("a12",), True),
        ({"match": "^a\\d+$", "match_pattern": "regex"}, ("a12b",), False),
        ({"path_match": "name.*"}, ("name", "first"), True),
        ({"path_match": "name.*"}, ("first",), False),
        ({"path_match": "name.*", "path_unmatch": "*.middle"}, ("name", "middle"), False),
        ({"match_mapping_type": "string"}, ("a",), True),
        ({"match_mapping_type": "long"}, ("a",), False),
        ({"match_mapping_type": ["long", "string"]}, ("a",), True),
        ({"match_mapping_type": "*"}, ("a",), True),
    ],
)
def test_conditions(template: Any, path: tuple[str, ...], is_chosen: bool) -> None:
    assert chosen(template, *path) is is_chosen


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", "string"), (1, "long"), (1.5, "double"), (True, "boolean"), ("2026-01-31", "date")],
)
def test_what_a_value_is_taken_for(value: Any, kind: str) -> None:
    mapping = {"type": "keyword", "ignore_above": 77}
    declared: Any = {
        "dynamic": "true",
        "dynamic_templates": [{"t": {"match_mapping_type": kind, "mapping": mapping}}],
    }
    learnt = Mapping.parse("i", "c", declared).check({"new": value})
    assert learnt is not None
    assert learnt.to_json()["properties"]["new"] == mapping  # type: ignore[index,call-overload]


def test_the_first_that_fits_counts_and_placeholders_are_filled() -> None:
    templates: Any = [
        {"no": {"match": "b", "mapping": {"type": "long"}}},
        {"yes": {"match": "a", "mapping": {"type": "{dynamic_type}", "meta": {"n": "{name}"}}}},
        {"late": {"mapping": {"type": "ip"}}},
    ]
    assert templated(templates, ("a",), TEXT) == {"type": "text", "meta": {"n": "a"}}


def test_a_template_without_a_type_keeps_the_kind() -> None:
    templates: Any = [{"t": {"mapping": {"index": False}}}]
    assert templated(templates, ("a",), {"type": "long"}) == {"type": "long", "index": False}


def test_objects_and_what_is_in_them() -> None:
    inferred: Any = {"type": "object", "properties": {"x": TEXT, "y": {"type": "long"}}}
    strings: Any = [{"s": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}]
    assert templated(strings, ("o",), inferred) == {
        "type": "object",
        "properties": {"x": {"type": "keyword"}, "y": {"type": "long"}},
    }
    nested: Any = [{"n": {"match_mapping_type": "object", "mapping": {"type": "nested"}}}, *strings]
    assert templated(nested, ("o",), inferred)["type"] == "nested"
    closed: Any = [{"n": {"match": "o", "mapping": {"type": "object", "enabled": False}}}]
    assert templated(closed, ("o",), inferred) == {"type": "object", "enabled": False}


@pytest.mark.parametrize(
    ("templates", "id"),
    [
        (5, "services.storage.invalid_mapping"),
        ([5], "services.storage.invalid_mapping"),
        ([{"t": 5}], "services.storage.invalid_mapping"),
        ([{"t": {}}], "services.storage.invalid_mapping"),
        ([{"t": {"mapping": {}, "macth": "a"}}], "services.storage.invalid_mapping"),
        ([{"t": {"mapping": {}, "match_pattern": "glob"}}], "services.storage.invalid_mapping"),
        (
            [{"t": {"mapping": {}, "match": "a(", "match_pattern": "regex"}}],
            "services.storage.invalid_mapping",
        ),
        ([{"t": {"mapping": {"type": "colour"}}}], "services.storage.invalid_mapping_type"),
        (
            [{"t": {"mapping": {"type": "keyword", "copy_to": "x"}}}],
            "trivium.unsupported.feature",
        ),
    ],
)
def test_bad_templates_are_refused_where_they_are_declared(templates: Any, id: str) -> None:
    with pytest.raises(RouterError) as refused:
        Mapping.parse("i", "c", {"dynamic_templates": templates})
    assert refused.value.id == id
