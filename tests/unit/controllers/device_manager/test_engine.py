"""device-manager/engine:* and what the plugin prepares at start."""

from __future__ import annotations

import asyncio

import pytest

from controllers.device_manager.models import AssetModel
from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Write
from storage.memory import MemoryStorage
from tests.support.inprocess import CONTAINER, in_process

FIVE = ["assets", "assets-history", "assets-groups", "devices", "measures"]
CREATE = "device-manager/engine:create"
DELETE = "device-manager/engine:delete"


def declaration(index: str) -> Write:
    """What the peer keeps of an engine; its index isn't made here."""
    engine: JsonObject = {"index": index, "group": "commons", "name": "device-manager"}
    return Write(
        verb="create",
        index="device-manager",
        collection="config",
        id=f"engine-device-manager--{index}",
        content={"type": "engine-device-manager", "engine": engine},
    )


class SlowCollections(MemoryStorage):
    """Lets others run before a collection is made or removed, as a store on a disk does."""

    async def create_collection(
        self, index: str, collection: str, mapping: JsonObject | None = None
    ) -> None:
        await asyncio.sleep(0)
        await super().create_collection(index, collection, mapping)

    async def delete_collection(self, index: str, collection: str) -> None:
        await asyncio.sleep(0)
        await super().delete_collection(index, collection)


class TestLife:
    async def test_an_engine_comes_and_goes(self) -> None:
        async with in_process() as router:
            exists = "device-manager/engine:exists"
            assert await router.result(exists, index="fleet") == {"exists": False}
            made = await router.result(CREATE, index="fleet")
            assert made == {"index": "fleet", "collections": ["config", *FIVE]}
            assert await router.result(exists, index="fleet") == {"exists": True}
            update = await router.result("device-manager/engine:update", index="fleet")
            assert update == {"index": "fleet", "collections": FIVE}
            assert router.storage.collections("fleet") == sorted(["config", *FIVE])
            gone = await router.result(DELETE, index="fleet")
            assert gone == {"index": "fleet", "collections": FIVE}
            assert await router.result(exists, index="fleet") == {"exists": False}
            assert router.storage.collections("fleet") == ["config"]
            await router.result(CREATE, index="fleet")

    async def test_engines_are_listed_with_their_groups(self) -> None:
        async with in_process() as router:
            await router.result(CREATE, index="b", group="sea")
            await router.result(CREATE, index="a")
            assert await router.result("device-manager/engine:list") == {
                "engines": [
                    {"index": "a", "group": "commons", "name": "device-manager"},
                    {"index": "b", "group": "sea", "name": "device-manager"},
                ]
            }

    async def test_the_declaration_is_a_document_of_the_admin_index(self) -> None:
        async with in_process() as router:
            await router.fleet()
            declared = await router.result(
                "document:get",
                index="device-manager",
                collection="config",
                _id="engine-device-manager--fleet",
            )
            assert declared["_source"]["engine"] == {
                "index": "fleet",
                "group": "commons",
                "name": "device-manager",
            }
            assert declared["_source"]["type"] == "engine-device-manager"
            assert declared["_source"]["_kuzzle_info"]["author"] == "-1"

    async def test_refusals(self) -> None:
        async with in_process() as router:
            await router.fleet()
            error = await router.refused("trivium.engine.already_exists", CREATE, index="fleet")
            assert error["status"] == 400
            for name in ("update", "delete"):
                action = f"device-manager/engine:{name}"
                error = await router.refused("trivium.engine.missing", action, index="x")
                assert error["status"] == 404
            for name in ("create", "delete", "exists", "update"):
                await router.refused("api.assert.missing_argument", f"device-manager/engine:{name}")
            await router.refused("api.assert.invalid_type", CREATE, index="x", group=5)
            await router.refused("services.storage.invalid_index_name", CREATE, index="Bad")

    async def test_a_creation_that_failed_leaves_no_engine(self) -> None:
        async with in_process() as router:
            await router.refused("services.storage.invalid_index_name", CREATE, index="Bad")
            assert not await router.engines.exists("Bad")

    async def test_of_two_creations_at_once_one_is_refused(self) -> None:
        async with in_process() as router:
            answers = await asyncio.gather(*(router.ask(CREATE, index="fleet") for _ in range(2)))
            assert sorted(answer.status for answer in answers) == [200, 400]

    async def test_of_two_deletions_at_once_one_finds_no_engine(self) -> None:
        async with in_process(SlowCollections()) as router:
            await router.fleet()
            answers = await asyncio.gather(*(router.ask(DELETE, index="fleet") for _ in range(2)))
            assert [answer.error and answer.error["id"] for answer in answers] == [
                None,
                "trivium.engine.missing",
            ]

    async def test_a_deletion_lets_the_creation_before_it_finish(self) -> None:
        async with in_process(SlowCollections()) as router:
            creation = asyncio.ensure_future(router.ask(CREATE, index="fleet"))
            deletion = asyncio.ensure_future(router.ask(DELETE, index="fleet"))
            assert (await creation).status == (await deletion).status == 200
            assert not await router.engines.exists("fleet")
            assert (await router.result("device-manager/engine:list"))["engines"] == []
            assert router.storage.collections("fleet") == ["config"]

    async def test_an_update_that_a_deletion_overtakes_finds_no_engine(self) -> None:
        async with in_process() as router:
            await router.fleet()
            await router.asset()

            async def delete_meanwhile(payload: object) -> object:
                await router.result(DELETE, index="fleet")
                return payload

            router.events.add_pipe("device-manager:asset:update:before", delete_meanwhile)
            update = "device-manager/asset:update"
            await router.refused("trivium.engine.unknown", update, {}, index="fleet", _id="a1")

    async def test_an_engine_that_lost_its_index_can_be_created_again(self) -> None:
        async with in_process() as router:
            await router.fleet()
            await router.result("index:delete", index="fleet")
            await router.fleet()
            await router.asset()

    async def test_the_admin_index_becomes_no_engine(self) -> None:
        async with in_process() as router:
            await router.refused("api.assert.invalid_argument", CREATE, index="device-manager")
            assert "assets" not in router.storage.collections("device-manager")

    async def test_an_engine_that_lost_a_collection_or_its_index_can_be_deleted(self) -> None:
        async with in_process() as router:
            await router.result(CREATE, index="a")
            await router.result(CREATE, index="b")
            await router.result("collection:delete", index="a", collection="devices")
            await router.result("index:delete", index="b")
            await router.result(DELETE, index="a")
            await router.result(DELETE, index="b")
            assert (await router.result("device-manager/engine:list"))["engines"] == []

    async def test_a_declaration_that_is_gone_already_does_not_keep_the_engine(self) -> None:
        async with in_process() as router:
            await router.fleet()
            await router.result(
                "document:delete",
                index="device-manager",
                collection="config",
                _id="engine-device-manager--fleet",
            )
            await router.result(DELETE, index="fleet")

    async def test_a_store_that_refuses_is_told_of(self) -> None:
        async with in_process() as router:
            await router.result("index:delete", index="device-manager")
            await router.refused("services.storage.unknown_index", CREATE, index="fleet")
            assert not await router.engines.exists("fleet")


