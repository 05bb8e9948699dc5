"""Which parts of a document a search shows."""

from __future__ import annotations

from typing import Any

import pytest

from storage.projection import project
from storage.query import Search

SOURCE: Any = {
    "a": 1,
    "ab": {"c": 1, "d": {"e": 2, "f": 3}},
    "list": [{"x": 1, "y": 2}, 5, [{"x": 3}], {"y": 4}],
    "none": None,
    "empty": {},
}


@pytest.mark.parametrize(
    ("includes", "excludes", "shown"),
    [
        (None, (), SOURCE),
        ((), (), {}),
        (("a",), (), {"a": 1}),
        (("ab",), (), {"ab": SOURCE["ab"]}),
        (("ab.c",), (), {"ab": {"c": 1}}),
        (("ab.d.f", "a"), (), {"a": 1, "ab": {"d": {"f": 3}}}),
        (("a*",), (), {"a": 1, "ab": SOURCE["ab"]}),
        (("*.e",), (), {"ab": {"d": {"e": 2}}}),
        (("a*d*e",), (), {"ab": {"d": {"e": 2}}}),
        (("a*x*e",), (), {}),
        (("list.x",), (), {"list": [{"x": 1}, [{"x": 3}]]}),
        (("none", "empty"), (), {"none": None, "empty": {}}),
        (("*",), (), SOURCE),
        (("nothing",), (), {}),
        (None, ("*",), {}),
        (None, ("ab", "list", "none", "empty"), {"a": 1}),
        (None, ("*a*", "list.*"), {"list": [{}, 5, [{}], {}], "none": None, "empty": {}}),
        (("ab",), ("ab.d",), {"ab": {"c": 1}}),
        (("ab.d",), ("*.e",), {"ab": {"d": {"f": 3}}}),
    ],
)
def test_only_the_wanted_paths_are_left(includes: Any, excludes: Any, shown: Any) -> None:
    search = Search(source_includes=includes, source_excludes=excludes)
    assert project(SOURCE, search) == shown


def test_what_is_shown_is_a_copy() -> None:
    for search in (Search(), Search(source_includes=("list",))):
        shown: Any = project(SOURCE, search)
        shown["list"][0]["x"] = "altered"
        assert SOURCE["list"][0]["x"] == 1


def test_many_stars_take_no_time() -> None:
    # Backtracking would try 2^40 ways.
    stars = "*a" * 40 + "*b"
    assert project({"a" * 10_000: 1}, Search(source_includes=(stars,))) == {}
    assert project({"a" * 40 + "b": 1}, Search(source_includes=(stars,))) == {"a" * 40 + "b": 1}


def test_parts_may_not_overlap() -> None:
    assert project({"aba": 1}, Search(source_includes=("ab*ba",))) == {}
    assert project({"abba": 1}, Search(source_includes=("ab*ba",))) == {"abba": 1}
