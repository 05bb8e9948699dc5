"""Names of the server's indexes, to and from."""

from __future__ import annotations

import pytest

from storage.opensearch import places


@pytest.mark.parametrize(("index", "collection"), [("tenant", "things"), ("a-b", "é"), ("i", "_k")])
def test_a_name_is_read_back(index: str, collection: str) -> None:
    name = places.physical(index, collection)
    assert places.named(name) == (index, collection)
    assert places.named(places.alias(name)) == (index, collection)


@pytest.mark.parametrize("name", ["%kuzzle.users", "&bare", "&.x", "&x.", ".hidden", "logs", "@x"])
def test_what_is_somebody_elses_has_no_name(name: str) -> None:
    assert places.named(name) is None


def test_long_ids_become_digests_that_differ() -> None:
    keys = {places.key("uuid", "x" * 512 + end) for end in "ab"}
    assert {len(key) for key in keys} == {64}
    assert len(keys) == 2
    assert places.key("uuid", "short") == "uuid/short"
