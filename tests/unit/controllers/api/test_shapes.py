"""The shorthand of results becomes JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.api.shapes import ShapeError, parse, schema_of


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        ("boolean", {"type": "boolean"}),
        ("[_id]", {"type": "array", "items": {"type": "string"}}),
        ("[]", {"type": "array"}),
        ('"green" | "red"', {"anyOf": [{"const": "green"}, {"const": "red"}]}),
        ("{}", {"type": "object"}),
        (
            "{n: integer, more?, …}",
            {
                "type": "object",
                "properties": {"n": {"type": "integer"}, "more": {}},
                "required": ["n"],
            },
        ),
        (
            "{<name>: [integer]}",
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "integer"}},
            },
        ),
    ],
)
def test_shapes(shape: str, schema: Any) -> None:
    assert parse(shape) == schema


@pytest.mark.parametrize("shape", ["", "{", "{a b}", "[a", "a]", "{a:}", "{a;b}", '"open', "{a}}"])
def test_what_is_no_shape(shape: str) -> None:
    with pytest.raises(ShapeError):
        parse(shape)


def test_alternatives_and_prose() -> None:
    either = schema_of("`{valid: true}` or `{valid: false}`")
    assert [each["properties"]["valid"] for each in either["anyOf"]] == [  # type: ignore[index, call-overload, union-attr]
        {"const": True},
        {"const": False},
    ]
    first = schema_of("`{_id}`, with `source` `{_id, _source}`")
    assert first["required"] == ["_id"]
    assert schema_of("")["description"]
    assert schema_of("null") == {"type": "null", "description": "null"}
    assert schema_of("Array of names.")["type"] == "array"
