"""Pipes run in order on copies and may refuse; hooks follow, and nobody waits for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.errors import RouterError
from router.events import Events, Exchange
from tests.support.requests import request, until

UPDATE = "document:beforeUpdate"


def adder(name: str) -> Any:
    async def pipe(payload: list[str]) -> list[str]:
        payload.append(name)
        return payload

    return pipe


class TestNames:
    @pytest.mark.parametrize(
        ("event", "listened"),
        [
            (UPDATE, UPDATE),
            (UPDATE, "document:before*"),
            ("document:afterUpdate", "document:after*"),
            (UPDATE, "document:*"),
            ("document:errorUpdate", "document:*"),
            ("device-manager:asset:update:before", "device-manager:asset:update:*"),
            ("kuzzle:state:ready", "kuzzle:state:*"),
        ],
    )
    def test_heard(self, event: str, listened: str) -> None:
        events = Events()
        events.add_pipe(listened, adder("x"))
        assert events.heard(event)

    @pytest.mark.parametrize(
        ("event", "listened"),
        [
            (UPDATE, "document:afterUpdate"),
            ("document:afterUpdate", "document:before*"),
            ("document:errorUpdate", "document:error*"),
            ("device-manager:asset:update:before", "device-manager:*"),
            ("document:update", "document:before*"),
            ("plain", "*"),
            ("plain", ":*"),
        ],
    )
    def test_not_heard(self, event: str, listened: str) -> None:
        events = Events()
        events.add_pipe(listened, adder("x"))
        events.add_hook(listened, adder("x"))
        assert not events.heard(event)

    def test_a_listener_that_comes_later_is_heard(self) -> None:
        events = Events()
        assert not events.heard(UPDATE)
        events.add_hook(UPDATE, adder("x"))
        assert events.heard(UPDATE)


class TestPipes:
    async def test_they_run_from_the_exact_name_to_the_widest(self) -> None:
        events = Events()
        for listened in ("document:*", "document:before*", UPDATE):
            events.add_pipe(listened, adder(f"1 {listened}"))
            events.add_pipe(listened, adder(f"2 {listened}"))
        assert await events.trigger(UPDATE, []) == [
            f"{number} {listened}"
            for listened in (UPDATE, "document:before*", "document:*")
            for number in (1, 2)
        ]

    async def test_a_plain_function_is_a_pipe(self) -> None:
        events = Events()
        events.add_pipe(UPDATE, lambda payload: [*payload, "sync"])
        assert await events.trigger(UPDATE, []) == ["sync"]

    async def test_without_pipes_the_payload_is_returned(self) -> None:
        payload = object()
        assert await Events().trigger(UPDATE, payload) is payload

    async def test_what_a_pipe_does_to_its_copy_changes_nothing(self) -> None:
        events = Events()
        events.add_pipe(UPDATE, lambda payload: payload["list"].clear() or {"other": 1})
        payload = {"list": [1]}
        assert await events.trigger(UPDATE, payload) == {"other": 1}
        assert payload == {"list": [1]}

    async def test_a_router_error_passes_as_it_is(self) -> None:
        events = Events()
        failure = RouterError("services.storage.not_found", "a", "b", "c")

        def refuse(payload: object) -> object:
            raise failure

        events.add_pipe(UPDATE, refuse)
        events.add_pipe(UPDATE, adder("never"))
        with pytest.raises(RouterError) as refusal:
            await events.trigger(UPDATE, [])
        assert refusal.value is failure

    @pytest.mark.parametrize(
        ("error", "text"), [(ValueError("not so"), "not so"), (KeyError(), "KeyError()")]
    )
    async def test_any_other_exception_is_the_applications(
        self, error: Exception, text: str
    ) -> None:
        events = Events()

        async def fail(payload: object) -> object:
            raise error

        events.add_pipe(UPDATE, fail)
        with pytest.raises(RouterError) as refusal:
            await events.trigger(UPDATE, {})
        assert (refusal.value.id, refusal.value.status) == ("plugin.runtime.unexpected_error", 500)
        assert text in refusal.value.message

    async def test_a_pipe_that_returns_nothing_breaks_the_next_ones(self) -> None:
        events = Events()
        events.add_pipe(UPDATE, lambda payload: None)
        assert await events.trigger(UPDATE, {}) is None
        events.add_pipe(UPDATE, adder("next"))
        with pytest.raises(RouterError) as refusal:
            await events.trigger(UPDATE, [])
        assert refusal.value.id == "plugin.runtime.unexpected_error"
        assert "returned nothing" in refusal.value.message

    async def test_something_cancelled_inside_a_pipe_is_an_error(self) -> None:
        events = Events()

        async def wait_for_a_lost_task(payload: object) -> object:
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task
            return payload

        events.add_pipe(UPDATE, wait_for_a_lost_task)
        with pytest.raises(RouterError) as refusal:
            await events.trigger(UPDATE, {})
        assert refusal.value.id == "plugin.runtime.unexpected_error"

    async def test_cancelling_the_request_cancels_its_pipe(self) -> None:
        events, reached = Events(), asyncio.Event()

        async def hang(payload: object) -> object:
            reached.set()
            await asyncio.Event().wait()
            return payload

        events.add_pipe(UPDATE, hang)
        task = asyncio.ensure_future(events.trigger(UPDATE, {}))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestHooks:
    async def test_they_get_the_final_payload_and_are_not_waited_for(self) -> None:
        events, opened, seen = Events(), asyncio.Event(), list[object]()

        async def hook(payload: object) -> None:
            await opened.wait()
            seen.append(payload)

        events.add_pipe(UPDATE, adder("piped"))
        events.add_hook(UPDATE, hook)
        payload = await events.trigger(UPDATE, [])
        assert seen == []
        opened.set()
        await until(lambda: bool(seen))
        assert seen == [["piped"]]
        assert seen[0] is not payload

    async def test_their_errors_are_told_and_change_nothing(self) -> None:
        told: list[tuple[str, str]] = []
        events = Events(lambda event, error: told.append((event, repr(error))))

        def hook(payload: object) -> None:
            raise ValueError("hook")

        events.add_hook(UPDATE, hook)
        assert await events.trigger(UPDATE, 1) == 1
        await until(lambda: bool(told))
        assert told == [(UPDATE, "ValueError('hook')")]

    async def test_their_errors_are_logged_if_nobody_is_told(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        events = Events()

        def hook(payload: object) -> None:
            raise ValueError("hook broke")

        events.add_hook(UPDATE, hook)
        await events.trigger(UPDATE, 1)
        await events.settle(60)
        captured = capsys.readouterr()
        assert "hook broke" in captured.out + captured.err

    async def test_they_do_not_run_if_a_pipe_refused(self) -> None:
        events, seen = Events(), list[object]()

        def refuse(payload: object) -> object:
            raise RouterError("api.assert.body_required")

        events.add_pipe(UPDATE, refuse)
        events.add_hook(UPDATE, seen.append)
        with pytest.raises(RouterError):
            await events.trigger(UPDATE, 1)
        await events.settle(60)
        assert seen == []

    async def test_so_many_run_at_a_time(self) -> None:
        told: list[BaseException] = []
        events = Events(lambda _, error: told.append(error), hooks_max=1)
        opened = asyncio.Event()

        async def hook(payload: object) -> None:
            await opened.wait()

        events.add_hook(UPDATE, hook)
        await events.trigger(UPDATE, 1)
        await events.trigger(UPDATE, 2)
        assert [getattr(error, "id", None) for error in told] == ["api.process.overloaded"]
        opened.set()
        await events.settle(60)
        await events.trigger(UPDATE, 3)
        await events.settle(60)
        assert len(told) == 1

    async def test_settling_waits_for_them_and_then_cancels(self) -> None:
        events, ends = Events(), list[str]()

        async def quick(payload: object) -> None:
            await asyncio.sleep(0)
            ends.append("quick")

        async def endless(payload: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("cancelled")

        events.add_hook(UPDATE, quick)
        events.add_hook(UPDATE, endless)
        await events.trigger(UPDATE, 1)
        await events.settle(0.05)
        assert ends == ["quick", "cancelled"]
        await events.settle(0.05)


async def test_an_exchange_is_copied_with_what_it_holds() -> None:
    events = Events()
    failure = RouterError("api.assert.body_required")
    first = Exchange(request(index="i", body={"a": [1]}), {"r": []}, failure)
    seen: list[Exchange] = []

    def pipe(exchange: Exchange) -> Exchange:
        seen.append(exchange)
        return exchange

    events.add_pipe(UPDATE, pipe)
    await events.trigger(UPDATE, first)
    assert seen[0].request == first.request
    assert seen[0].request.body is not first.request.body
    assert seen[0].result == {"r": []}
    assert seen[0].result is not first.result
    assert seen[0].error is failure
