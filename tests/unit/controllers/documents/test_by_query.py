"""document:deleteByQuery and updateByQuery: documents that change while they are at work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from router.errors import RouterError
from storage.contract import Write, Written
from storage.memory import MemoryStorage
from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
MAPPING = {"properties": {"name": {"type": "keyword"}, "n": {"type": "integer"}}}
OLD: dict[str, Any] = {"query": {"term": {"name": "old"}}}


class RacedStorage(MemoryStorage):
    """A store in which somebody else writes between a search and the bulk that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.rivals: list[list[Write]] = []

    async def bulk(self, writes: Sequence[Write]) -> list[Written | RouterError]:
        if self.rivals:
            for rival in self.rivals.pop(0):
                await self.write(rival)
        return await super().bulk(writes)


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    storage = RacedStorage()
    await storage.open()
    async with in_process(storage) as router:
        await router.result("collection:create", {"mappings": MAPPING}, **PLACE)
        for key in ("a", "b", "c"):
            body = {"name": "old", "n": 1}
            await router.result("document:create", body, _id=key, **PLACE)
        storage.hide_until_refresh()  # as on an engine whose searches lag behind
        yield router
    await storage.close()


def rival(verb: Any, id: str, content: Any) -> Write:
    return Write(verb=verb, id=id, content=content, **PLACE)


async def test_what_matches_no_more_is_left_alone(lab: InProcess) -> None:
    lab.storage.rivals = [[rival("update", "b", {"name": "new"})]]
    done = await lab.result("document:updateByQuery", {**OLD, "changes": {"n": 2}}, **PLACE)
    assert sorted(each["_id"] for each in done["successes"]) == ["a", "c"]
    assert done["errors"] == []
    assert (await lab.result("document:get", _id="b", **PLACE))["_source"]["n"] == 1


async def test_what_still_matches_is_written_on_top(lab: InProcess) -> None:
    lab.storage.rivals = [[rival("update", "b", {"more": 1})], [rival("update", "b", {"more": 2})]]
    done = await lab.result(
        "document:updateByQuery", {**OLD, "changes": {"n": 2}}, source=True, **PLACE
    )
    sources = {each["_id"]: each["_source"] for each in done["successes"]}
    assert (sources["b"]["more"], sources["b"]["n"]) == (2, 2)


async def test_what_is_gone_is_not_an_error(lab: InProcess) -> None:
    lab.storage.rivals = [[rival("delete", "b", {})]]
    done = await lab.result("document:deleteByQuery", OLD, **PLACE)
    assert sorted(done["ids"]) == ["a", "c"]


async def test_what_never_holds_still_is_told(lab: InProcess) -> None:
    lab.storage.rivals = [[rival("update", "b", {"more": n})] for n in range(20)]
    done = await lab.result("document:updateByQuery", {**OLD, "changes": {"n": 2}}, **PLACE)
    assert sorted(each["_id"] for each in done["successes"]) == ["a", "c"]
    assert [(each["document"]["_id"], each["status"]) for each in done["errors"]] == [("b", 409)]
    lab.storage.rivals = [[rival("update", "b", {"more": n})] for n in range(20)]
    await lab.refused("services.storage.version_conflict", "document:deleteByQuery", OLD, **PLACE)


async def test_the_author_is_who_asked(lab: InProcess) -> None:
    await lab.result("document:updateByQuery", {**OLD, "changes": {"n": 2}}, **PLACE)
    info = (await lab.result("document:get", _id="a", **PLACE))["_source"]["_kuzzle_info"]
    assert info["updater"] == "-1"