class TestStart:
    async def test_admin_collections_and_models_are_there(self) -> None:
        async with in_process() as router:
            assert router.storage.collections("device-manager") == [
                "config",
                "devices",
                "models",
                "payloads",
            ]
            place = {"index": "device-manager", "collection": "models"}
            container = await router.result("document:get", _id="model-asset-Container", **place)
            assert container["_source"]["asset"]["measures"] == [
                {"name": "temperatureExt", "type": "temperature"},
                {"name": "position", "type": "position"},
            ]
            for kind in ("temperature", "position", "movement", "humidity", "battery"):
                measure = await router.result("document:get", _id=f"model-measure-{kind}", **place)
                assert measure["_source"]["measure"]["type"] == kind

    async def test_a_second_start_changes_nothing_and_knows_the_engines(self) -> None:
        store = MemoryStorage()
        await store.open()
        async with in_process(store) as router:
            await router.result(CREATE, index="fleet", group="sea")
        async with in_process(store) as router:
            assert await router.engines.group("fleet") == "sea"
            place = {"index": "device-manager", "collection": "models"}
            for name in ("model-asset-Container", "model-measure-battery"):
                assert (await router.result("document:get", _id=name, **place))["_version"] == 1
        await store.close()

    async def test_no_engine_is_forgotten_however_many_there_are(self) -> None:
        names = [f"e{number:04}" for number in range(2_001)]
        store = MemoryStorage()
        async with in_process(store, models=()) as router:
            await router.storage.bulk([declaration(name) for name in names])
        async with in_process(store, models=()) as router:
            listed = (await router.result("device-manager/engine:list"))["engines"]
            assert [engine["index"] for engine in listed] == names
            assert all([await router.engines.exists(name) for name in names])

    async def test_a_changed_model_reaches_the_engines_and_a_dropped_one_serves_on(self) -> None:
        store = MemoryStorage()
        await store.open()
        boat = AssetModel(model="Boat", metadata_mappings={"draught": {"type": "float"}})
        async with in_process(store) as router:
            await router.fleet()
        async with in_process(store, models=(boat,)) as router:
            mapping = await router.result(
                "collection:getMapping", index="fleet", collection="assets"
            )
            assert "draught" in mapping["properties"]["metadata"]["properties"]
            for model in ("Boat", "Container"):
                await router.result(
                    "device-manager/assets:create",
                    {"model": model, "reference": "1"},
                    engineId="fleet",
                )
        await store.close()

    async def test_an_engine_whose_index_is_gone_does_not_stop_the_start(self) -> None:
        store = MemoryStorage()
        await store.open()
        async with in_process(store) as router:
            await router.fleet()
            await router.result("index:delete", index="fleet")
        async with in_process(store) as router:
            with pytest.raises(RouterError, match="fleet"):
                await router.engines.group("fleet")
            # Bringing it up to date makes it whole again.
            await router.result("device-manager/engine:update", index="fleet")
            assert await router.engines.group("fleet") == "commons"
        await store.close()

    async def test_foreign_documents_among_the_engines_are_passed_over(self) -> None:
        async with in_process() as router:
            odd = {"type": "engine-device-manager"}
            place = {"index": "device-manager", "collection": "config"}
            await router.result("document:create", odd, refresh=True, **place)
            assert await router.engines.list() == []

    async def test_models_of_other_groups_stay_out_of_the_mapping(self) -> None:
        boat = AssetModel(
            model="Boat", engine_group="sea", metadata_mappings={"draught": {"type": "float"}}
        )
        async with in_process(models=(CONTAINER, boat)) as router:
            await router.result(CREATE, index="land")
            await router.result(CREATE, index="water", group="sea")
            assert set(router.engines.metadata("land")) == {"height", "weight", "trailer"}
            assert "draught" in router.engines.metadata("water")
            await router.refused(
                "trivium.asset.unknown_model",
                "device-manager/assets:create",
                {"model": "Boat", "reference": "1"},
                engineId="land",
            )
