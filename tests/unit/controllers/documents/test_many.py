"""document:m*: what one answer on many documents says, and what it costs the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.settings import StorageSettings
from storage.contract import Write
from storage.merge import paths
from storage.sqlite.store import SqliteStorage
from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
MAPPING = {"properties": {"name": {"type": "keyword"}, "n": {"type": "integer"}}}


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.result("collection:create", {"mappings": MAPPING}, **PLACE)
        await router.result("document:create", {"name": "one", "n": 1}, _id="d1", **PLACE)
        yield router


def many(*documents: Any) -> Any:
    return {"documents": list(documents)}


class TestWrites:
    async def test_ids_are_made_up_where_none_is_needed(self, lab: InProcess) -> None:
        for action in ("mCreate", "mCreateOrReplace"):
            body = many({"body": {}}, {"_id": None, "body": {}}, {"_id": "", "body": {}})
            made = await lab.result(f"document:{action}", body, **PLACE)
            assert len({each["_id"] for each in made["successes"]} - {"", None}) == 3
            assert made["errors"] == []
        for action, key in (("mReplace", "body"), ("mUpdate", "body"), ("mUpsert", "changes")):
            body = many({key: {}}, {"_id": "", key: {}})
            made = await lab.result(f"document:{action}", body, **PLACE)
            reasons = [each["reason"] for each in made["errors"]]
            assert reasons == ["document _id must be a string"] * 2

    async def test_one_id_twice_is_written_in_order(self, lab: InProcess) -> None:
        body = many(*({"_id": "d1", "body": {"n": n}} for n in range(5)))
        made = await lab.result("document:mUpdate", body, **PLACE)
        assert [each["_version"] for each in made["successes"]] == [2, 3, 4, 5, 6]
        assert (await lab.result("document:get", _id="d1", **PLACE))["_source"]["n"] == 4

    async def test_strictly_what_was_done_stays_done(self, lab: InProcess) -> None:
        body = many({"_id": "d2", "body": {}}, {"_id": "d1", "body": {"name": "dup"}})
        error = await lab.refused(
            "api.process.incomplete_multiple_request",
            "document:mCreate",
            body,
            strict=True,
            **PLACE,
        )
        assert error["props"] == ["mCreate"]
        assert error["count"] == 1
        assert error["errors"][0]["document"] == {"_id": "d1", "body": {"name": "dup"}}
        assert await lab.result("document:exists", _id="d2", **PLACE)

    async def test_an_answer_waits_for_searches_if_asked(self, lab: InProcess) -> None:
        lab.storage.hide_until_refresh()
        for refresh, found in ((None, 1), ("wait_for", 3)):
            body = many({"body": {}})
            await lab.result("document:mCreate", body, refresh=refresh, **PLACE)
            assert (await lab.result("document:count", **PLACE))["count"] == found

    async def test_a_stamp_of_the_client_is_dropped(self, lab: InProcess) -> None:
        forged = {"_kuzzle_info": {"author": "root"}}
        for action, key in (("mCreate", "body"), ("mUpdate", "body"), ("mUpsert", "changes")):
            body = many({"_id": "d9", key: forged})
            made = await lab.result(f"document:{action}", body, **PLACE)
            assert made["successes"][0]["_source"]["_kuzzle_info"]["author"] == "-1"

    async def test_conflicts_are_retried_as_often_as_asked(self, lab: InProcess) -> None:
        body = many({"_id": "d1", "body": {"n": 1}})
        lab.storage.conflict(3)
        made = await lab.result("document:mUpdate", body, retryOnConflict=2, **PLACE)
        assert made["errors"][0]["status"] == 409
        lab.storage.conflict(2)
        made = await lab.result("document:mUpdate", body, retryOnConflict=2, **PLACE)
        assert made["errors"] == []

    @pytest.mark.parametrize(
        ("changes", "touched"),
        [
            ({}, []),
            ({"a": 1, "b": {"c": {"d": None}, "e": [{"f": 1}]}}, ["a", "b.c.d", "b.e"]),
            ({"a": {}}, ["a"]),
        ],
    )
    def test_the_paths_of_changes(self, changes: Any, touched: list[str]) -> None:
        assert [*paths(changes)] == touched


class TestReads:
    async def test_no_ids_are_no_documents(self, lab: InProcess) -> None:
        for action in ("mGet", "mExists"):
            nothing = await lab.result(f"document:{action}", {"ids": []}, **PLACE)
            assert nothing == {"successes": [], "errors": []}

    @pytest.mark.parametrize("ids", ["d1,x", '["d1", "x"]', ["d1", "x"], "d1 , x,"])
    async def test_ids_beside_the_body(self, lab: InProcess, ids: Any) -> None:
        found = await lab.result("document:mGet", ids=ids, wire="http", **PLACE)
        assert [each["_id"] for each in found["successes"]] == ["d1"]
        assert found["errors"] == ["x"]

    async def test_the_limit_counts_ids(self) -> None:
        async with in_process(fetch_max=3) as router:
            await router.result("collection:create", **PLACE)
            await router.result("document:mGet", {"ids": ["a", "b", "c"]}, **PLACE)
            limit = "services.storage.get_limit_exceeded"
            await router.refused(limit, "document:mGet", {"ids": ["a"] * 4}, **PLACE)


class TestThirtyThousand:
    """An mGet of 30 000 documents: others are answered meanwhile."""

    COUNT = 30_000

    async def test_nobody_waits_for_it(self, tmp_path: Path) -> None:
        storage = SqliteStorage(StorageSettings(data=tmp_path, document_cache_mb=1))
        await storage.open()
        try:
            async with in_process(storage, fetch_max=self.COUNT) as router:
                await router.result("collection:create", **PLACE)
                await self._fill(storage)
                ids = {"ids": [f"d{n}" for n in range(self.COUNT)]}
                getting = asyncio.create_task(router.ask("document:mGet", ids, **PLACE))
                answered = 0
                while not getting.done():
                    await router.result("document:get", _id="d1", **PLACE)
                    answered += 1
                    await asyncio.sleep(0)
        finally:
            await storage.close()
        result: Any = getting.result().result
        assert len(result["successes"]) == self.COUNT
        assert answered > 50  # one slice of 300 may have kept it waiting each time

    async def _fill(self, storage: SqliteStorage) -> None:
        for start in range(0, self.COUNT, 5_000):
            await storage.bulk(
                [
                    Write(verb="create", id=f"d{n}", content={"n": n, "text": "x" * 50}, **PLACE)
                    for n in range(start, start + 5_000)
                ]
            )
