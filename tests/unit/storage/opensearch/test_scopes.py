"""The public and the private store of one server never see each other."""

from __future__ import annotations

from typing import Any

import pytest

from router.settings import OpenSearchSettings
from storage.opensearch.places import PRIVATE
from storage.opensearch.store import OpenSearchStorage
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, put, refused

pytestmark = pytest.mark.needs("opensearch")


async def test_what_one_store_holds_the_other_does_not(
    open_store: Any, opensearch: OpenSearchServer
) -> None:
    public = await open_store()
    private = OpenSearchStorage(
        OpenSearchSettings(nodes=opensearch.url, refresh_ms=1), scope=PRIVATE
    )
    await private.open()
    try:
        for store in (public, private):
            await store.create_collection(INDEX, COLLECTION, {})
        await put(public, "asset", {"a": 1})
        await put(private, "user", {"a": 2})
        await private.write(a_write("delete", "user"))
        await put(private, "user", {"a": 3})
        assert (await private.get(*TARGET, "user")).version == 3
        assert await found(public) == ["asset"]
        assert await found(private) == ["user"]
        assert {change.id for change in await public.changes(0)} == {"asset"}
        assert [change.id for change in await private.changes(0)] == ["user"] * 3
        assert public.feed != private.feed
        await private.delete_index(INDEX)
        assert public.indexes() == [INDEX]
        await public.delete_index(INDEX)
        with refused("services.storage.unknown_index"):
            await public.get(*TARGET, "asset")
    finally:
        await private.close()
    again = await open_store()
    assert again.indexes() == []


async def test_the_peers_own_indexes_are_served_as_the_private_store(
    open_store: Any, opensearch: OpenSearchServer
) -> None:
    await open_store()
    body = {"mappings": {"dynamic": "false", "properties": {"profileIds": {"type": "keyword"}}}}
    opensearch.ask("PUT", "/%25kuzzle.users", {**body, "aliases": {"@%kuzzle.users": {}}})
    opensearch.ask("PUT", "/%25kuzzle.users/_doc/ada?refresh=true", {"profileIds": ["admin"]})
    private = OpenSearchStorage(
        OpenSearchSettings(nodes=opensearch.url, refresh_ms=1), scope=PRIVATE
    )
    await private.open()
    try:
        assert private.indexes() == ["kuzzle"]
        assert (await private.get("kuzzle", "users", "ada")).source == {"profileIds": ["admin"]}
    finally:
        await private.close()
