"""A request with an idempotency key is done once, pipes and all, and answered each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.errors import RouterError
from tests.support.inprocess import InProcess, in_process

UPDATE = "device-manager/asset:update"
BEFORE = "device-manager:asset:update:before"
AFTER = "device-manager:asset:update:after"
REUSED = "api.process.idempotency_key_reused"
THING: dict[str, Any] = {"index": "lab", "collection": "things"}


@pytest.fixture
async def fleet() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.fleet()
        await router.asset("a1", weight=1)
        await router.result("collection:create", {}, **THING)
        yield router


def update(weight: int = 2, key: str = "k", **more: Any) -> dict[str, Any]:
    body = {"metadata": {"weight": weight}}
    return {"body": body, "index": "fleet", "_id": "a1", "idempotencyKey": key, **more}


async def version(fleet: InProcess) -> int:
    stored = await fleet.result("device-manager/asset:get", index="fleet", _id="a1")
    assert isinstance(stored["_version"], int)
    return stored["_version"]


class TestWhatARepeatGets:
    async def test_the_answer_of_the_first_under_its_own_id(self, fleet: InProcess) -> None:
        first = await fleet.ask(UPDATE, **update())
        again = await fleet.ask(UPDATE, **update())
        assert (again.status, again.result, again.etag) == (200, first.result, first.etag)
        assert again.request_id != first.request_id
        assert await version(fleet) == 2

    async def test_the_same_over_another_wire_and_by_query_strings(self, fleet: InProcess) -> None:
        asked = update(source=True, retryOnConflict=3, refresh="wait_for")
        first = await fleet.result(UPDATE, **asked)
        http = {**asked, "source": "", "retryOnConflict": "3", "verb": "PUT"}
        assert await fleet.result(UPDATE, **http, wire="http") == first
        assert await version(fleet) == 2

    async def test_a_refusal_for_another_request(self, fleet: InProcess) -> None:
        await fleet.result(UPDATE, **update())
        for other in (update(weight=3), update(source=True), update(_id="a2"), update(ifVersion=1)):
            error = await fleet.refused(REUSED, UPDATE, **other)
            assert (error["status"], error["props"]) == (422, ["k"])

    async def test_a_key_is_one_users_one_actions_and_one_indexs(self, fleet: InProcess) -> None:
        await fleet.fleet("other")
        asked = {"body": {}, "idempotencyKey": "k", "_id": "a1"}
        await fleet.result(UPDATE, **update())
        await fleet.refused("services.storage.not_found", UPDATE, **{**asked, "index": "other"})
        assert await fleet.result("document:create", **{**asked, **THING})
        assert await version(fleet) == 2

    async def test_nothing_of_what_was_refused_before(self, fleet: InProcess) -> None:
        await fleet.refused("services.storage.not_found", UPDATE, **update(_id="new"))
        await fleet.asset("new")
        assert (await fleet.result(UPDATE, **update(_id="new")))["_version"] == 2

    async def test_a_document_whose_id_the_store_chose(self, fleet: InProcess) -> None:
        asked = {"body": {"n": 1}, "idempotencyKey": "once", **THING}
        first = await fleet.result("document:create", **asked)
        assert await fleet.result("document:create", **asked) == first
        assert (await fleet.result("document:count", **THING))["count"] == 1

    async def test_a_deletion(self, fleet: InProcess) -> None:
        asked = {"index": "fleet", "_id": "a1", "strict": True, "idempotencyKey": "k"}
        first = await fleet.result("device-manager/asset:delete", **asked)
        assert await fleet.result("device-manager/asset:delete", **asked) == first

    async def test_an_upsert_that_created(self, fleet: InProcess) -> None:
        body = {"model": "Truck", "reference": "9", "metadata": {"weight": 1}}
        asked = {"body": body, "index": "fleet", "idempotencyKey": "k"}
        first = await fleet.result("device-manager/asset:upsert", **asked)
        again = await fleet.result("device-manager/asset:upsert", **asked)
        assert first["created"]
        assert again == first


class TestPipes:
    async def test_they_run_once(self, fleet: InProcess) -> None:
        heard: list[str] = []

        def hear(event: str) -> Any:
            return lambda payload: heard.append(event) or payload

        for event in (BEFORE, AFTER):
            fleet.events.add_pipe(event, hear(event))
        first = await fleet.result(UPDATE, **update())
        assert await fleet.result(UPDATE, **update()) == first
        assert heard == [BEFORE, AFTER]

    async def test_a_repeat_goes_on_behind_the_write(self, fleet: InProcess) -> None:
        """The router died between the write and its answer."""
        seen: list[Any] = []

        def enrich(payload: Any) -> Any:
            payload["updates"]["metadata"]["enriched"] = True
            return payload

        def look(payload: Any) -> Any:
            seen.append(payload)
            if len(seen) == 1:
                raise asyncio.CancelledError  # what a router that dies leaves behind
            return payload

        fleet.events.add_pipe(BEFORE, enrich)
        fleet.events.add_pipe(AFTER, look)
        fleet.storage.conclude = _forgetful  # and so does it never keep the answer
        await fleet.ask(UPDATE, **update())
        del fleet.storage.conclude
        again = await fleet.result(UPDATE, **update())
        assert again["_source"]["metadata"] == {"weight": 2, "enriched": True}
        assert again["_version"] == await version(fleet) == 2
        assert seen[0] == seen[1]

    async def test_what_an_after_pipe_refused_stays_refused(self, fleet: InProcess) -> None:
        calls: list[int] = []

        def refuse(payload: Any) -> Any:
            calls.append(1)
            raise RouterError("plugin.runtime.unexpected_error", "no")

        fleet.events.add_pipe(AFTER, refuse)
        for _ in range(2):
            await fleet.refused("plugin.runtime.unexpected_error", UPDATE, **update())
        assert len(calls) == 1
        assert await version(fleet) == 2


async def _forgetful(key: str, answer: Any) -> None:
    """Keeps nothing."""


async def test_a_repeat_waits_for_the_one_at_work(fleet: InProcess) -> None:
    entered, go_on, calls = asyncio.Event(), asyncio.Event(), []

    async def slow(payload: Any) -> Any:
        calls.append(1)
        entered.set()
        await go_on.wait()
        return payload

    fleet.events.add_pipe(BEFORE, slow)
    asked = [fleet.ask(UPDATE, **update(), connection=f"c{n}") for n in range(5)]
    tasks = [asyncio.create_task(each) for each in asked]
    await entered.wait()
    other = await fleet.ask(UPDATE, **update(weight=9), connection="c9")
    assert other.error is not None
    assert other.error["id"] == REUSED
    go_on.set()
    answers = await asyncio.gather(*tasks)
    assert [each.result for each in answers] == [answers[0].result] * 5
    assert (len(calls), await version(fleet)) == (1, 2)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (5, "api.assert.invalid_type"),
        ("", "api.assert.invalid_argument"),
        ("x" * 256, "api.assert.invalid_argument"),
    ],
)
async def test_what_is_no_key(fleet: InProcess, key: Any, error: str) -> None:
    await fleet.refused(error, UPDATE, **update(key=key))


async def test_an_action_on_no_document_takes_none(fleet: InProcess) -> None:
    for name in ("server:now", "document:search", "device-manager/engine:create"):
        error = await fleet.refused(
            "api.process.idempotency_unsupported", name, idempotencyKey="k", index="x"
        )
        assert error["props"] == name.split(":")


async def test_a_quoted_key_is_the_same_as_a_bare_one(fleet: InProcess) -> None:
    await fleet.result(UPDATE, **update(key='"k"'))
    await fleet.result(UPDATE, **update())
    assert await version(fleet) == 2
