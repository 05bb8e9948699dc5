"""Notifications through the application's pipes: changed, dropped, late, and always in order."""

from __future__ import annotations

import asyncio
from typing import Any

from router.connections import SERVER_CHANNEL, Notification
from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}


class Ear:
    """A connection that keeps what it is told, and why it was closed."""

    def __init__(self, lab: InProcess, id: str) -> None:
        self.heard: list[Any] = []
        self.expelled: list[str] = []
        self.changed = asyncio.Event()
        self.id = id
        self._lab = lab
        lab.connections.opened(id, self)

    def notify(self, notification: Notification) -> None:
        # Bytes are made of it, as any wire does.
        notification.encoded("test", lambda made: repr(made.content).encode())
        if notification.content.get("unsendable"):
            raise TypeError("this can't be sent")
        self.heard.append(notification.content)
        self.changed.set()

    def expel(self, reason: str) -> None:
        self.expelled.append(reason)
        self._lab.connections.closed(self.id)
        self.changed.set()

    def unsent(self) -> int:
        return 0

    def hears(self, channel: str) -> bool:
        return bool(channel)

    async def has(self, count: int) -> list[Any]:
        async with asyncio.timeout(60):
            while len(self.heard) < count and not self.expelled:
                self.changed.clear()
                await self.changed.wait()
        return self.heard


async def subscribe(lab: InProcess, id: str, **more: Any) -> Ear:
    ear = Ear(lab, id)
    await lab.result("realtime:subscribe", {}, connection=id, **PLACE, **more)
    return ear


async def publish(lab: InProcess, *numbers: int) -> None:
    for number in numbers:
        await lab.result("realtime:publish", {"n": number}, **PLACE)


def number(content: Any) -> int:
    found: int = content["result"]["_source"]["n"]
    return found


def numbers(contents: list[Any]) -> list[int]:
    return [number(each) for each in contents]


class TestChanges:
    async def test_a_pipe_changes_and_drops(self) -> None:
        async with in_process() as lab:
            dropped: list[int] = []

            def odd_ones_only(content: Any) -> Any:
                content["result"]["_source"]["seen"] = True
                if number(content) % 2:
                    return content
                dropped.append(number(content))
                return None

            after: list[int] = []
            lab.events.add_pipe("notify:document", odd_ones_only)
            lab.events.add_pipe("notify:document", lambda content: content)
            lab.events.add_hook("notify:document", lambda content: after.append(number(content)))
            ear, other = await subscribe(lab, "c1"), await subscribe(lab, "c2", scope="in")
            await publish(lab, 1, 2, 3)
            for each in (ear, other):
                assert numbers(await each.has(2)) == [1, 3]
                assert all(one["result"]["_source"]["seen"] for one in each.heard)
            assert dropped == [2]
            await lab.events.settle(60)
            assert after == [1, 3]

    async def test_what_a_pipe_does_to_it_later_changes_nothing(self) -> None:
        async with in_process() as lab:
            kept: list[Any] = []

            def keep(content: Any) -> Any:
                kept.append(content)
                return content

            lab.events.add_pipe("notify:document", keep)
            lab.events.add_pipe("notify:dispatch", lambda content: content)
            ear = await subscribe(lab, "c1")
            lab.events.add_hook("notify:dispatch", lambda content: content.clear())
            await publish(lab, 1)
            await ear.has(1)
            kept[0].clear()
            await lab.events.settle(60)
            assert numbers(ear.heard) == [1]

    async def test_the_last_pipe_chooses_channels(self) -> None:
        async with in_process() as lab:
            lab.events.add_pipe(
                "core:realtime:notification:dispatch:before",
                lambda parting: {
                    **parting,
                    "channels": parting["channels"][:1],
                    "notification": {**parting["notification"], "x": len(parting["channels"])},
                },
            )
            ear, other = await subscribe(lab, "c1"), await subscribe(lab, "c2", scope="in")
            await publish(lab, 1)
            assert [each["x"] for each in await ear.has(1)] == [2]
            assert other.heard == []

    async def test_users_have_pipes_of_their_own(self) -> None:
        async with in_process() as lab:
            lab.events.add_pipe("notify:user", lambda content: {**content, "told": "so"})
            ear = await subscribe(lab, "c1", users="all")
            await subscribe(lab, "c2")
            await publish(lab, 1)
            came, message = await ear.has(2)
            assert (came["user"], came["told"]) == ("in", "so")
            assert "told" not in message


