"""Every engine: writes that are for certain states of their document only."""

from __future__ import annotations

import asyncio

import pytest

from router.guards import Condition, Tag
from storage.contract import Storage, Verb, Written, outcome
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, put, refused

CONFLICT = "services.storage.version_conflict"


def at(version: int, incarnation: str | None = None) -> Condition:
    return Condition((Tag(version, incarnation),))


@pytest.mark.parametrize("verb", ["update", "upsert", "replace", "create_or_replace", "delete"])
class TestADocumentThatIsThere:
    async def test_is_written_at_its_version(self, storage: Storage, verb: Verb) -> None:
        before = await put(storage, "one", {"size": 1})
        written = await storage.write(a_write(verb, "one", condition=at(1)))
        assert written.incarnation == before.incarnation
        again = await put(storage, "one", {"size": 1})
        assert again.version == 3
        tag = at(3, again.incarnation)
        await storage.write(a_write(verb, "one", condition=tag))

    async def test_is_left_alone_at_another(self, storage: Storage, verb: Verb) -> None:
        stored = await put(storage, "one", {"size": 1})
        for condition in (at(2), at(0), at(1, "another"), Condition(())):
            props = (*TARGET, "one", 1, stored.source)
            with refused(CONFLICT, *props):
                await storage.write(a_write(verb, "one", {"size": 2}, condition=condition))
        assert (await storage.get(*TARGET, "one")).source == stored.source

    async def test_is_written_whatever_its_version(self, storage: Storage, verb: Verb) -> None:
        await put(storage, "one", {"size": 1})
        await storage.write(a_write(verb, "one", condition=Condition(None)))


class TestADocumentThatIsNotThere:
    async def test_is_not_found_by_those_that_need_one(self, storage: Storage) -> None:
        for verb in ("update", "replace", "delete"):
            with refused("services.storage.not_found"):
                await storage.write(a_write(verb, "one", condition=at(1)))

    async def test_is_in_no_state_for_the_others(self, storage: Storage) -> None:
        for condition in (at(1), at(0), Condition(None)):
            for verb in ("upsert", "create", "create_or_replace"):
                with refused(CONFLICT, *TARGET, "one", None, None):
                    await storage.write(a_write(verb, "one", condition=condition))
        assert await storage.mget(*TARGET, ["one"]) == [None]

    async def test_a_create_finds_its_id_taken_first(self, storage: Storage) -> None:
        await put(storage, "one", {})
        with refused("services.storage.document_already_exists"):
            await storage.write(a_write("create", "one", condition=at(1)))


async def test_a_condition_of_if_match_fails_with_412(storage: Storage) -> None:
    await put(storage, "one", {})
    asked = Condition((Tag(7),), is_http=True)
    failed = await outcome(storage.write(a_write("update", "one", condition=asked)))
    assert not isinstance(failed, Written)
    assert (failed.id, failed.status, failed.to_json()["status"]) == (CONFLICT, 412, 412)


async def test_a_version_never_comes_back(storage: Storage) -> None:
    await put(storage, "one", {"size": 1})
    await storage.write(a_write("delete", "one"))
    await put(storage, "one", {"size": 2})
    with refused(CONFLICT):
        await storage.write(a_write("update", "one", condition=at(1)))


async def test_a_collection_made_anew_is_another_incarnation(storage: Storage) -> None:
    first = await put(storage, "one", {"size": 1})
    await storage.delete_collection(INDEX, COLLECTION)
    await storage.create_collection(INDEX, COLLECTION)
    second = await put(storage, "one", {"size": 1})
    assert (await storage.get(*TARGET, "one")).incarnation == second.incarnation
    assert first.incarnation != second.incarnation
    with refused(CONFLICT):
        await storage.write(a_write("update", "one", condition=at(1, first.incarnation)))


async def test_of_many_at_one_version_one_wins(storage: Storage) -> None:
    await put(storage, "one", {"size": 0})
    writes = [a_write("update", "one", {"size": n}, condition=at(1)) for n in range(1, 21)]
    outcomes = await asyncio.gather(*(outcome(storage.write(write)) for write in writes))
    won = [each for each in outcomes if isinstance(each, Written)]
    lost = [each for each in outcomes if not isinstance(each, Written)]
    assert (len(won), {error.id for error in lost}) == (1, {CONFLICT})
    assert (await storage.get(*TARGET, "one")).source == won[0].source


async def test_a_chain_of_conditions_holds_when_handed_in_together(storage: Storage) -> None:
    await put(storage, "one", {"size": 0})
    writes = [a_write("update", "one", {"size": n}, condition=at(n)) for n in range(1, 21)]
    done = await asyncio.gather(*(storage.write(write) for write in writes))
    assert [each.version for each in done] == list(range(2, 22))
