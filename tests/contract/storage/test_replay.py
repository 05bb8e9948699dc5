"""Every engine: rows of the feed tell, later, what a listener was told at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.envelope import JsonObject
from storage.contract import Author, Storage, Write, Written, outcome
from storage.replay import retold
from storage.undo import WHOLE_EVERY
from tests.support.stores import COLLECTION, INDEX, a_write, put

AUTHOR = Author("ada", "r1", "mqtt", "bulk", {"who": "me"}, is_silent=True)


async def all_retold(storage: Storage) -> list[tuple[Write, Written]]:
    return [
        retold(change, await storage.before(change)) for change in await storage.changes(0, 10_000)
    ]


async def test_rows_tell_what_listeners_were_told(storage: Storage) -> None:
    written = [
        await put(storage, "one", {"a": {"x": 1}, "b": [1]}, author=AUTHOR),
        await storage.write(a_write("update", "one", {"a": {"y": 2}, "b": [2]}, author=AUTHOR)),
        await storage.write(a_write("delete_fields", "one", fields=("a.x",), author=AUTHOR)),
        await storage.write(a_write("upsert", "one", {"c": None}, author=AUTHOR)),
        await storage.write(a_write("replace", "one", {"d": 1}, author=AUTHOR)),
        await storage.write(a_write("delete", "one", author=AUTHOR)),
        await storage.write(a_write("upsert", "one", {"e": 1}, default={"f": 1}, author=AUTHOR)),
    ]
    told = await all_retold(storage)
    assert len(told) == len(written)
    for (write, again), first in zip(told, written, strict=True):
        assert (again.id, again.version) == (first.id, first.version)
        assert (again.source, again.previous) == (first.source, first.previous)
        assert again.created is first.created
        assert write.author.volatile == {"who": "me"}
        assert (write.author.controller, write.author.is_silent) == ("bulk", True)
        assert (write.author.id, write.author.request_id, write.author.wire) == (
            *("ada", "r1", "mqtt"),
        )
    assert told[2][0].fields == ("a.x",)
    numbers = [again.seq for _, again in told]
    assert numbers == [change.seq for change in await storage.changes(0)]


async def test_a_document_is_rebuilt_over_many_changes(storage: Storage) -> None:
    count = 2 * WHOLE_EVERY + 5
    await put(storage, "one", {"n": 0, "kept": "yes"})
    await put(storage, "two", {"n": -1})
    for n in range(1, count):
        await storage.write(a_write("update", "one", {"n": n, f"k{n % 3}": n}))
    previous: JsonObject | None = None
    for write, written in await all_retold(storage):
        if write.id == "one":
            assert written.previous == previous
            previous = written.source
    assert previous == (await storage.get(INDEX, COLLECTION, "one")).source


async def test_it_is_rebuilt_once_it_is_deleted(storage: Storage) -> None:
    await put(storage, "one", {"n": 0})
    for n in range(1, 4):
        await storage.write(a_write("update", "one", {"n": n}))
    await storage.write(a_write("delete", "one"))
    seen = [written.source["n"] for _, written in await all_retold(storage)]
    assert seen == [0, 1, 2, 3, 3]


async def test_it_is_rebuilt_once_its_collection_is_deleted_or_made_anew(storage: Storage) -> None:
    await put(storage, "one", {"n": 0})
    await storage.write(a_write("update", "one", {"n": 1}))
    await storage.delete_collection(INDEX, COLLECTION)
    await storage.create_collection(INDEX, COLLECTION)
    await put(storage, "one", {"m": 0})
    await storage.write(a_write("update", "one", {"m": 1}))
    told = await all_retold(storage)
    assert [written.source.get("n") for _, written in told] == [0, 1, None, None]
    assert [written.source.get("m") for _, written in told] == [None, None, 0, 1]


async def test_a_position_of_the_future_is_gone(storage: Storage) -> None:
    await put(storage, "one", {})
    newest = await storage.newest()
    assert await storage.changes(newest) == []
    with pytest.raises(Exception, match="no longer in the changes feed"):
        await storage.changes(newest + 1)


VERBS = st.sampled_from(["create", "update", "upsert", "replace", "delete", "delete_fields"])
CONTENTS: Any = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.integers(0, 3), st.dictionaries(st.sampled_from("xy"), st.integers(0, 3))),
    max_size=3,
)


@given(st.lists(st.tuples(VERBS, st.sampled_from(["1", "2"]), CONTENTS), max_size=60))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.parametrize("empty", ["memory", "sqlite"], indirect=True)
async def test_any_history_is_told_as_it_was(storage: Storage, steps: list[Any]) -> None:
    heard: list[Any] = []
    since = await storage.newest()
    storage.listen(lambda _, written: heard.append(written))
    for verb, key, content in steps:
        fields = ("a", "b.x") if verb == "delete_fields" else ()
        given = {} if fields else content
        await outcome(storage.write(a_write(verb, key, given, fields=fields)))
    for change, told in zip(await storage.changes(since), heard, strict=True):
        _, again = retold(change, await storage.before(change))
        assert (again.previous, again.source, again.version) == (
            *(told.previous, told.source, told.version),
        )
        assert (again.created, again.seq) == (told.created, told.seq)
