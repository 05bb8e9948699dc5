"""Merging obeys its laws on any JSON, and never shares what a caller may alter."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.merge import copied, merge

# A busy machine is no reason to fail.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = st.sampled_from(["a", "b", "c", "__proto__", ""])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def plain(stored: Any, changes: Any) -> Any:
    """The rule, read aloud: objects key by key, everything else replaces."""
    if not isinstance(stored, dict) or not isinstance(changes, dict):
        return copy.deepcopy(changes)
    return {
        key: plain(stored[key], changes[key])
        if key in stored and key in changes
        else copy.deepcopy(changes[key] if key in changes else stored[key])
        for key in [*stored, *(key for key in changes if key not in stored)]
    }


def scramble(value: Any) -> None:
    """Alter everything in the value that can be altered."""
    if isinstance(value, dict):
        for item in value.values():
            scramble(item)
        value["scrambled"] = True
    elif isinstance(value, list):
        for item in value:
            scramble(item)
        value.append("scrambled")


@CALM
@given(OBJECTS, OBJECTS)
def test_reads_as_the_plain_rule(stored: Any, changes: Any) -> None:
    assert merge(stored, changes) == plain(stored, changes)
    assert list(merge(stored, changes)) == list(plain(stored, changes))


@CALM
@given(OBJECTS, OBJECTS)
def test_alters_neither_argument(stored: Any, changes: Any) -> None:
    before = copy.deepcopy((stored, changes))
    merge(stored, changes)
    assert (stored, changes) == before


@CALM
@given(OBJECTS)
def test_nothing_is_neutral_on_both_sides(content: Any) -> None:
    assert merge(content, {}) == content
    assert merge({}, content) == content


@CALM
@given(OBJECTS, OBJECTS)
def test_the_same_changes_again_change_nothing(stored: Any, changes: Any) -> None:
    once = merge(stored, changes)
    assert merge(once, changes) == once


@CALM
@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3),
    st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3),
    st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3),
)
def test_changes_of_one_shape_can_be_merged_first(a: Any, b: Any, c: Any) -> None:
    # Of one shape only: an object over a scalar over an object forgets the first object.
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@CALM
@given(OBJECTS, OBJECTS)
def test_the_owner_of_the_changes_may_go_on_altering_them(stored: Any, changes: Any) -> None:
    merged = merge(stored, changes)
    expected = copy.deepcopy(merged)
    scramble(changes)
    assert merged == expected


@CALM
@given(OBJECTS)
def test_a_copy_shares_nothing(content: Any) -> None:
    twin = copied(content)
    expected = copy.deepcopy(content)
    assert twin == expected
    scramble(content)
    assert twin == expected
