"""Dispatch answers any request; turns and places keep their promises in any order of events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.actions import ActionTable
from router.admission import Admission
from router.catalogue import CATALOGUE
from router.dispatch import Router
from router.envelope import Connection, Json, Reply, Request, Response
from router.errors import RouterError
from router.events import Events, Exchange
from router.order import Order, Turn
from storage.memory import MemoryStorage
from tests.support.requests import action
from tests.support.small_router import CountingMeter, OpenAuthority

words = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
)


async def reads_everything(request: Request) -> Json:
    names = [request.name(key) for key in ("index", "collection", "_id")]
    flags = [request.flag("source"), request.refresh_strict(), request.refresh_lenient()]
    number = request.integer("retryOnConflict", 0)
    return [names, request.new_id(), number, flags, request.body_field("metadata")]


async def breaks(request: Request) -> Json:
    raise LookupError(request.args)


async def replies(request: Request) -> Reply:
    return Reply(result=request.body, status=201, index="other")


def drop(exchange: Exchange) -> None:
    return None


def spoil(exchange: Exchange) -> Exchange:
    exchange.request.args.clear()
    exchange.result = {"spoiled": True}
    return exchange


def small_table() -> ActionTable:
    return ActionTable(
        [
            action("test:read", reads_everything, order_key=lambda it: it.args.get("_id")),
            action("test:break", breaks),
            action("test:reply", replies, order_key=lambda it: it.index),
        ]
    )


requests = st.builds(
    Request,
    controller=st.sampled_from(["test", "other", ""]) | words,
    action=st.sampled_from(["read", "break", "reply", ""]) | words,
    connection=st.builds(
        Connection, id=words, wire=st.sampled_from(["http", "websocket", "mqtt", "internal"])
    ),
    request_id=words,
    args=st.dictionaries(
        st.sampled_from(["index", "collection", "_id", "source", "refresh", "retryOnConflict"]),
        values | st.sampled_from(["a", "_a", "wait_for", "false", "7"]),
    ),
    body=st.none() | st.dictionaries(words | st.just("metadata"), values) | st.lists(values),
    jwt=st.none() | words,
    volatile=st.none() | st.dictionaries(words, values),
)
pipes = st.dictionaries(
    st.sampled_from(["test:before*", "test:after*", "test:*", "test:errorRead", "test:errorBreak"]),
    st.sampled_from([drop, spoil, breaks]),
)


def assert_documented(answer: Response, asked: Request) -> None:
    assert answer.request_id == asked.request_id
    assert answer.volatile == asked.volatile or answer.volatile is asked.volatile
    if answer.error is None:
        assert answer.status in (200, 201)
        return
    entry = CATALOGUE[str(answer.error["id"])]
    assert (answer.error["code"], answer.error["status"]) == (entry.code, entry.status)
    assert answer.status == entry.status
    assert answer.result is None


@given(requests, pipes)
@settings(deadline=None)
def test_any_request_gets_a_documented_answer(asked: Request, listeners: dict[str, Any]) -> None:
    events, meter = Events(), CountingMeter()
    for event, pipe in listeners.items():
        events.add_pipe(event, pipe)
    admission = Admission(at_work=1, waiting=0)
    router = Router(
        small_table(),
        events=events,
        authority=OpenAuthority(),
        admission=admission,
        meter=meter,
        memory=MemoryStorage(),
    )
    answer = asyncio.run(router.dispatch(asked))
    assert_documented(answer, asked)
    assert meter.statuses == [answer.status]
    assert admission.running == 0


# What may happen to one of the turns (or requests) that are under way.
steps = st.lists(
    st.tuples(st.sampled_from(["take", "leave", "cancel", "pause"]), st.integers(0, 30)),
    max_size=40,
)


class Writers:
    """Requests on three documents that write in turn, leave early, or are cancelled."""

    def __init__(self) -> None:
        self.order = Order()
        self.taken: dict[int, list[Turn]] = defaultdict(list)
        self.written: dict[int, list[Turn]] = defaultdict(list)
        self.tasks: list[tuple[Turn, asyncio.Task[None]]] = []
        self.gone: set[Turn] = set()

    def take(self, number: int) -> None:
        key = number % 3
        turn = self.order.take(key)
        self.taken[key].append(turn)
        self.tasks.append((turn, asyncio.create_task(self._write(key, turn, number // 3))))

    async def _write(self, key: int, turn: Turn, slowness: int) -> None:
        try:
            for _ in range(slowness):
                await asyncio.sleep(0)
            await turn.wait()
            if turn not in self.gone:
                self.written[key].append(turn)
        finally:
            turn.end()

    def leave(self, number: int) -> None:
        if self.tasks:
            turn = self.tasks[number % len(self.tasks)][0]
            turn.leave()
            self.gone.add(turn)

    def cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)][1].cancel()

    def pause(self, number: int) -> None:
        """Nothing but time passes."""


async def play_turns(happenings: list[tuple[str, int]]) -> None:
    writers = Writers()
    for happening, number in happenings:
        getattr(writers, happening)(number)
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await asyncio.gather(*(task for _, task in writers.tasks), return_exceptions=True)
    for key, turns in writers.written.items():
        places = [writers.taken[key].index(turn) for turn in turns]
        assert places == sorted(places), "somebody overtook"
    unhurt = {turn for turn, task in writers.tasks if not task.cancelled()}
    written = {turn for turns in writers.written.values() for turn in turns}
    assert unhurt - writers.gone <= written <= unhurt
    assert len(writers.order) == 0


@given(steps)
@settings(deadline=None)
def test_turns_of_a_document_come_in_order_whoever_leaves(
    happenings: list[tuple[str, int]],
) -> None:
    asyncio.run(play_turns(happenings))


class Guests:
    """Requests that come in, wait, work until told to end, or give up."""

    def __init__(self, at_work: int, waiting: int) -> None:
        self.admission = Admission(at_work=at_work, waiting=waiting)
        self.bounds = (at_work, waiting)
        self.inside: list[int] = []
        self.arrived: list[int] = []
        self.refused = 0
        self.ends: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def take(self, number: int) -> None:
        name = len(self.tasks)
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name))

    async def _visit(self, name: int) -> None:
        try:
            place = self.admission.enter()
        except RouterError:
            self.refused += 1
            full = (self.admission.running, self.admission.waiting)
            assert full == self.bounds, "refused although there was room"
            return
        if place is not None:
            await self.admission.wait(place)
        self.inside.append(name)
        self.arrived.append(name)
        try:
            await self.ends[name].wait()
        finally:
            self.inside.remove(name)
            self.admission.leave()

    def leave(self, number: int) -> None:
        if self.inside:
            self.ends[self.inside[number % len(self.inside)]].set()

    def cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    def pause(self, number: int) -> None:
        """Nothing but time passes."""

    def check(self) -> None:
        at_work, waiting = self.bounds
        assert len(self.inside) <= self.admission.running <= at_work
        assert self.admission.waiting <= waiting
        assert self.arrived == sorted(self.arrived), "first come, first served"


async def play_guests(at_work: int, waiting: int, happenings: list[tuple[str, int]]) -> None:
    guests = Guests(at_work, waiting)
    for happening, number in happenings:
        getattr(guests, happening)(number)
        guests.check()
        if number % 2:
            await asyncio.sleep(0)
            guests.check()
    for end in guests.ends.values():
        end.set()
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*guests.tasks.values(), return_exceptions=True)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    guests.check()
    assert (guests.admission.running, guests.admission.waiting) == (0, 0)


@given(st.integers(1, 3), st.integers(0, 3), steps)
@settings(deadline=None)
def test_admission_keeps_its_bounds_whoever_gives_up(
    at_work: int, waiting: int, happenings: list[tuple[str, int]]
) -> None:
    asyncio.run(play_guests(at_work, waiting, happenings))