class TestFaults:
    async def test_what_a_pipe_fails_on_is_not_sent_and_the_next_is(self) -> None:
        async with in_process() as lab:

            def picky(content: Any) -> Any:
                match number(content):
                    case 1:
                        raise ValueError("no")
                    case 2:
                        return "not an object"
                    case 3:
                        return {**content, "unsendable": True}
                return content

            lab.events.add_pipe("notify:document", picky)
            ear = await subscribe(lab, "c1")
            await publish(lab, 1, 2, 3, 4)
            assert numbers(await ear.has(1)) == [4]

    async def test_a_channel_of_nobody_is_a_fault_of_the_pipe(self) -> None:
        async with in_process() as lab:
            lab.events.add_pipe(
                "core:realtime:notification:dispatch:before",
                lambda parting: (
                    {**parting, "channels": ["none"]}
                    if number(parting["notification"]) == 1
                    else parting
                ),
            )
            ear = await subscribe(lab, "c1")
            await publish(lab, 1, 2)
            assert numbers(await ear.has(1)) == [2]

    async def test_a_pipe_that_hangs_holds_the_others_up_so_long(self) -> None:
        async with in_process(pipe_timeout_s=0.2) as lab:

            async def hanging(content: Any) -> Any:
                if number(content) == 1:
                    await asyncio.Event().wait()
                return content

            lab.events.add_pipe("notify:document", hanging)
            ear = await subscribe(lab, "c1")
            await publish(lab, 1, 2)
            assert numbers(await ear.has(1)) == [2]

    async def test_too_many_that_wait_cut_their_listeners_off(self) -> None:
        async with in_process(pipes_at_work=1, pipes_waiting=3) as lab:
            go = asyncio.Event()

            async def slow(content: Any) -> Any:
                await go.wait()
                return content

            lab.events.add_pipe("notify:document", slow)
            ear = await subscribe(lab, "c1")
            await publish(lab, 1, 2, 3)
            assert ear.expelled == []
            await publish(lab, 4)
            assert ear.expelled == ["the application's pipes on notifications are too slow"]
            later = await subscribe(lab, "c2")
            go.set()
            while lab.notifier.deliveries.waiting:
                await asyncio.sleep(0)
            await publish(lab, 5)
            assert numbers(await later.has(1)) == [5]
            assert ear.heard == []


class TestOrder:
    async def test_it_is_that_of_the_writes_however_long_pipes_take(self) -> None:
        async with in_process(pipes_at_work=4) as lab:
            at_work, most = 0, 0

            async def of_any_length(content: Any) -> Any:
                nonlocal at_work, most
                at_work += 1
                most = max(most, at_work)
                for _ in range(number(content) * 7 % 11):
                    await asyncio.sleep(0)
                at_work -= 1
                return content

            lab.events.add_pipe("notify:document", of_any_length)
            ear = await subscribe(lab, "c1")
            await publish(lab, *range(50))
            assert numbers(await ear.has(50)) == [*range(50)]
            assert most == 4

    async def test_who_leaves_meanwhile_is_told_nothing(self) -> None:
        async with in_process() as lab:
            go = asyncio.Event()

            async def slow(content: Any) -> Any:
                await go.wait()
                return content

            lab.events.add_pipe("notify:document", slow)
            ear, other = await subscribe(lab, "c1"), await subscribe(lab, "c2")
            await publish(lab, 1)
            (room,) = lab.notifier.rooms
            await lab.result("realtime:unsubscribe", {"roomId": room.id}, connection="c1")
            late = await subscribe(lab, "c3")
            go.set()
            assert numbers(await other.has(1)) == [1]
            assert ear.heard == late.heard == []


