"""The other actions of device-manager/asset, the documented form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.contract import Write, Written
from storage.memory import MemoryStorage
from tests.support.inprocess import InProcess, in_process

ASSET = "device-manager/asset"
TRUCK = {"model": "Truck", "reference": "1", "metadata": {"weight": 3}}


class SlowReads(MemoryStorage):
    """A store whose answers to reads are old by the time they arrive."""

    async def mget(self, index: str, collection: str, ids: Any) -> Any:
        found = await super().mget(index, collection, ids)
        await asyncio.sleep(0)
        return found


@pytest.fixture
async def fleet() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.fleet()
        yield router


class TestCreate:
    async def test_the_id_is_made_of_model_and_reference(self, fleet: InProcess) -> None:
        made = await fleet.result(f"{ASSET}:create", TRUCK, index="fleet")
        assert (made["_id"], made["_version"]) == ("Truck-1", 1)
        body = {**TRUCK, "type": "vehicle"}
        made = await fleet.result(f"{ASSET}:create", body, index="fleet")
        assert made["_id"] == "vehicle-Truck-1"
        assert made["_source"]["type"] == "vehicle"
        made = await fleet.result(f"{ASSET}:create", body, index="fleet", _id="own")
        assert made["_id"] == "own"

    async def test_an_undeclared_model_gets_what_the_caller_says(self, fleet: InProcess) -> None:
        made = await fleet.result(
            f"{ASSET}:create", {**TRUCK, "softTenant": ["north"]}, index="fleet"
        )
        source = {key: value for key, value in made["_source"].items() if key != "_kuzzle_info"}
        assert source == {
            "model": "Truck",
            "reference": "1",
            "modelLocales": {},
            "softTenant": ["north"],
            "groups": [],
            "metadata": {"weight": 3},
            "measures": {},
            "lastMeasuredAt": None,
            "linkedDevices": [],
        }

    async def test_a_declared_model_gives_defaults_and_slots(self, fleet: InProcess) -> None:
        body = {"model": "Container", "reference": "1", "metadata": {"anything": 1}}
        source = (await fleet.result(f"{ASSET}:create", body, index="fleet"))["_source"]
        assert source["metadata"] == {
            "height": 20,
            "weight": None,
            "trailer": {"capacity": 7},
            "anything": 1,
        }
        assert source["measures"] == {"temperatureExt": None, "position": None}
        assert source["modelLocales"]["en"]["friendlyName"] == "Container"

    async def test_two_assets_share_no_default(self, fleet: InProcess) -> None:
        body = {"model": "Container", "reference": "1"}
        await fleet.result(f"{ASSET}:create", body, index="fleet")
        change = {"metadata": {"trailer": {"capacity": 1}}, "modelLocales": {"en": {"x": 1}}}
        await fleet.result(f"{ASSET}:update", change, index="fleet", _id="Container-1")
        other = await fleet.result(f"{ASSET}:create", {**body, "reference": "2"}, index="fleet")
        assert other["_source"]["metadata"]["trailer"] == {"capacity": 7}
        assert "x" not in other["_source"]["modelLocales"]["en"]

    async def test_refusals(self, fleet: InProcess) -> None:
        create = f"{ASSET}:create"
        await fleet.result(create, TRUCK, index="fleet")
        exists = "services.storage.document_already_exists"
        await fleet.refused(exists, create, TRUCK, index="fleet")
        await fleet.refused("api.assert.body_required", create, index="fleet")
        missing = "api.assert.missing_argument"
        await fleet.refused(missing, create, TRUCK)
        for key in ("model", "reference"):
            body = {**TRUCK, key: None}
            error = await fleet.refused(missing, create, body, index="fleet")
            assert error["props"] == [f"body.{key}"]
        for key in ("model", "reference", "metadata", "type"):
            body = {**TRUCK, key: 5}
            await fleet.refused("api.assert.invalid_type", create, body, index="fleet")
        await fleet.refused("api.assert.invalid_id", create, TRUCK, index="fleet", _id="_x")
        body = {**TRUCK, "model": "_x"}
        await fleet.refused("api.assert.invalid_id", create, body, index="fleet")
        await fleet.refused("trivium.engine.unknown", create, TRUCK, index="nope")
        body = {**TRUCK, "reference": "2", "colour": "red"}
        await fleet.refused(
            "services.storage.strict_mapping_rejection", create, body, index="fleet"
        )

    async def test_the_answer_waits_for_searches_if_asked(self, fleet: InProcess) -> None:
        fleet.storage.hide_until_refresh()
        for reference, refresh, found in (("1", None, 0), ("2", "wait_for", 2)):
            body = {**TRUCK, "reference": reference}
            await fleet.result(f"{ASSET}:create", body, index="fleet", refresh=refresh)
            assert (await fleet.result(f"{ASSET}:search", index="fleet"))["total"] == found


class LateCommits(MemoryStorage):
    """Takes writes in order but applies them a little later, as a store on a disk does."""

    def write(self, write: Write) -> asyncio.Future[Written]:
        return asyncio.create_task(self._commit(write))

    async def _commit(self, write: Write) -> Written:
        await asyncio.sleep(0.01)
        return await super().write(write)


class TestOrder:
    """Requests of one connection that don't wait for each other's answers."""

    async def test_each_finds_what_the_ones_before_left(self) -> None:
        async with in_process(LateCommits()) as fleet:
            await fleet.fleet()
            fleet.events.add_pipe("device-manager:asset:update:before", lambda payload: payload)
            birth = {"model": "Truck", "reference": "1"}
            place = {"index": "fleet"}
            answers = await asyncio.gather(
                fleet.ask("device-manager/asset:create", birth, **place),
                fleet.ask("device-manager/asset:update", {}, **place, _id="Truck-1"),
                fleet.ask("device-manager/asset:delete", **place, _id="Truck-1"),
                fleet.ask("device-manager/asset:upsert", birth, **place),
                fleet.ask("device-manager/asset:upsert", birth, **place),
            )
            assert [answer.status for answer in answers] == [200] * 5
            created = [answer.result["created"] for answer in answers[3:]]  # type: ignore[index,call-overload]
            assert created == [True, False]


class TestGet:
    async def test_it_answers_the_whole_asset(self, fleet: InProcess) -> None:
        made = await fleet.result(f"{ASSET}:create", TRUCK, index="fleet")
        assert await fleet.result(f"{ASSET}:get", index="fleet", _id="Truck-1") == made

    async def test_refusals(self, fleet: InProcess) -> None:
        get = f"{ASSET}:get"
        await fleet.refused("services.storage.not_found", get, index="fleet", _id="x")
        await fleet.refused("trivium.engine.unknown", get, index="nope", _id="x")
        await fleet.refused("api.assert.missing_argument", get, index="fleet")


class TestUpsert:
    async def test_it_creates_then_updates_with_pipes(self, fleet: InProcess) -> None:
        runs: list[Any] = []

        def enrich(payload: Any) -> Any:
            runs.append(payload)
            payload["updates"]["metadata"]["enriched"] = True
            return payload

        fleet.events.add_pipe("device-manager:asset:update:before", enrich)
        made = await fleet.result(f"{ASSET}:upsert", TRUCK, index="fleet")
        assert (made["_id"], made["_version"], made["created"]) == ("Truck-1", 1, True)
        assert runs == []
        body = {**TRUCK, "metadata": {"height": 1}}
        written = await fleet.result(f"{ASSET}:upsert", body, index="fleet")
        assert (written["_version"], written["created"]) == (2, False)
        assert written["_source"]["metadata"] == {"weight": 3, "height": 1, "enriched": True}
        assert len(runs) == 1

    async def test_the_same_asset_twice_at_once_is_created_once(self, fleet: InProcess) -> None:
        for connections in (("c1", "c1"), ("c1", "c2")):
            reference = "-".join(connections)
            answers = await asyncio.gather(
                *(
                    fleet.result(
                        f"{ASSET}:upsert",
                        {"model": "T", "reference": reference, "metadata": {str(n): n}},
                        index="fleet",
                        connection=connection,
                    )
                    for n, connection in enumerate(connections)
                )
            )
            assert [answer["created"] for answer in answers] == [True, False]
            assert answers[1]["_source"]["metadata"] == {"0": 0, "1": 1}

    async def test_who_is_overtaken_while_creating_updates(self) -> None:
        store = SlowReads()
        await store.open()
        async with in_process(store) as fleet:
            await fleet.fleet()
            answers = await asyncio.gather(
                *(
                    fleet.result(
                        f"{ASSET}:upsert",
                        {"model": "T", "reference": "1", "metadata": {connection: 1}},
                        index="fleet",
                        connection=connection,
                    )
                    for connection in ("c1", "c2")
                )
            )
            assert [answer["created"] for answer in answers] == [True, False]
            assert answers[1]["_source"]["metadata"] == {"c1": 1, "c2": 1}
        await store.close()

    async def test_refusals(self, fleet: InProcess) -> None:
        upsert = f"{ASSET}:upsert"
        await fleet.refused("trivium.engine.unknown", upsert, TRUCK, index="nope")
        await fleet.refused("api.assert.body_required", upsert, index="fleet")
        await fleet.refused(
            "api.assert.invalid_argument", upsert, TRUCK, index="fleet", retryOnConflict=101
        )
        body = {**TRUCK, "colour": 1}
        await fleet.refused(
            "services.storage.strict_mapping_rejection", upsert, body, index="fleet"
        )

    async def test_a_body_that_tells_no_id_is_refused_as_any_other(self, fleet: InProcess) -> None:
        body = {"model": 5, "reference": "1"}
        await fleet.refused("api.assert.invalid_type", f"{ASSET}:upsert", body, index="fleet")


class TestDelete:
    async def test_it_answers_the_id_or_the_whole(self, fleet: InProcess) -> None:
        for reference in ("1", "2"):
            body = {**TRUCK, "reference": reference}
            await fleet.result(f"{ASSET}:create", body, index="fleet")
        delete = f"{ASSET}:delete"
        assert await fleet.result(delete, index="fleet", _id="Truck-1") == {"_id": "Truck-1"}
        whole = await fleet.result(delete, index="fleet", _id="Truck-2", source=True)
        assert whole["_source"]["metadata"] == {"weight": 3}

    async def test_strict_keeps_assets_with_devices(self, fleet: InProcess) -> None:
        await fleet.result(f"{ASSET}:create", TRUCK, index="fleet")
        link = {"linkedDevices": [{"_id": "Probe-1"}]}
        place = {"index": "fleet", "_id": "Truck-1"}
        await fleet.result(f"{ASSET}:update", link, **place)
        await fleet.refused("trivium.asset.still_linked", f"{ASSET}:delete", strict=True, **place)
        await fleet.result(f"{ASSET}:update", {"linkedDevices": []}, **place)
        await fleet.result(f"{ASSET}:delete", strict=True, **place)

    async def test_refusals(self, fleet: InProcess) -> None:
        delete = f"{ASSET}:delete"
        await fleet.refused("services.storage.not_found", delete, index="fleet", _id="x")
        await fleet.refused(
            "services.storage.not_found", delete, index="fleet", _id="x", strict=True
        )
        await fleet.refused("trivium.engine.unknown", delete, index="nope", _id="x")
        await fleet.refused("api.assert.missing_argument", delete, index="fleet")
        await fleet.refused("api.assert.missing_argument", delete, _id="x")

    async def test_the_answer_waits_for_searches_if_asked(self, fleet: InProcess) -> None:
        await fleet.asset("a")
        await fleet.asset("b")
        fleet.storage.hide_until_refresh()
        await fleet.result(f"{ASSET}:delete", index="fleet", _id="a")
        assert (await fleet.result(f"{ASSET}:search", index="fleet"))["total"] == 2
        await fleet.result(f"{ASSET}:delete", index="fleet", _id="b", refresh="wait_for")
        assert (await fleet.result(f"{ASSET}:search", index="fleet"))["total"] == 0


class TestSearch:
    async def test_mapped_metadata_are_found(self, fleet: InProcess) -> None:
        for weight in (1, 2, 3):
            body = {"model": "Container", "reference": str(weight), "metadata": {"weight": weight}}
            await fleet.result(f"{ASSET}:create", body, index="fleet")
        body = {
            "query": {"range": {"metadata.weight": {"gte": 2}}},
            "sort": [{"metadata.weight": "desc"}],
        }
        found = await fleet.result(f"{ASSET}:search", body, index="fleet", size=1)
        assert (found["total"], found["fetched"]) == (2, 1)
        (hit,) = found["hits"]
        assert hit["_id"] == "Container-3"
        assert (hit["index"], hit["collection"]) == ("fleet", "assets")

    async def test_refusals(self, fleet: InProcess) -> None:
        search = f"{ASSET}:search"
        await fleet.refused("trivium.engine.unknown", search, {}, index="nope")
        await fleet.refused("api.assert.missing_argument", search, {})
        await fleet.refused(
            "services.storage.get_limit_exceeded", search, {}, index="fleet", size=10_001
        )
        await fleet.refused(
            "services.storage.invalid_search_query", search, {"odd": 1}, index="fleet"
        )
