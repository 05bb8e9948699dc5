"""The main job: device-manager/asset:update, and the same under the plural name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.envelope import Connection, Request
from router.errors import RouterError
from tests.support.inprocess import InProcess, in_process

UPDATE = "device-manager/asset:update"
BEFORE = "device-manager:asset:update:before"
AFTER = "device-manager:asset:update:after"
A1 = {"index": "fleet", "_id": "a1"}


@pytest.fixture
async def fleet() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.fleet()
        await router.asset("a1", weight=3, tags=[1, 2], deep={"a": {"b": 1}})
        yield router


async def metadata(router: InProcess) -> Any:
    return (await router.result("device-manager/asset:get", **A1))["_source"]["metadata"]


class TestMerge:
    async def test_objects_merge_arrays_and_scalars_replace_null_stays(
        self, fleet: InProcess
    ) -> None:
        changes = {"metadata": {"deep": {"a": {"c": 2}}, "tags": [3], "weight": None}}
        await fleet.result(UPDATE, changes, **A1)
        assert await metadata(fleet) == {
            "weight": None,
            "tags": [3],
            "deep": {"a": {"b": 1, "c": 2}},
        }

    async def test_equal_content_raises_the_version_by_one(self, fleet: InProcess) -> None:
        for version in (2, 3):
            written = await fleet.result(UPDATE, {"metadata": {"weight": 3}}, **A1)
            assert written["_version"] == version
        assert (await fleet.result(UPDATE, {}, **A1))["_version"] == 4

    async def test_any_part_of_an_asset_can_be_changed(self, fleet: InProcess) -> None:
        await fleet.result(UPDATE, {"softTenant": ["north"], "type": "vehicle"}, **A1)
        source = (await fleet.result("device-manager/asset:get", **A1))["_source"]
        assert (source["softTenant"], source["type"]) == (["north"], "vehicle")
        assert source["metadata"]["weight"] == 3


class TestAnswer:
    async def test_it_holds_the_changes_as_written_and_the_stamp(self, fleet: InProcess) -> None:
        answer = await fleet.ask(UPDATE, {"metadata": {"x": 1}}, **A1)
        assert (answer.status, answer.error, answer.index) == (200, None, "fleet")
        result: Any = answer.result
        assert set(result) == {"_id", "_version", "_source"}
        assert set(result["_source"]) == {"metadata", "_kuzzle_info"}
        assert result["_source"]["metadata"] == {"x": 1}
        assert result["_source"]["_kuzzle_info"]["updater"] == "-1"

    async def test_with_source_it_holds_the_whole_asset(self, fleet: InProcess) -> None:
        whole = await fleet.result(UPDATE, {"metadata": {"x": 1}}, source=True, **A1)
        assert whole["_source"]["metadata"]["weight"] == 3
        assert whole["_source"]["model"] == "Truck"

    async def test_a_stamp_of_the_caller_is_no_content(self, fleet: InProcess) -> None:
        forged = {"_kuzzle_info": {"author": "mallory", "updater": "mallory"}}
        written = await fleet.result(UPDATE, forged, **A1)
        assert written["_source"]["_kuzzle_info"]["author"] == "-1"
        assert written["_source"]["_kuzzle_info"]["updater"] == "-1"


class TestRefresh:
    @pytest.mark.parametrize("refresh", ["wait_for", "foo", True])
    async def test_the_answer_waits_for_searches(self, fleet: InProcess, refresh: object) -> None:
        fleet.storage.hide_until_refresh()
        await fleet.result(UPDATE, {"softTenant": ["n"]}, refresh=refresh, **A1)
        assert await self.found(fleet) == 1

    @pytest.mark.parametrize("refresh", [None, False, "false"])
    async def test_else_it_comes_at_once(self, fleet: InProcess, refresh: object) -> None:
        fleet.storage.hide_until_refresh()
        await fleet.result(UPDATE, {"softTenant": ["n"]}, refresh=refresh, **A1)
        assert await self.found(fleet) == 0
        assert (await metadata(fleet))["weight"] == 3

    @staticmethod
    async def found(fleet: InProcess) -> Any:
        query = {"query": {"term": {"softTenant": "n"}}}
        return (await fleet.result("device-manager/asset:search", query, index="fleet"))["total"]


class TestConflicts:
    async def test_they_are_retried_as_often_as_asked_and_pipes_run_once(
        self, fleet: InProcess
    ) -> None:
        runs: list[object] = []

        def count(payload: object) -> object:
            runs.append(payload)
            return payload

        fleet.events.add_pipe(BEFORE, count)
        fleet.storage.conflict(3)
        written = await fleet.result(UPDATE, {"metadata": {"x": 1}}, retryOnConflict=3, **A1)
        assert written["_version"] == 2
        assert len(runs) == 1

    async def test_one_too_many_is_a_409_and_changes_nothing(self, fleet: InProcess) -> None:
        fleet.storage.conflict(3)
        conflict = "services.storage.version_conflict"
        error = await fleet.refused(
            conflict, UPDATE, {"metadata": {"x": 1}}, retryOnConflict="2", **A1
        )
        assert error["status"] == 409
        assert "x" not in await metadata(fleet)

    async def test_by_default_none_is_retried(self, fleet: InProcess) -> None:
        fleet.storage.conflict(1)
        await fleet.refused("services.storage.version_conflict", UPDATE, {}, **A1)

    async def test_a_change_between_the_before_pipe_and_the_write_is_none(
        self, fleet: InProcess
    ) -> None:
        async def meddle(payload: Any) -> Any:
            body = {"metadata": {"meddled": True}}
            place = {"index": "fleet", "collection": "assets"}
            await fleet.result("document:update", body, connection="other", _id="a1", **place)
            return payload

        fleet.events.add_pipe(BEFORE, meddle)
        written = await fleet.result(UPDATE, {"metadata": {"x": 1}}, **A1)
        assert written["_version"] == 3
        assert (await metadata(fleet))["meddled"] is True
        assert (await metadata(fleet))["x"] == 1


class TestBeforePipe:
    async def test_the_documented_example_enriches_the_update(self, fleet: InProcess) -> None:
        async def enrich(payload: Any) -> Any:
            payload["updates"].setdefault("metadata", {})["enrichedByBeforeAssetUpdate"] = True
            return payload

        fleet.events.add_pipe(BEFORE, enrich)
        written = await fleet.result(UPDATE, {"softTenant": []}, **A1)
        assert written["_source"]["metadata"] == {"enrichedByBeforeAssetUpdate": True}
        assert (await metadata(fleet))["enrichedByBeforeAssetUpdate"] is True

    async def test_it_sees_the_stored_asset_the_body_and_its_metadata(
        self, fleet: InProcess
    ) -> None:
        seen: list[Any] = []

        def look(payload: Any) -> Any:
            seen.append(payload)
            return payload

        fleet.events.add_pipe(BEFORE, look)
        await fleet.result(UPDATE, {"metadata": {"x": 1}, "softTenant": ["n"]}, **A1)
        (payload,) = seen
        assert set(payload) == {"asset", "updates", "metadata"}
        assert payload["asset"]["_id"] == "a1"
        assert payload["asset"]["_version"] == 1
        assert payload["asset"]["_source"]["metadata"]["weight"] == 3
        assert payload["updates"] == {"metadata": {"x": 1}, "softTenant": ["n"]}
        assert payload["metadata"] is payload["updates"]["metadata"]

    async def test_several_run_in_order_each_with_what_the_last_returned(
        self, fleet: InProcess
    ) -> None:
        for letter in "abc":

            def append(payload: Any, letter: str = letter) -> Any:
                payload["updates"]["metadata"]["word"] += letter
                return payload

            fleet.events.add_pipe(BEFORE, append)
        written = await fleet.result(UPDATE, {"metadata": {"word": ""}}, **A1)
        assert written["_source"]["metadata"]["word"] == "abc"

    async def test_what_it_does_to_its_copies_changes_nothing(self, fleet: InProcess) -> None:
        def vandalise(payload: Any) -> Any:
            payload["asset"]["_source"].clear()
            return payload

        fleet.events.add_pipe(BEFORE, vandalise)
        whole = await fleet.result(UPDATE, {"metadata": {"x": 1}}, source=True, **A1)
        assert whole["_source"]["model"] == "Truck"

    async def test_new_updates_take_the_place_of_the_body(self, fleet: InProcess) -> None:
        def swap(payload: Any) -> Any:
            return {**payload, "updates": {"metadata": {"swapped": 1}}}

        fleet.events.add_pipe(BEFORE, swap)
        written = await fleet.result(UPDATE, {"metadata": {"x": 1}}, **A1)
        assert written["_source"]["metadata"] == {"swapped": 1}

    @pytest.mark.parametrize("body", [{"metadata": {"x": 1}}, {"softTenant": []}])
    async def test_new_metadata_alone_is_understood_too(
        self, fleet: InProcess, body: object
    ) -> None:
        def swap(payload: Any) -> Any:
            return {**payload, "metadata": {"swapped": 1}}

        fleet.events.add_pipe(BEFORE, swap)
        written = await fleet.result(UPDATE, body, **A1)
        assert written["_source"]["metadata"] == {"swapped": 1}

    @pytest.mark.parametrize("body", [{"metadata": {"x": 1}}, {"softTenant": []}])
    async def test_new_metadata_and_new_updates_are_both_written(
        self, fleet: InProcess, body: object
    ) -> None:
        def change(payload: Any) -> Any:
            payload["updates"]["groups"] = []
            payload["metadata"] = {**payload["metadata"], "more": 1}
            return payload

        fleet.events.add_pipe(BEFORE, change)
        written = await fleet.result(UPDATE, body, **A1)
        assert written["_source"]["groups"] == []
        assert written["_source"]["metadata"]["more"] == 1

    @pytest.mark.parametrize("wrong", [5, "x", [1], True])
    async def test_metadata_that_is_no_object_never_reaches_it(
        self, fleet: InProcess, wrong: object
    ) -> None:
        heard: list[object] = []
        fleet.events.add_pipe(BEFORE, heard.append)
        await fleet.refused("api.assert.invalid_type", UPDATE, {"metadata": wrong}, **A1)
        assert heard == []

    @pytest.mark.parametrize("outcome", [None, {}, {"updates": 5}, {"metadata": {}}, "payload"])
    async def test_a_payload_without_updates_fails_the_request(
        self, fleet: InProcess, outcome: object
    ) -> None:
        fleet.events.add_pipe(BEFORE, lambda payload: outcome)
        error = await fleet.refused(
            "plugin.runtime.unexpected_error", UPDATE, {"metadata": {"x": 1}}, **A1
        )
        assert error["status"] == 500
        assert "x" not in await metadata(fleet)

    async def test_its_exception_refuses_the_request(self, fleet: InProcess) -> None:
        def refuse(payload: object) -> object:
            raise RouterError("security.rights.forbidden", "a", "b", "c")

        fleet.events.add_pipe(BEFORE, refuse)
        await fleet.refused("security.rights.forbidden", UPDATE, {"metadata": {"x": 1}}, **A1)
        assert "x" not in await metadata(fleet)

    async def test_any_other_exception_is_a_500(self, fleet: InProcess) -> None:
        fleet.events.add_pipe(BEFORE, lambda payload: payload["nope"])
        await fleet.refused("plugin.runtime.unexpected_error", UPDATE, {}, **A1)

    async def test_nobody_hears_of_an_asset_that_is_not_there(self, fleet: InProcess) -> None:
        heard: list[object] = []
        fleet.events.add_pipe(BEFORE, heard.append)
        await fleet.refused("services.storage.not_found", UPDATE, {}, index="fleet", _id="no")
        assert heard == []

    async def test_what_it_adds_must_fit_the_mapping(self, fleet: InProcess) -> None:
        def spoil(payload: Any) -> Any:
            payload["updates"]["colour"] = "red"
            return payload

        fleet.events.add_pipe(BEFORE, spoil)
        await fleet.refused("services.storage.strict_mapping_rejection", UPDATE, {}, **A1)


class TestAfterPipe:
    async def test_it_sees_the_asset_before_and_after_the_write(self, fleet: InProcess) -> None:
        seen: list[Any] = []

        def look(payload: Any) -> Any:
            seen.append(payload)
            return payload

        fleet.events.add_pipe(AFTER, look)
        await fleet.result(UPDATE, {"metadata": {"weight": 4}}, **A1)
        (payload,) = seen
        assert set(payload) == {"asset", "previous", "updates", "metadata"}
        assert payload["asset"]["_version"] == 2
        assert payload["asset"]["_source"]["metadata"]["weight"] == 4
        assert payload["previous"]["_id"] == "a1"
        assert payload["previous"]["_version"] == 1
        assert payload["previous"]["_source"]["metadata"]["weight"] == 3
        assert payload["updates"] == {"metadata": {"weight": 4}}
        assert payload["metadata"] is payload["updates"]["metadata"]

    async def test_its_exception_refuses_the_answer_but_the_write_stands(
        self, fleet: InProcess
    ) -> None:
        fleet.events.add_pipe(AFTER, lambda payload: payload["nope"])
        await fleet.refused("plugin.runtime.unexpected_error", UPDATE, {"metadata": {"x": 1}}, **A1)
        assert (await metadata(fleet))["x"] == 1

    async def test_the_documented_example_writes_again_without_meeting_itself(
        self, fleet: InProcess
    ) -> None:
        runs: list[object] = []

        async def enrich(payload: Any) -> Any:
            runs.append(payload)
            body = {"metadata": {"enrichedByAfterAssetUpdate": True}}
            for controller, arguments in (
                ("document", {"index": "fleet", "collection": "assets", "_id": "a1"}),
                ("device-manager/asset", {"index": "fleet", "_id": "a1"}),
            ):
                answer = await fleet.router.call(
                    Request(
                        controller=controller,
                        action="update",
                        connection=Connection("app", "internal"),
                        args=arguments,
                        body=body,
                    )
                )
                assert answer.error is None
            return payload

        fleet.events.add_pipe(AFTER, enrich)
        await fleet.result(UPDATE, {"metadata": {"x": 1}}, **A1)
        assert (await metadata(fleet))["enrichedByAfterAssetUpdate"] is True
        assert len(runs) == 1

    async def test_a_call_of_the_application_triggers_events_if_it_asks(
        self, fleet: InProcess
    ) -> None:
        runs: list[object] = []

        def count(payload: object) -> object:
            runs.append(payload)
            return payload

        fleet.events.add_pipe(BEFORE, count)
        fleet.events.add_pipe(AFTER, count)
        request = Request(
            controller="device-manager/asset",
            action="update",
            connection=Connection("app", "internal"),
            args={"index": "fleet", "_id": "a1"},
            body={},
        )
        await fleet.router.call(request, events=True)
        assert len(runs) == 2
        await fleet.router.call(request)
        assert len(runs) == 2


class TestHooks:
    async def test_they_get_the_final_payload_and_nobody_waits(self, fleet: InProcess) -> None:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        gate = asyncio.Event()

        def enrich(payload: Any) -> Any:
            payload["updates"]["metadata"]["enriched"] = True
            return payload

        async def hook(payload: Any) -> None:
            await gate.wait()
            heard.put_nowait(payload)

        fleet.events.add_pipe(BEFORE, enrich)
        fleet.events.add_hook(BEFORE, hook)
        fleet.events.add_hook(AFTER, hook)
        await fleet.result(UPDATE, {"metadata": {}}, **A1)
        gate.set()
        async with asyncio.timeout(60):
            payloads = [await heard.get(), await heard.get()]
        assert all(payload["metadata"] == {"enriched": True} for payload in payloads)


class TestOrder:
    async def test_updates_of_one_connection_take_effect_as_they_arrived(
        self, fleet: InProcess
    ) -> None:
        # The earlier a request, the longer its pipe: without order the first would win.
        count = 8
        gates = [asyncio.Event() for _ in range(count)]
        overlapping = 0
        at_once = 0

        async def slow(payload: Any) -> Any:
            nonlocal overlapping, at_once
            overlapping += 1
            at_once = max(at_once, overlapping)
            await gates[payload["metadata"]["n"]].wait()
            overlapping -= 1
            return payload

        fleet.events.add_pipe(BEFORE, slow)
        requests = [
            asyncio.ensure_future(fleet.result(UPDATE, {"metadata": {"n": n}}, **A1))
            for n in range(count)
        ]
        for _ in range(1000):
            await asyncio.sleep(0)
            if at_once == count:
                break
        assert at_once == count  # pipes of different requests overlap
        for gate in reversed(gates):
            gate.set()
            for _ in range(10):
                await asyncio.sleep(0)
        answers = await asyncio.gather(*requests)
        assert [answer["_version"] for answer in answers] == list(range(2, count + 2))
        assert (await metadata(fleet))["n"] == count - 1

    async def test_other_actions_on_the_same_document_keep_the_order_too(
        self, fleet: InProcess
    ) -> None:
        gate = asyncio.Event()

        async def slow(payload: Any) -> Any:
            await gate.wait()
            return payload

        fleet.events.add_pipe(BEFORE, slow)
        place = {"index": "fleet", "collection": "assets", "_id": "a1"}
        first = asyncio.ensure_future(fleet.result(UPDATE, {"metadata": {"n": 1}}, **A1))
        second = asyncio.ensure_future(
            fleet.result("document:update", {"metadata": {"n": 2}}, **place)
        )
        third = asyncio.ensure_future(
            fleet.result("device-manager/asset:delete", source=True, index="fleet", _id="a1")
        )
        for _ in range(100):
            await asyncio.sleep(0)
        assert not second.done()
        gate.set()
        await asyncio.gather(first, second, third)
        assert first.result()["_version"] == 2
        assert second.result()["_version"] == 3
        assert third.result()["_source"]["metadata"]["n"] == 2

    async def test_a_request_that_fails_lets_the_next_pass(self, fleet: InProcess) -> None:
        gate = asyncio.Event()

        async def fail(payload: Any) -> Any:
            if payload["metadata"].get("fails"):
                await gate.wait()
                raise ValueError("made for the test")
            return payload

        fleet.events.add_pipe(BEFORE, fail)
        first = asyncio.ensure_future(fleet.ask(UPDATE, {"metadata": {"fails": True}}, **A1))
        second = asyncio.ensure_future(fleet.ask(UPDATE, {"metadata": {"n": 2}}, **A1))
        for _ in range(50):
            await asyncio.sleep(0)
        gate.set()
        assert (await first).status == 500
        assert (await second).status == 200

    async def test_other_connections_and_other_assets_do_not_wait(self, fleet: InProcess) -> None:
        await fleet.asset("a2")
        gate = asyncio.Event()

        async def slow(payload: Any) -> Any:
            if payload["metadata"].get("slow"):
                await gate.wait()
            return payload

        fleet.events.add_pipe(BEFORE, slow)
        first = asyncio.ensure_future(fleet.ask(UPDATE, {"metadata": {"slow": 1}}, **A1))
        await fleet.result(UPDATE, {"metadata": {}}, connection="other", **A1)
        await fleet.result(UPDATE, {"metadata": {}}, index="fleet", _id="a2")
        gate.set()
        assert (await first).status == 200

    async def test_many_callers_are_merged_one_after_the_other(self, fleet: InProcess) -> None:
        answers = await asyncio.gather(
            *(
                fleet.ask(UPDATE, {"metadata": {f"k{n}": n}}, connection=f"c{n}", **A1)
                for n in range(50)
            )
        )
        assert {answer.status for answer in answers} == {200}
        stored = await metadata(fleet)
        assert all(stored[f"k{n}"] == n for n in range(50))


class TestRefusals:
    async def test_arguments(self, fleet: InProcess) -> None:
        await fleet.refused("api.assert.missing_argument", UPDATE, {}, _id="a1")
        await fleet.refused("api.assert.missing_argument", UPDATE, {}, index="fleet")
        await fleet.refused("api.assert.body_required", UPDATE, **A1)
        for argument in ({"source": 1}, {"retryOnConflict": "x"}, {"_id": 5}, {"index": []}):
            await fleet.refused("api.assert.invalid_type", UPDATE, {}, **{**A1, **argument})
        await fleet.refused("api.assert.invalid_type", UPDATE, [1], **A1)
        for retries in (-1, 101):
            await fleet.refused(
                "api.assert.invalid_argument", UPDATE, {}, retryOnConflict=retries, **A1
            )

    async def test_the_engine_and_the_asset_must_be_there(self, fleet: InProcess) -> None:
        await fleet.result("index:create", index="plain")
        await fleet.result("collection:create", index="halfway", collection="assets")
        for index in ("nope", "plain", "halfway"):
            error = await fleet.refused("trivium.engine.unknown", UPDATE, {}, index=index, _id="a1")
            assert error["status"] == 400
            assert index in error["message"]
        await fleet.refused("services.storage.not_found", UPDATE, {}, index="fleet", _id="nope")

    async def test_the_mapping_is_strict_at_the_root(self, fleet: InProcess) -> None:
        await fleet.refused(
            "services.storage.strict_mapping_rejection", UPDATE, {"colour": 1}, **A1
        )
        await fleet.refused(
            "services.storage.unexpected_bad_request",
            UPDATE,
            {"metadata": {"weight": "heavy"}},
            **A1,
        )

    async def test_the_other_forms_argument_names_the_engine_too(self, fleet: InProcess) -> None:
        await fleet.result(UPDATE, {"metadata": {}}, engineId="fleet", _id="a1")
        error = await fleet.refused(
            "trivium.engine.unknown", UPDATE, {}, index="nope", engineId="fleet", _id="a1"
        )
        assert error["props"][0] == "nope"
