"""Names of the server's indexes, to and from."""

from __future__ import annotations

import pytest

from storage.opensearch import places


@pytest.mark.parametrize(("index", "collection"), [("tenant", "things"), ("a-b", "é"), ("i", "_k")])
def test_a_name_is_read_back(index: str, collection: str) -> None:
    for scope in (places.PUBLIC, places.PRIVATE):
        name = scope.physical(index, collection)
        assert scope.named(name) == (index, collection)
        assert scope.named(places.alias(name)) == (index, collection)


@pytest.mark.parametrize("name", ["%kuzzle.users", "&bare", "&.x", "&x.", ".hidden", "logs", "@x"])
def test_what_is_somebody_elses_has_no_name(name: str) -> None:
    assert places.PUBLIC.named(name) is None


@pytest.mark.parametrize(
    "name",
    ["&tenant.things", places.PRIVATE.changes, places.PRIVATE.graves, places.PUBLIC.changes, "%x."],
)
def test_the_private_store_takes_neither_documents_nor_feeds_for_its_own(name: str) -> None:
    assert places.PRIVATE.named(name) is None
    assert places.PRIVATE.named(places.alias(name)) is None


def test_long_ids_become_digests_that_differ() -> None:
    keys = {places.key("uuid", "x" * 512 + end) for end in "ab"}
    assert {len(key) for key in keys} == {64}
    assert len(keys) == 2
    assert places.key("uuid", "short") == "uuid/short"
