"""Rights on topics, from a role's document to the wire; and what a killed router has kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from router.envelope import JsonObject
from tests.support.devices import BY, Device, allow, device, role
from tests.support.mqtt_wire import BOUND_S, client, raw
from tests.support.people import ADA, ROOT, login, peopled
from tests.support.server import start
from trivium.server import Server

BOTH = [V3_1_1, V5]
OPEN = {"TRIVIUM__MQTT__ALLOW_PUB_SUB": "true"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled(**{"mqtt.allow_pub_sub": True}) as started:
        yield started


class TestRights:
    @pytest.mark.parametrize("version", BOTH)
    async def test_who_has_none_is_refused(self, server: Server, version: int) -> None:
        refused = Reason.NOT_AUTHORIZED if version == V5 else 0x80
        for who in (None, ADA):
            async with device(server, who, version) as one:
                # MQTT 3.1.1 can't tell in a PUBACK.
                assert await one.publish("a") == (Reason.NOT_AUTHORIZED if version == V5 else 0)
                asked = ("a", "#", "$share/g/a", "+", "Kuzzle/request", "$SYS/#")
                assert await one.subscribe(*asked) == (refused,) * 6
                assert await one.subscribe("Kuzzle/response") == (0,)

    async def test_the_administrator_has_all(self, server: Server) -> None:
        async with device(server, ROOT) as root:
            assert await root.subscribe("#", "$SYS/#", "Kuzzle/request") == (0, 0x87, 0x87)
            await root.wire.send(Publish(topic="a", payload=b"1"))
            assert await root.message() == ("a", b"1")

    @pytest.mark.parametrize("version", BOTH)
    async def test_each_user_has_its_own(self, server: Server, version: int) -> None:
        own = role(publish=["up/{userId}/#"], subscribe=["down/{userId}/#"])
        one, other = await allow(server, "one", own), await allow(server, "other", own)
        async with (
            device(server, one, version) as first,
            device(server, other, version) as second,
            device(server, ROOT, version) as root,
        ):
            assert await root.subscribe("up/#") == (0,)
            assert await first.subscribe("down/one/#") == (0,)
            assert all(reason >= 0x80 for reason in await second.subscribe("down/one/#", "#"))
            await second.publish("up/one/t", b"forged")
            await first.publish("up/one/t", b"true")
            assert await root.message() == ("up/one/t", b"true")
            await root.wire.send(Publish(topic="down/one/x", payload=b"hello"))
            assert await first.message() == ("down/one/x", b"hello")

    async def test_tenants_are_apart(self, server: Server) -> None:
        everything: JsonObject = {"controllers": {"*": {"actions": {"*": True}}}}
        a = await allow(server, "a", everything, "tenant-a")
        b = await allow(server, "b", everything, "tenant-b")
        async with device(server, a) as one, device(server, b) as other:
            wide = ("#", "+/x", "tenant-a/#", "$share/g/tenant-a/#", "twins/#", "tenant-b/#")
            assert await other.subscribe(*wide) == (*(Reason.NOT_AUTHORIZED,) * 5, 0)
            assert await one.subscribe("tenant-a/#") == (0,)
            assert await other.publish("tenant-a/x", retain=True) == Reason.NOT_AUTHORIZED
            assert await other.publish("tenant-b/x", b"b") == 0
            assert await other.message() == ("tenant-b/x", b"b")
            assert await one.publish("tenant-a/x", b"a", retain=True) == 0
            assert await one.message() == ("tenant-a/x", b"a")
            await other.wire.ask({"controller": "server", "action": "now"})
            assert (await other.wire.answer())["status"] == 200

    async def test_a_will_needs_the_right(self, server: Server) -> None:
        one = await allow(server, "one", role(publish=["status/{clientId}"]))
        for topic, reason in (("status/c1", 0), ("status/c2", 0x87), ("$SYS/x", 0x87)):
            async with raw(server.mqtt_port) as connection:
                login = {"username": "one", "password": one["password"].encode()}
                will = Will(topic=topic, payload=b"", retain=True)
                await connection.send(Connect(client_id="c1", will=will, **login))
                connack = await connection.receive()
                assert isinstance(connack, Connack)
                assert connack.reason == reason


class TestChanges:
    async def test_they_count_from_the_next_message(self, server: Server) -> None:
        one = await allow(server, "one", role())
        async with device(server, one) as first, device(server, ROOT) as root:
            assert await first.subscribe("a/#", "b/#") == (0, 0)
            assert await root.publish("a/1") == 0
            assert await first.publish("c") == Reason.NO_MATCHING_SUBSCRIBERS
            narrow = role(publish=["d"], subscribe=["b/#"])
            await server.core.register.roles.write("create_or_replace", "one", narrow, BY)
            assert await root.publish("a/2") == Reason.NO_MATCHING_SUBSCRIBERS
            assert await root.publish("b/1") == 0
            assert await first.publish("c") == Reason.NOT_AUTHORIZED
            assert [await first.message() for _ in range(2)] == [("a/1", b"x"), ("b/1", b"x")]
            await server.core.register.roles.write("create_or_replace", "one", role(), BY)
            assert await root.publish("a/3") == 0

    async def test_a_deleted_user_hears_no_more(self, server: Server) -> None:
        one = await allow(server, "one", role())
        async with device(server, one) as first, device(server, ROOT) as root:
            assert await first.subscribe("a") == (0,)
            await server.core.register.users.delete("one", BY)
            assert await root.publish("a") == Reason.NO_MATCHING_SUBSCRIBERS

    async def test_a_token_that_ends_takes_its_rights_along(self, server: Server) -> None:
        await allow(server, "one", role())
        async with device(server, ROOT) as root:
            one = {"username": "one", "password": "one's long password"}
            await root.wire.ask(login(one, expiresIn=4_000))
            token = (await root.wire.answer())["result"]["jwt"]
            async with device(server, {"username": "one", "password": token}) as first:
                assert await first.subscribe("a") == (0,)
                assert await root.publish("a") == 0
                async with asyncio.timeout(BOUND_S):
                    while await root.publish("a") != Reason.NO_MATCHING_SUBSCRIBERS:
                        await asyncio.sleep(0.05)


class TestAway:
    async def test_rights_count_for_who_is_away(self, server: Server) -> None:
        one = await allow(server, "one", role(subscribe=["a/#"]))
        given: dict[str, Any] = {
            "client_id": "device-of-one",
            "username": "one",
            "password": one["password"].encode(),
            "clean_start": False,
            "properties": Properties(session_expiry_interval=1_000),
        }
        async with client(server.mqtt_port, **given) as wire:
            asked = Subscription(topic_filter="a/#", qos=1)
            await wire.send(Subscribe(packet_id=1, subscriptions=(asked,)))
            assert isinstance(await wire.receive(), Suback)
        async with device(server, ROOT) as root:
            assert await root.publish("a/1") == 0
            roles = server.core.register.roles
            await roles.write("create_or_replace", "one", role(subscribe=["b/#"]), BY)
            assert await root.publish("a/2") == Reason.NO_MATCHING_SUBSCRIBERS
            await roles.write("create_or_replace", "one", role(subscribe=["#"]), BY)
            assert await root.publish("a/3") == 0
        async with client(server.mqtt_port, **given) as wire:
            back = Device(wire)
            assert [(await back.message())[0] for _ in range(2)] == ["a/1", "a/3"]


class TestKept:
    async def test_what_was_acknowledged_is_there_after_kill_9(self, tmp_path: Path) -> None:
        running = start(tmp_path, environment=OPEN)
        try:
            async with client(running.mqtt_port) as one:
                for number in range(200):
                    packet_id = number + 1
                    await one.send(
                        Publish(
                            topic=f"kept/{number % 150}",
                            payload=b"%d" % number,
                            qos=1,
                            retain=True,
                            packet_id=packet_id,
                        )
                    )
                    answer = await one.receive()
                    assert isinstance(answer, Puback)
                await Device(one).publish("kept/0", b"", retain=True)
                running.kill()
        finally:
            running.kill()
        again = start(tmp_path, environment=OPEN)
        try:
            async with client(again.mqtt_port) as wire:
                two = Device(wire)
                assert await two.subscribe("kept/#") == (0,)
                got = dict([await two.message() for _ in range(149)])
                expected = {f"kept/{n % 150}": b"%d" % n for n in range(1, 200) if n != 150}
                assert got == expected
        finally:
            again.stop()

    @pytest.mark.parametrize("version", BOTH)
    async def test_a_session_that_waits_gets_what_its_filters_match_after_kill_9(
        self, tmp_path: Path, version: int
    ) -> None:
        stay: dict[str, Any] = {"clean_start": False}
        if version == V5:
            stay["properties"] = Properties(session_expiry_interval=1_000)
        running = start(tmp_path, environment=OPEN)
        try:
            async with client(running.mqtt_port, version, client_id="away", **stay) as one:
                asked = Subscription(topic_filter="a/+/#", qos=1)
                await one.send(Subscribe(packet_id=1, subscriptions=(asked,)))
                assert isinstance(await one.receive(), Suback)
            async with client(running.mqtt_port, client_id="sender") as other:
                for number in range(20):
                    assert await Device(other).publish(f"a/{number}", b"1") == 0
            running.kill()
        finally:
            running.kill()
        again = start(tmp_path, environment=OPEN)
        try:
            async with client(again.mqtt_port, client_id="sender") as other:
                assert await Device(other).publish("a/20", b"2") == 0
                assert await Device(other).publish("b/1") == Reason.NO_MATCHING_SUBSCRIBERS
            async with client(again.mqtt_port, version, client_id="away", **stay) as one:
                got = [await one.receive() for _ in range(21)]
                topics = [packet.topic for packet in got if isinstance(packet, Publish)]
                assert topics == [f"a/{number}" for number in range(21)]
        finally:
            again.stop()
