"""Every engine tells its listener of each write that is acknowledged, and of nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from router.once import Once
from storage.contract import Author, Storage, Write, Written, outcome
from tests.support.stores import TARGET, a_write, put

Told = list[tuple[str, str, object, object, int]]


async def heard(told: list[Any], count: int) -> list[Any]:
    """What was told once it is so much; a store that others share tells a little later."""
    async with asyncio.timeout(60):
        while len(told) < count:
            await asyncio.sleep(0.01)
    return told


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
    assert await heard(told, 5) == [
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
    assert await heard(told, 2) == [
        ("create", "one", None, 1, 1),
        ("create_or_replace", "one", 1, 2, 2),
    ]


async def test_it_hears_once_of_what_is_repeated_under_a_key(storage: Storage) -> None:
    told = ear(storage)
    once = Once("0" * 32, "f" * 32)
    for _ in range(3):
        await storage.write(a_write("create", "one", {"size": 1}, once=once))
    await put(storage, "two", {"size": 2})
    assert await heard(told, 2) == [
        ("create", "one", None, 1, 1),
        ("create_or_replace", "two", None, 2, 1),
    ]


async def test_it_hears_the_writes_of_a_document_in_their_order(storage: Storage) -> None:
    told = ear(storage)
    answers = [
        storage.write(a_write("upsert", name, {"size": n}))
        for n in range(100)
        for name in ("a", "b")
    ]
    await asyncio.gather(*answers)
    await heard(told, 200)
    for name in ("a", "b"):
        assert [version for _, of, _, _, version in told if of == name] == list(range(1, 101))


async def test_it_hears_who_writes(storage: Storage) -> None:
    authors: list[Author] = []
    storage.listen(lambda write, _: authors.append(write.author))
    author = Author("ada", "r1", "mqtt", "document", {"who": "me"}, 17, True)
    await storage.write(a_write("create", "one", author=author, refresh=True))
    if not storage.is_shared:
        assert authors == [author]  # before the caller is answered
    assert await heard(authors, 1) == [author]
    assert (await storage.get(*TARGET, "one")).source["_kuzzle_info"] is not None


async def test_it_hears_in_the_order_of_the_feed_by_its_numbers(storage: Storage) -> None:
    numbers: list[Any] = []
    since = await storage.newest()
    storage.listen(lambda write, written: numbers.append((written.seq, write.id)))
    names = [f"d{n % 7}" for n in range(100)]
    await storage.bulk([a_write("upsert", name) for name in names])
    await heard(numbers, 100)
    rows = [(change.seq, change.id) for change in await storage.changes(since)]
    assert numbers == rows


async def test_it_need_not_hear_what_is_not_wanted(storage: Storage) -> None:
    told: list[Any] = []
    is_wanted = True
    storage.listen(lambda write, _: told.append(write.id), lambda: is_wanted)
    await put(storage, "one", {})
    await heard(told, 1)
    is_wanted = False
    await put(storage, "two", {})
    is_wanted = True
    await put(storage, "three", {})
    async with asyncio.timeout(60):
        while told[-1] != "three":
            await asyncio.sleep(0.01)


async def test_several_hear_of_the_same_writes(storage: Storage) -> None:
    first, second = ear(storage), ear(storage)
    await put(storage, "one", {"size": 1})
    await heard(first, 1)
    await heard(second, 1)
    assert first == second
