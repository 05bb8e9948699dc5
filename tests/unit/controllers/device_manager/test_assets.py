"""device-manager/assets, the plugin's current form: declared models, metadata only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.support.inprocess import InProcess, in_process

ASSETS = "device-manager/assets"
BOX = {"model": "Container", "reference": "1", "metadata": {"weight": 5}}
C1 = {"engineId": "fleet", "_id": "Container-1"}


@pytest.fixture
async def fleet() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.fleet()
        await router.result(f"{ASSETS}:create", BOX, engineId="fleet")
        yield router


class TestCreate:
    async def test_a_new_asset_has_what_its_model_says(self, fleet: InProcess) -> None:
        body = {"model": "Container", "reference": "2", "metadata": {"trailer": {}}}
        answer = await fleet.ask(f"{ASSETS}:create", body, engineId="fleet")
        made: Any = answer.result
        assert (answer.index, answer.collection) == ("fleet", "assets")
        assert (made["_id"], made["_version"]) == ("Container-2", 1)
        source = {key: value for key, value in made["_source"].items() if key != "_kuzzle_info"}
        assert source == {
            "model": "Container",
            "reference": "2",
            "modelLocales": {"en": {"friendlyName": "Container", "description": "A box"}},
            "softTenant": [],
            "groups": [],
            # The caller's object takes the place of the whole default.
            "metadata": {"height": 20, "weight": None, "trailer": {}},
            "measures": {"temperatureExt": None, "position": None},
            "lastMeasuredAt": None,
            "linkedDevices": [],
        }

    async def test_refusals(self, fleet: InProcess) -> None:
        create = f"{ASSETS}:create"
        error = await fleet.refused(
            "trivium.asset.unknown_model", create, {**BOX, "model": "No"}, engineId="fleet"
        )
        assert (error["status"], error["message"]) == (404, 'Unknown Asset model "No".')
        await fleet.refused(
            "services.storage.document_already_exists", create, BOX, engineId="fleet"
        )
        odd = {**BOX, "reference": "9", "metadata": {"odd": 1}}
        await fleet.refused(
            "services.storage.strict_mapping_rejection", create, odd, engineId="fleet"
        )
        await fleet.refused("trivium.engine.unknown", create, BOX, engineId="nope")
        await fleet.refused("api.assert.body_required", create, engineId="fleet")
        error = await fleet.refused(
            "api.assert.missing_argument", create, {"model": "Container"}, engineId="fleet"
        )
        assert error["props"] == ["body.reference"]


class TestUpdate:
    async def test_it_merges_metadata_and_answers_the_whole(self, fleet: InProcess) -> None:
        body = {"metadata": {"weight": 6}, "softTenant": ["ignored"]}
        answer = await fleet.ask(f"{ASSETS}:update", body, **C1)
        written: Any = answer.result
        assert (answer.index, answer.collection) == ("fleet", "assets")
        assert written["_version"] == 2
        assert written["_source"]["metadata"]["weight"] == 6
        assert written["_source"]["metadata"]["height"] == 20
        assert written["_source"]["softTenant"] == []

    async def test_pipes_of_the_same_names_run(self, fleet: InProcess) -> None:
        seen: list[Any] = []

        def heavier(payload: Any) -> Any:
            seen.append(payload)
            payload["metadata"]["weight"] += 1
            return payload

        fleet.events.add_pipe("device-manager:asset:update:before", heavier)
        written = await fleet.result(f"{ASSETS}:update", {"metadata": {"weight": 6}}, **C1)
        assert written["_source"]["metadata"]["weight"] == 7
        assert seen[0]["asset"]["_id"] == "Container-1"

    async def test_what_a_pipe_adds_must_be_declared(self, fleet: InProcess) -> None:
        def spoil(payload: Any) -> Any:
            payload["metadata"]["odd"] = 1
            return payload

        fleet.events.add_pipe("device-manager:asset:update:before", spoil)
        error = await fleet.refused(
            "services.storage.strict_mapping_rejection",
            f"{ASSETS}:update",
            {"metadata": {}},
            **C1,
        )
        assert error["props"] == ["odd", "fleet", "assets"]

    async def test_a_pipe_may_take_the_metadata_out(self, fleet: InProcess) -> None:
        def strip(payload: Any) -> Any:
            return {**payload, "updates": {}}

        fleet.events.add_pipe("device-manager:asset:update:before", strip)
        written = await fleet.result(f"{ASSETS}:update", {"metadata": {"weight": 6}}, **C1)
        assert written["_source"]["metadata"]["weight"] == 5

    async def test_retries_and_refresh_work(self, fleet: InProcess) -> None:
        fleet.storage.hide_until_refresh()
        fleet.storage.conflict(2)
        body = {"metadata": {"weight": 44}}
        await fleet.refused("services.storage.version_conflict", f"{ASSETS}:update", body, **C1)
        fleet.storage.conflict(2)
        await fleet.result(f"{ASSETS}:update", body, retryOnConflict=2, refresh="foo", **C1)
        query = {"query": {"term": {"metadata.weight": 44}}}
        assert (await fleet.result(f"{ASSETS}:search", query, engineId="fleet"))["total"] == 1

    async def test_refusals(self, fleet: InProcess) -> None:
        update = f"{ASSETS}:update"
        error = await fleet.refused("api.assert.missing_argument", update, {"x": 1}, **C1)
        assert error["props"] == ["body.metadata"]
        for metadata in ("text", [1]):
            await fleet.refused("api.assert.invalid_type", update, {"metadata": metadata}, **C1)
        await fleet.refused("api.assert.body_required", update, **C1)
        error = await fleet.refused(
            "api.assert.missing_argument", update, {"metadata": {}}, _id="Container-1"
        )
        assert error["props"] == ["engineId"]
        await fleet.refused(
            "services.storage.strict_mapping_rejection", update, {"metadata": {"foo": 1}}, **C1
        )
        await fleet.refused(
            "services.storage.unexpected_bad_request", update, {"metadata": {"weight": "x"}}, **C1
        )
        body: Any = {"metadata": {}}
        await fleet.refused("services.storage.not_found", update, body, engineId="fleet", _id="x")
        await fleet.refused("trivium.engine.unknown", update, body, engineId="nope", _id="x")

    async def test_the_other_forms_argument_names_the_engine_too(self, fleet: InProcess) -> None:
        # `kourou device-manager/assets:update fleet --id Container-1` sends it so.
        body = {"metadata": {"weight": 1}}
        await fleet.result(f"{ASSETS}:update", body, index="fleet", _id="Container-1")


class TestUpsert:
    async def test_it_updates_or_creates(self, fleet: InProcess) -> None:
        body = {**BOX, "metadata": {"weight": 9}}
        written = await fleet.result(f"{ASSETS}:upsert", body, engineId="fleet")
        assert set(written) == {"_id", "_version", "_source"}
        assert written["_source"]["metadata"]["weight"] == 9
        assert written["_source"]["metadata"]["height"] == 20
        made = await fleet.result(f"{ASSETS}:upsert", {**body, "reference": "2"}, engineId="fleet")
        assert (made["_id"], made["_version"]) == ("Container-2", 1)

    async def test_metadata_is_required_unlike_for_a_creation(self, fleet: InProcess) -> None:
        body = {"model": "Container", "reference": "1"}
        error = await fleet.refused(
            "api.assert.missing_argument", f"{ASSETS}:upsert", body, engineId="fleet"
        )
        assert error["props"] == ["body.metadata"]

    async def test_refusals(self, fleet: InProcess) -> None:
        upsert = f"{ASSETS}:upsert"
        await fleet.refused(
            "trivium.asset.unknown_model", upsert, {**BOX, "model": "No"}, engineId="fleet"
        )
        await fleet.refused("trivium.engine.unknown", upsert, BOX, engineId="nope")
        odd = {**BOX, "metadata": {"odd": 1}}
        await fleet.refused(
            "services.storage.strict_mapping_rejection", upsert, odd, engineId="fleet"
        )


class TestTheRest:
    async def test_get_answers_the_whole_asset(self, fleet: InProcess) -> None:
        answer = await fleet.ask(f"{ASSETS}:get", **C1)
        result: Any = answer.result
        assert (answer.index, answer.collection) == ("fleet", "assets")
        assert result["_source"]["metadata"]["weight"] == 5
        await fleet.refused(
            "services.storage.not_found", f"{ASSETS}:get", engineId="fleet", _id="x"
        )
        await fleet.refused("trivium.engine.unknown", f"{ASSETS}:get", engineId="nope", _id="x")

    async def test_search_counts_what_it_fetched(self, fleet: InProcess) -> None:
        answer = await fleet.ask(f"{ASSETS}:search", {"sort": ["reference"]}, engineId="fleet")
        result: Any = answer.result
        assert (answer.index, answer.collection) == ("fleet", "assets")
        assert (result["fetched"], result["total"]) == (1, 1)
        assert result["hits"][0]["_id"] == "Container-1"
        await fleet.refused("trivium.engine.unknown", f"{ASSETS}:search", {}, engineId="nope")

    async def test_delete_answers_no_result(self, fleet: InProcess) -> None:
        answer = await fleet.ask(f"{ASSETS}:delete", **C1)
        assert answer.result is msgspec.UNSET
        assert (answer.status, answer.index, answer.collection) == (200, "fleet", "assets")
        await fleet.refused("services.storage.not_found", f"{ASSETS}:delete", **C1)

    async def test_both_forms_share_their_assets(self, fleet: InProcess) -> None:
        place = {"index": "fleet", "_id": "Container-1"}
        change = {"metadata": {"unmapped": 1, "weight": 8}}
        await fleet.result("device-manager/asset:update", change, **place)
        stored = (await fleet.result(f"{ASSETS}:get", **C1))["_source"]["metadata"]
        assert (stored["unmapped"], stored["weight"]) == (1, 8)

    async def test_a_right_on_either_name_counts_for_both(self, fleet: InProcess) -> None:
        table = fleet.router.table
        for name in ("create", "delete", "get", "search", "update", "upsert"):
            singular = table.find("device-manager/asset", name).rights
            plural = table.find(ASSETS, name).rights
            assert singular == (("device-manager/asset", name), (ASSETS, name))
            assert plural == (singular[1], singular[0])
