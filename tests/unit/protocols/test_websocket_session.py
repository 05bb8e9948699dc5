"""A connection's requests: dispatched in order, bounded in number, refused when stopping."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from protocols.codec.frame import FrameLimits
from protocols.websocket_connection import ConnectionLimits, WebSocketConnection
from protocols.websocket_session import Terms, WebSocketSession
from router.envelope import Connection, Request, Response
from tests.support.small_router import CountingObserver
from tests.support.websocket import MemoryTransport, bounded, frame, request, until

PEER = Connection(id="c", wire="websocket")


class HeldDispatcher:
    """Answers a request once the test says so."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    async def dispatch(self, request: Request) -> Response:
        self.started.append(request.request_id)
        gate = self._gates.setdefault(request.request_id, asyncio.Event())
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.request_id)
            raise
        return Response(request_id=request.request_id, status=200)

    def release(self, *ids: str) -> None:
        for id_ in ids:
            self._gates.setdefault(id_, asyncio.Event()).set()


class House:
    def __init__(self, *, max_requests: int = 3) -> None:
        self.transport = MemoryTransport()
        self.dispatcher = HeldDispatcher()
        self.connection = WebSocketConnection(
            self.transport,
            ConnectionLimits(max_bytes=1_000, max_unsent_bytes=10_000, idle_timeout_s=60),
        )
        self.session = WebSocketSession(
            self.connection,
            self.dispatcher,
            peer=PEER,
            terms=Terms(FrameLimits(), max_requests, "n"),
            observer=CountingObserver(),
        )
        self.connection.attach(self.session)

    def ask(self, *ids: str) -> None:
        self.connection.feed_data(
            b"".join(request(controller="c", action="a", requestId=id_) for id_ in ids)
        )

    def answers(self) -> list[dict[str, Any]]:
        return self.transport.answers()

    async def started(self, *ids: str) -> None:
        await until(lambda: self.dispatcher.started == list(ids), f"{ids} have started")


async def test_requests_start_in_the_order_they_came() -> None:
    house = House()
    house.ask("1", "2", "3")
    await house.started("1", "2", "3")
    house.dispatcher.release("2")
    await until(house.answers, "one answer")
    house.dispatcher.release("1", "3")
    await until(lambda: len(house.answers()) == 3, "three answers")
    assert house.answers()[0]["room"] == "2"


async def test_beyond_the_limit_the_connection_is_not_read_until_all_have_started() -> None:
    house = House(max_requests=2)
    house.ask("1", "2", "3", "4", "5")
    await house.started("1", "2")
    assert house.transport.is_paused
    house.dispatcher.release("1")
    await house.started("1", "2", "3")
    assert house.transport.is_paused
    house.dispatcher.release("2", "3")
    await house.started("1", "2", "3", "4", "5")
    assert not house.transport.is_paused
    house.dispatcher.release("4", "5")
    await until(lambda: len(house.answers()) == 5, "five answers")


async def test_pings_are_answered_though_requests_wait() -> None:
    house = House(max_requests=1)
    house.ask("1", "2")
    house.connection.feed_data(frame('{"p":1}'))
    assert house.answers() == [{"p": 2}]
    await house.session.cancel()


async def test_closed_connection_drops_what_waits_and_finishes_what_is_at_work() -> None:
    house = House(max_requests=1)
    house.ask("1", "2")
    await house.started("1")
    house.connection.feed_eof()
    assert house.session.is_busy()
    house.dispatcher.release("1", "2")
    await bounded(house.session.drain())
    assert house.dispatcher.started == ["1"]
    assert house.dispatcher.cancelled == []
    assert house.answers() == []


async def test_request_right_before_the_close_is_carried_out() -> None:
    house = House()
    house.dispatcher.release("1")
    house.connection.feed_data(
        request(controller="c", action="a", requestId="1") + frame(b"\x03\xe8", 8)
    )
    await bounded(house.session.drain())
    assert house.dispatcher.started == ["1"]
    assert house.answers() == []


async def test_draining_refuses_what_comes_and_waits_for_what_is_at_work() -> None:
    house = House(max_requests=1)
    house.ask("1", "held")
    await house.started("1")
    drain = asyncio.create_task(house.session.drain())
    await asyncio.sleep(0)
    assert not drain.done()
    house.dispatcher.release("1")
    await bounded(drain)
    house.ask("late")
    by_id = {answer["requestId"]: answer for answer in house.answers()}
    assert by_id["1"]["status"] == 200
    assert by_id["held"]["error"]["id"] == "network.entrypoint.shutting_down"
    assert by_id["late"]["error"]["id"] == "network.entrypoint.shutting_down"
    assert house.dispatcher.started == ["1"]


async def test_cancel_ends_what_is_at_work() -> None:
    house = House()
    house.ask("1", "2")
    await house.started("1", "2")
    await bounded(house.session.cancel())
    assert sorted(house.dispatcher.cancelled) == ["1", "2"]
    assert not house.session.is_busy()


async def test_refusal_carries_the_requests_own_id() -> None:
    house = House()
    house.connection.feed_data(frame(json.dumps({"requestId": "r", "jwt": 1})))
    house.connection.feed_data(frame("{"))
    named, unnamed = house.answers()
    assert named["room"] == named["requestId"] == "r"
    assert "room" not in unnamed
