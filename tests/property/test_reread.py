"""Reading only what an update touched gives the rows that reading everything gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.envelope import JsonObject
from storage.mapping import Mapping
from storage.merge import merge

MAPPING = Mapping.parse(
    "i",
    "c",
    {
        "properties": {
            "a": {"properties": {"b": {"type": "integer"}, "c": {"type": "keyword"}}},
            "b": {"type": "integer"},
            "p": {"type": "geo_point"},
        }
    },
)
NUMBERS = st.integers(0, 2)
WORDS = st.sampled_from(["x", "y"])
PLACES = st.builds(lambda lat, lon: {"lat": lat, "lon": lon}, NUMBERS, NUMBERS)
INNER = st.fixed_dictionaries(
    {}, optional={"b": NUMBERS | st.lists(NUMBERS, max_size=2), "c": WORDS, "z": WORDS}
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "a": INNER | st.lists(INNER, max_size=2) | st.none(),
        "a.b": NUMBERS,
        "b": NUMBERS | st.none() | st.lists(NUMBERS, max_size=3),
        "p": PLACES,
        "z": INNER,
    },
)


@given(DOCUMENTS, st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_the_rows_are_those_of_the_whole(before: JsonObject, updates: list[JsonObject]) -> None:
    rows = set(MAPPING.rows(before))
    for update in updates:
        after = merge(before, update)
        gone, new, _ = MAPPING.reread(before, after)
        assert set(gone) <= rows
        along = MAPPING.reread(before, after, update)
        assert (set(along.gone) - set(along.new), set(along.new) - set(along.gone)) == (
            set(gone) - set(new),
            set(new) - set(gone),
        )
        rows = rows - set(gone) | set(new)
        assert rows == set(MAPPING.rows(after))
        before = after
