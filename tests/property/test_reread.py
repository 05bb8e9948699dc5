"""Reading only what an update touched gives the rows that reading everything gives."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from router.envelope import JsonObject
from router.errors import RouterError
from storage.mapping import Mapping
from storage.merge import merge
from storage.plan import Row

MAPPING = Mapping.parse(
    "i",
    "c",
    {
        "properties": {
            "a": {"properties": {"b": {"type": "integer"}, "c": {"type": "keyword"}}},
            "b": {"type": "integer"},
            "p": {"type": "geo_point"},
            "missing": {"type": "keyword", "null_value": "none"},
            "loose": {"type": "integer", "ignore_malformed": True},
            "text": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 1}}},
            "strict": {"dynamic": "strict", "properties": {"c": {"type": "keyword"}}},
            "open": {"dynamic": "true", "properties": {"c": {"type": "keyword"}}},
            "off": {"type": "object", "enabled": False, "properties": {"b": {"type": "integer"}}},
            "parts": {
                "type": "nested",
                "include_in_root": True,
                "properties": {"b": {"type": "integer"}, "c": {"type": "keyword"}},
            },
        }
    },
)
NUMBERS = st.integers(0, 2)
WORDS = st.sampled_from(["x", "y", "xyz"])
VALUES = NUMBERS | WORDS | st.none() | st.lists(NUMBERS | st.none(), max_size=2)
PLACES = st.builds(lambda lat, lon: {"lat": lat, "lon": lon}, NUMBERS, NUMBERS)
INNER = st.fixed_dictionaries(
    {},
    optional={
        "b": NUMBERS | st.none() | st.lists(NUMBERS, max_size=2),
        "c": WORDS | st.none(),
        "z": WORDS | st.none(),
    },
)
OBJECTS = INNER | st.lists(INNER | st.none(), max_size=2) | st.none()
ENTRIES = {
    "a": OBJECTS,
    "b": NUMBERS | st.none() | st.lists(NUMBERS, max_size=3),
    "p": PLACES | st.none(),
    "z": INNER | st.none(),
    "missing": VALUES,
    "loose": VALUES,
    "text": VALUES,
    "strict": OBJECTS,
    "open": OBJECTS,
    "off": OBJECTS,
    "parts": OBJECTS,
}
DOCUMENTS = st.fixed_dictionaries({}, optional=ENTRIES) | st.fixed_dictionaries(
    {"a.b": NUMBERS}, optional=ENTRIES
)
# One field at a time, mostly: what follows changes gives up at the first that is not plain.
UPDATES = st.one_of(
    *(st.fixed_dictionaries({name: values}) for name, values in ENTRIES.items()), DOCUMENTS
)

Found: TypeAlias = tuple[set[Row], set[Row], bool] | str
"""Rows that only went, rows that only came, whether the mapping grew; or the error."""


def found(before: JsonObject, after: JsonObject, update: JsonObject | None) -> Found:
    try:
        gone, new, extended = MAPPING.reread(before, after, update)
    except RouterError as error:
        return error.id
    return set(gone) - set(new), set(new) - set(gone), extended is not None


@settings(max_examples=500)
@given(DOCUMENTS, st.lists(UPDATES, min_size=1, max_size=4))
def test_the_rows_are_those_of_the_whole(before: JsonObject, updates: list[JsonObject]) -> None:
    rows = set(MAPPING.rows(before))
    for update in updates:
        after = merge(before, update)
        told = found(before, after, None)
        assert found(before, after, update) == told
        if isinstance(told, str) or told[2]:  # not written, or by another mapping
            continue
        gone, new, _ = told
        assert gone <= rows
        rows = rows - gone | new
        assert rows == set(MAPPING.rows(after))
        before = after
