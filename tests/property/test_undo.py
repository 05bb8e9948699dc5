"""Whatever an update changes, its undo takes back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storage.merge import merge
from storage.undo import undo_of, undone

KEYS = st.sampled_from("abc")
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.sampled_from("xy")
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)


def typed(value: Any) -> Any:
    """The value with its types, since 1 == 1.0 == True."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value), value)


@given(DOCUMENTS, DOCUMENTS)
def test_undone_is_what_was_before(before: dict[str, Any], changes: dict[str, Any]) -> None:
    after = merge(before, changes)
    assert typed(undone(after, undo_of(before, changes))) == typed(before)


@given(DOCUMENTS, DOCUMENTS)
def test_undoing_alters_nothing(before: dict[str, Any], changes: dict[str, Any]) -> None:
    after = merge(before, changes)
    told = repr(after)
    undone(after, undo_of(before, changes))
    assert repr(after) == told
