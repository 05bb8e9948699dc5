"""Every engine: writes that are done once, however often they are handed in."""

from __future__ import annotations

import asyncio

import pytest

from router.guards import Condition, Tag
from router.once import Once, Remembered
from storage.contract import Storage, Verb, Write, Written, outcome
from tests.support.stores import TARGET, a_write, put, refused

REUSED = "api.process.idempotency_key_reused"
VERBS: list[Verb] = ["create", "update", "upsert", "replace", "create_or_replace", "delete"]


def keyed(verb: Verb, id: str = "one", key: str = "k", print: str = "f", **more: object) -> Write:
    content = {} if verb == "delete" else {"size": 7}
    return a_write(verb, id, content, once=Once(key, print), **more)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_repeat_gets_the_outcome_of_the_first(storage: Storage, verb: Verb) -> None:
    if verb != "create":
        await put(storage, "one", {"size": 1, "model": "M"})
    first = await storage.write(keyed(verb))
    await put(storage, "one", {"size": 9})
    before = await storage.get(*TARGET, "one")
    again = await storage.write(keyed(verb))
    assert again.repeats == ({} if verb == "delete" else {"size": 7})
    told = ("id", "version", "source", "previous", "created", "incarnation")
    assert [getattr(again, name) for name in told] == [getattr(first, name) for name in told]
    assert await storage.get(*TARGET, "one") == before


async def test_another_fingerprint_is_refused(storage: Storage) -> None:
    await storage.write(keyed("create"))
    with refused(REUSED):
        await storage.write(keyed("create", print="other"))
    with refused(REUSED):
        await storage.write(keyed("create", "two", print="other"))
    assert await storage.mget(*TARGET, ["two"]) == [None]


async def test_what_was_refused_is_not_remembered(storage: Storage) -> None:
    with refused("services.storage.not_found"):
        await storage.write(keyed("update"))
    assert await storage.recall("k") is None
    await put(storage, "one", {"size": 1})
    assert (await storage.write(keyed("update"))).repeats is None


async def test_a_repeat_does_not_look_at_its_condition(storage: Storage) -> None:
    await put(storage, "one", {"size": 1})
    at_1 = Condition((Tag(1),))
    first = await storage.write(keyed("update", condition=at_1))
    again = await storage.write(keyed("update", condition=at_1))
    assert (first.version, again.version) == (2, 2)


async def test_repeats_that_are_handed_in_together(storage: Storage) -> None:
    await put(storage, "one", {"size": 1})
    writes = [keyed("update", refresh=True) for _ in range(10)]
    writes.append(keyed("update", print="other"))
    outcomes = await asyncio.gather(*(outcome(storage.write(write)) for write in writes))
    done = [each for each in outcomes if isinstance(each, Written)]
    assert [each.version for each in done] == [2] * 10
    assert sum(each.repeats is None for each in done) == 1
    assert (await storage.get(*TARGET, "one")).version == 2


async def test_one_key_for_each_of_many_writes(storage: Storage) -> None:
    writes = [keyed("create", f"d{n % 50}", key=f"k{n % 50}") for n in range(150)]
    outcomes = await storage.bulk(writes)
    assert all(isinstance(each, Written) and each.version == 1 for each in outcomes)
    assert await storage.mget(*TARGET, ["d0"]) != [None]


async def test_a_key_is_known_once_it_is_written_and_then_answered(storage: Storage) -> None:
    assert await storage.recall("k") is None
    await storage.write(keyed("create"))
    # What says that a key is known may follow its write; the write itself always knows.
    known = await storage.recall("k")
    assert known in (None, Remembered("f"))
    answer = {"status": 200, "result": {"_id": "one", "deep": [1, {"a": None}]}, "error": None}
    await storage.conclude("k", answer)
    assert await storage.recall("k") == Remembered("f", answer)


async def test_an_answer_for_nobody_is_let_go(storage: Storage) -> None:
    await storage.conclude("unknown", {"status": 200})
    assert await storage.recall("unknown") is None
