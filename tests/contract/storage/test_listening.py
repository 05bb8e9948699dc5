"""Every engine tells its listener of each write that is acknowledged, and of nothing else."""

from __future__ import annotations

import asyncio

from router.once import Once
from storage.contract import Author, Storage, Write, Written
from tests.support.stores import TARGET, a_write, outcome, put

Told = list[tuple[str, str, object, object, int]]


def ear(storage: Storage) -> Told:
    told: Told = []

    def listener(write: Write, written: Written) -> None:
        before = None if written.previous is None else written.previous.get("size")
        told.append((write.verb, write.id, before, written.source.get("size"), written.version))

    storage.listen(listener)
    return told


async def test_it_hears_what_was_before_and_what_is(storage: Storage) -> None:
    told = ear(storage)
    await put(storage, "one", {"size": 1})
    await storage.write(a_write("update", "one", {"size": 2}))
    await storage.bulk(
        [
            a_write("replace", "one", {"size": 3}),
            a_write("create", "one"),
            a_write("create", "two", {"size": 9}),
        ]
    )
    await outcome(storage.write(a_write("update", "none", {"size": 2})))
    await storage.write(a_write("delete", "one"))
    assert told == [
        ("create_or_replace", "one", None, 1, 1),
        ("update", "one", 1, 2, 2),
        ("replace", "one", 2, 3, 3),
        ("create", "two", None, 9, 1),
        ("delete", "one", 3, 3, 3),
    ]


async def test_it_hears_of_writes_whose_callers_have_gone(storage: Storage) -> None:
    told = ear(storage)
    handed_in = [asyncio.ensure_future(storage.write(a_write("create", "one", {"size": 1})))]
    for each in handed_in:
        each.cancel()
    await put(storage, "one", {"size": 2})
    assert told == [("create", "one", None, 1, 1), ("create_or_replace", "one", 1, 2, 2)]


async def test_it_hears_once_of_what_is_repeated_under_a_key(storage: Storage) -> None:
    told = ear(storage)
    once = Once("0" * 32, "f" * 32)
    for _ in range(3):
        await storage.write(a_write("create", "one", {"size": 1}, once=once))
    assert told == [("create", "one", None, 1, 1)]


async def test_it_hears_the_writes_of_a_document_in_their_order(storage: Storage) -> None:
    told = ear(storage)
    answers = [
        storage.write(a_write("upsert", name, {"size": n}))
        for n in range(100)
        for name in ("a", "b")
    ]
    await asyncio.gather(*answers)
    for name in ("a", "b"):
        assert [version for _, of, _, _, version in told if of == name] == list(range(1, 101))


async def test_it_hears_who_writes_and_before_the_caller_does(storage: Storage) -> None:
    heard: list[Author] = []
    storage.listen(lambda write, _: heard.append(write.author))
    author = Author("ada", "r1", "mqtt", "document", {"who": "me"}, 17, True)
    await storage.write(a_write("create", "one", author=author, refresh=True))
    assert heard == [author]
    assert (await storage.get(*TARGET, "one")).source["_kuzzle_info"] is not None
