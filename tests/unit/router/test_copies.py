"""A copied payload shares nothing with the first, and keeps its shape."""

from __future__ import annotations

from typing import Any

import pytest

from router.copies import copied


def test_json_is_copied_all_the_way_down() -> None:
    first: Any = {"a": [1, {"b": [None, True, 1.5, "x"]}]}
    second: Any = copied(first)
    assert second == first
    second["a"][1]["b"].append("y")
    assert first == {"a": [1, {"b": [None, True, 1.5, "x"]}]}


def test_one_object_held_twice_stays_one() -> None:
    metadata = {"weight": 1}
    second: Any = copied({"updates": {"metadata": metadata}, "metadata": metadata})
    assert second["updates"]["metadata"] is second["metadata"]
    assert second["metadata"] is not metadata


def test_an_object_may_hold_itself() -> None:
    first: list[Any] = []
    first.append({"self": first})
    second: Any = copied(first)
    assert second[0]["self"] is second
    assert second is not first


@pytest.mark.parametrize("value", [{1, 2}, (1, [2]), bytearray(b"x")])
def test_what_is_no_json_is_copied_too(value: Any) -> None:
    second: Any = copied([value])
    assert second == [value]
    assert second[0] is not value
