"""Floods of retained messages, subscriptions and levels; a reader that doesn't read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Disconnect,
    Packet,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from protocols.codec.mqtt.reasons import Reason
from router.settings import MqttSettings, Settings
from tests.support.mqtt_wire import RawClient, client, listening, until

BOTH = [V3_1_1, V5]


def settings(**chosen: Any) -> Settings:
    return Settings(mqtt=MqttSettings(allow_pub_sub=True, **chosen))


async def subscribe(one: RawClient, *filters: str, qos: int = 0) -> tuple[int, ...]:
    """The reasons of a SUBACK."""
    asked = tuple(Subscription(topic_filter=each, qos=qos) for each in filters)
    await one.send(Subscribe(packet_id=1, subscriptions=asked))
    suback = await one.receive()
    assert isinstance(suback, Suback), suback
    return suback.reasons


async def messages(one: RawClient, number: int) -> list[Publish]:
    """So many messages."""
    found = [await one.receive() for _ in range(number)]
    return [each for each in found if isinstance(each, Publish)]


async def published(one: RawClient, topic: str, **more: Any) -> int:
    """The reason of a PUBACK."""
    await one.send(Publish(topic=topic, qos=1, packet_id=1, **{"payload": b"x", **more}))
    puback = await one.receive()
    assert isinstance(puback, Puback), puback
    return puback.reason


async def works(port: int) -> None:
    """Two others still reach each other."""
    async with (
        client(port, client_id="good-1") as one,
        client(port, client_id="good-2") as other,
    ):
        assert await subscribe(one, "good/+") == (0,)
        assert await published(other, "good/1") == 0
        assert [each.topic for each in await messages(one, 1)] == ["good/1"]


@pytest.mark.parametrize("version", BOTH)
async def test_a_flood_of_retained_messages_stops_at_the_bound(version: int) -> None:
    async with listening(settings(retained_messages=100)) as served:
        async with client(served.port, version) as flood:
            for number in range(1_000):
                await flood.send(Publish(topic=f"f/{number}", payload=b"x", retain=True))
            reason = await published(flood, "f/one-more", retain=True)
            assert reason == (Reason.QUOTA_EXCEEDED if version == V5 else 0)
        await works(served.port)
        assert len(served.listener.sessions.broker.retained) == 100


async def test_bytes_are_bounded_as_well() -> None:
    async with listening(settings(retained_mb=1)) as served:
        async with client(served.port) as flood:
            reasons = [
                await published(flood, f"f/{number}", payload=bytes(200_000), retain=True)
                for number in range(8)
            ]
        assert reasons == [Reason.NO_MATCHING_SUBSCRIBERS] * 5 + [Reason.QUOTA_EXCEEDED] * 3
        await works(served.port)


@pytest.mark.parametrize("qos", [0, 1])
async def test_who_reads_slowly_gets_all_that_is_retained(qos: int) -> None:
    number, size = 3_000, 4_096
    async with listening(settings(max_unsent_bytes=65_536)) as served:
        broker = served.listener.sessions.broker
        for each in range(number):
            broker.publish(f"r/{each}", bytes(size), qos=1, retain=True)
        async with client(served.port) as slow:
            assert await subscribe(slow, "#", qos=qos) == (qos,)
            got = []
            for _ in range(number):
                packet: Packet | None = await slow.receive()
                assert isinstance(packet, Publish), packet
                got.append(packet.topic)
                if qos:
                    await slow.send(Puback(packet_id=packet.packet_id))
            assert got == [f"r/{each}" for each in range(number)]


async def test_a_flood_of_messages_is_bounded_by_the_rate() -> None:
    async with (
        listening(settings(rate_limit=20)) as served,
        client(served.port, client_id="flood") as flood,
        client(served.port, client_id="good") as good,
    ):
        assert await subscribe(good, "f") == (0,)
        reasons = [await published(flood, "f") for _ in range(200)]
        assert reasons.count(0) >= 20
        assert Reason.QUOTA_EXCEEDED in reasons
        assert len(await messages(good, reasons.count(0))) == reasons.count(0)
        await works(served.port)


@pytest.mark.parametrize("version", BOTH)
async def test_thousands_of_levels_are_refused(version: int) -> None:
    deep = ["/" * 65_535, "+/" * 32_767, "a/" * 32_766 + "#"]
    async with listening(settings()) as served:
        async with client(served.port, version) as hostile:
            refused = Reason.QUOTA_EXCEEDED if version == V5 else 0x80
            assert await subscribe(hostile, *deep, "fine") == (refused,) * 3 + (0,)
            told = Reason.TOPIC_NAME_INVALID if version == V5 else 0
            assert await published(hostile, deep[0], retain=True) == told
            assert len(served.listener.sessions.broker) == 1
        await works(served.port)


async def test_a_flood_of_subscriptions_stops_at_the_bound_and_leaves_nothing() -> None:
    async with listening(settings(max_subscriptions=500)) as served:
        broker = served.listener.sessions.broker
        async with client(served.port) as hostile:
            for turn in range(5):
                filters = [f"$share/g{turn}/{turn}/{number}/+/#" for number in range(300)]
                reasons = await subscribe(hostile, *filters)
                assert set(reasons) <= {0, Reason.QUOTA_EXCEEDED}
            assert len(broker) == 500
            await works(served.port)
        await until(lambda: not len(broker))


async def test_every_combination_of_levels_costs_nobody_else_much() -> None:
    filters = ["/".join("+" if n >> bit & 1 else "a" for bit in range(9)) for n in range(512)]
    async with listening(settings()) as served, client(served.port) as hostile:
        assert set(await subscribe(hostile, *filters)) == {0}
        topic = "/".join("a" * 9)
        await hostile.send(Publish(topic=topic, payload=b"x"))
        assert [each.topic for each in await messages(hostile, 1)] == [topic]
        await works(served.port)


async def test_who_never_reads_is_cut_off_and_the_others_miss_nothing() -> None:
    async with (
        listening(settings(max_unsent_bytes=65_536)) as served,
        client(served.port, client_id="deaf") as deaf,
        client(served.port, client_id="good") as good,
        client(served.port, client_id="sender") as sender,
    ):
        for each in (deaf, good):
            assert await subscribe(each, "#") == (0,)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(120):
            while "quota_exceeded" not in served.observer.reasons:
                await sender.send(Publish(topic="t", payload=bytes(60_000)))
                (message,) = await messages(good, 1)
                assert len(message.payload) == 60_000
        await works(served.port)


async def test_a_disconnect_says_that_the_alias_is_bad() -> None:
    async with listening(settings(topic_alias_maximum=0)) as served:
        async with client(served.port) as hostile:
            await hostile.send_bytes(b"\x30\x08\0\1t\3\x23\0\1x")
            packet = await hostile.receive()
            assert isinstance(packet, Disconnect)
            assert packet.reason == Reason.TOPIC_ALIAS_INVALID
        await works(served.port)