async def test_hooks_hear_who_comes_and_goes() -> None:
    async with in_process() as lab:
        told: list[Any] = []
        for event in ("subscribe", "unsubscribe"):
            lab.events.add_hook(
                f"core:realtime:user:{event}:after",
                lambda payload, event=event: told.append((event, payload["connectionId"])),
            )
        await subscribe(lab, "c1")
        lab.connections.closed("c1")
        await lab.events.settle(60)
        assert told == [("subscribe", "c1"), ("unsubscribe", "c1")]


class TestTheServersOwn:
    """What concerns a connection as a whole: that its token has expired."""

    ENDED = Notification(SERVER_CHANNEL, {"type": "TokenExpired", "status": 200}, is_direct=True)

    async def test_it_passes_the_pipes_of_its_kind_and_all_others(self) -> None:
        async with in_process() as lab:
            ear = Direct(lab, "c1")
            asked: list[Any] = []

            def part(leaving: Any) -> Any:
                asked.append((leaving["channels"], leaving["connectionId"]))
                return leaving

            lab.events.add_pipe("notify:server", lambda content: {**content, "server": True})
            lab.events.add_pipe("notify:dispatch", lambda content: {**content, "any": True})
            lab.events.add_pipe("core:realtime:notification:dispatch:before", part)
            lab.connections.announce("c1", self.ENDED)
            (heard,) = await ear.has(1)
            assert heard == {"type": "TokenExpired", "status": 200, "server": True, "any": True}
            assert ear.direct == [True]
            assert asked == [([SERVER_CHANNEL], "c1")]

    async def test_a_pipe_may_keep_it(self) -> None:
        async with in_process() as lab:
            ear = Direct(lab, "c1")
            lab.events.add_pipe(
                "notify:server", lambda content: content if "n" in content else None
            )
            lab.connections.announce("c1", self.ENDED)
            lab.connections.announce("c1", Notification(SERVER_CHANNEL, {"n": 1}))
            assert await ear.has(1) == [{"n": 1}]

    async def test_without_pipes_it_is_told_at_once(self) -> None:
        async with in_process() as lab:
            ear = Direct(lab, "c1")
            lab.events.add_pipe("notify:document", lambda content: content)
            lab.connections.announce("c1", self.ENDED)
            assert (ear.heard, ear.direct) == ([self.ENDED.content], [True])
            lab.connections.announce("nobody", self.ENDED)


class Direct(Ear):
    """Keeps also what reaches an MQTT client that has not subscribed to it."""

    def __init__(self, lab: InProcess, id: str) -> None:
        super().__init__(lab, id)
        self.direct: list[bool] = []

    def notify(self, notification: Notification) -> None:
        self.direct.append(notification.is_direct)
        super().notify(notification)


class TestHooks:
    """What hooks of the peer's inner events are told, whatever pipes do."""

    async def test_of_documents(self) -> None:
        async with in_process() as lab:
            told: list[Any] = []
            lab.events.add_hook("core:notify:document", told.append)
            room = await lab.result("realtime:subscribe", {}, connection=Ear(lab, "c1").id, **PLACE)
            await publish(lab, 1)
            await lab.result("realtime:publish", {"n": 2}, index="lab", collection="others")
            await lab.events.settle(5)
            (one,) = told
            assert one["rooms"] == [room["roomId"]]
            assert (one["notification"]["scope"], number(one["notification"])) == ("in", 1)

    async def test_of_those_who_come_and_go(self) -> None:
        async with in_process() as lab:
            told: list[Any] = []
            lab.events.add_hook("core:notify:user", told.append)
            await subscribe(lab, "c1")
            await subscribe(lab, "c2")
            lab.connections.closed("c2")
            await lab.events.settle(5)
            assert [each["notification"]["user"] for each in told] == ["in", "out"]
            assert len({each["room"] for each in told}) == 1
