"""Clients that we did not write publish to each other: paho, gmqtt, mosquitto's tools."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import gmqtt
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from router.settings import MqttSettings, Settings
from tests.e2e.test_mqtt_clients import PahoClient, paho_client
from tests.support.mqtt_wire import Served, bounded, listening, run

V4, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
BOTH = [V4, V5]
OPEN = Settings(mqtt=MqttSettings(allow_pub_sub=True))
MOSQUITTO = pytest.mark.needs("mosquitto_sub", "mosquitto_pub")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with listening(OPEN) as started:
        yield started


async def subscribe(device: PahoClient, topic: str, qos: int = 2, **more: Any) -> None:
    """Subscribe, and be granted it."""
    device.client.subscribe(topic, qos=qos, **more)
    (code,) = await device.take(device.subscribed)
    assert not code.is_failure


async def publish(device: PahoClient, topic: str, payload: str, **more: Any) -> Any:
    """Publish with QoS 1; the reason of the PUBACK."""
    device.client.publish(topic, payload, qos=1, **more)
    return await device.take(device.published)


def properties(**values: Any) -> Properties:
    """Those of a PUBLISH."""
    found = Properties(PacketTypes.PUBLISH)
    for name, value in values.items():
        setattr(found, name, value)
    return found


@contextlib.asynccontextmanager
async def two(
    served: Served, receiver: MQTTProtocolVersion, sender: MQTTProtocolVersion
) -> AsyncIterator[tuple[PahoClient, PahoClient]]:
    async with (
        paho_client(served, receiver, client_id="one") as one,
        paho_client(served, sender, client_id="two") as other,
    ):
        yield one, other


class TestPaho:
    @pytest.mark.parametrize("receiver", BOTH)
    @pytest.mark.parametrize("sender", BOTH)
    async def test_messages_of_every_qos(
        self, served: Served, receiver: MQTTProtocolVersion, sender: MQTTProtocolVersion
    ) -> None:
        async with two(served, receiver, sender) as (one, other):
            await subscribe(one, "room/+/temperature")
            for number in range(30):
                other.client.publish(f"room/{number}/temperature", str(number), qos=number % 3)
            got = [await one.take(one.messages) for _ in range(30)]
            # paho gives one of QoS 2 away once it is released, so that each QoS has its own order.
            for qos in range(3):
                assert [(m.topic, m.payload) for m in got if m.qos == qos] == [
                    (f"room/{n}/temperature", b"%d" % n) for n in range(qos, 30, 3)
                ]

    @pytest.mark.parametrize("version", BOTH)
    async def test_retained_messages(self, served: Served, version: MQTTProtocolVersion) -> None:
        async with two(served, version, version) as (one, other):
            for topic, payload in (("s/1", "a"), ("s/1", "b"), ("s/2", "c"), ("s/2", "")):
                await publish(other, topic, payload, retain=True)
            await subscribe(one, "s/#")
            message = await one.take(one.messages)
            assert (message.topic, message.payload, message.retain) == ("s/1", b"b", True)
            await publish(other, "s/1", "live", retain=True)
            message = await one.take(one.messages)
            assert (message.payload, message.retain) == (b"live", False)
            assert one.messages.empty()

    @pytest.mark.parametrize("version", BOTH)
    async def test_a_retained_will(self, served: Served, version: MQTTProtocolVersion) -> None:
        lost = PahoClient(version, "lost")
        lost.client.will_set("status/lost", "gone", qos=1, retain=True)
        lost.client.connect_async("127.0.0.1", served.port)
        lost.client.loop_start()
        await lost.take(lost.connected)
        async with paho_client(served, version, client_id="one") as one:
            await subscribe(one, "status/+")
            await asyncio.to_thread(lost.client.loop_stop)
            socket = lost.client.socket()
            assert socket is not None
            socket.close()
            message = await one.take(one.messages)
            assert (message.topic, message.payload) == ("status/lost", b"gone")
        async with paho_client(served, version, client_id="late") as late:
            await subscribe(late, "#")
            assert (await late.take(late.messages)).retain

    async def test_properties_arrive_as_they_were_sent(self, served: Served) -> None:
        async with two(served, V5, V5) as (one, other):
            given = properties(
                PayloadFormatIndicator=1,
                MessageExpiryInterval=1_000,
                ContentType="text/plain",
                ResponseTopic="back/here",
                CorrelationData=b"\0\1\2",
                UserProperty=[("k", "1"), ("k", "2")],
            )
            await subscribe(one, "t")
            await publish(other, "t", "x", properties=given)
            got = (await one.take(one.messages)).properties
            assert got.PayloadFormatIndicator == 1
            assert 900 < got.MessageExpiryInterval <= 1_000
            assert (got.ContentType, got.ResponseTopic) == ("text/plain", "back/here")
            assert got.CorrelationData == b"\0\1\2"
            assert got.UserProperty == [("k", "1"), ("k", "2")]

    async def test_options_and_identifiers_of_subscriptions(self, served: Served) -> None:
        async with two(served, V5, V5) as (one, other):
            marked = Properties(PacketTypes.SUBSCRIBE)
            marked.SubscriptionIdentifier = 42
            options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
            one.client.subscribe("o/#", options=options, properties=marked)
            (code,) = await one.take(one.subscribed)
            assert code.value == 1
            await publish(one, "o/1", "own")
            await publish(other, "o/2", "others", retain=True)
            message = await one.take(one.messages)
            assert (message.payload, message.retain, message.qos) == (b"others", True, 1)
            assert message.properties.SubscriptionIdentifier == [42]
            assert one.messages.empty()

    async def test_topic_aliases(self, served: Served) -> None:
        async with two(served, V5, V5) as (one, other):
            await subscribe(one, "long/#")
            other.client.publish("long/topic", "1", properties=properties(TopicAlias=7))
            other.client.publish("", "2", properties=properties(TopicAlias=7))
            got = [await one.take(one.messages) for _ in range(2)]
            assert [(m.topic, m.payload) for m in got] == [
                ("long/topic", b"1"),
                ("long/topic", b"2"),
            ]

    async def test_an_alias_out_of_range_ends_that_connection_alone(self, served: Served) -> None:
        async with two(served, V5, V5) as (one, other):
            await subscribe(one, "#")
            other.client.publish("a", "1", properties=properties(TopicAlias=33))
            assert str(await other.take(other.disconnected)) == "Topic alias invalid"
            await publish(one, "b", "2")
            assert (await one.take(one.messages)).topic == "b"

    @pytest.mark.parametrize("version", BOTH)
    async def test_shared_subscriptions(self, served: Served, version: MQTTProtocolVersion) -> None:
        async with two(served, version, version) as (one, other):
            for each in (one, other):
                await subscribe(each, "$share/workers/jobs/#")
            for number in range(20):
                await publish(other, f"jobs/{number}", "x")
            got = [
                (await each.take(each.messages)).topic for each in (one, other) for _ in range(10)
            ]
            assert sorted(got) == sorted(f"jobs/{number}" for number in range(20))
            assert one.messages.empty()
            assert other.messages.empty()

    async def test_publishing_for_the_router_is_refused(self, served: Served) -> None:
        async with two(served, V5, V5) as (one, other):
            await subscribe(one, "Kuzzle/response")
            for topic in ("$SYS/a", "Kuzzle/response"):
                assert str(await publish(other, topic, "x")) == "Not authorized"
            assert one.messages.empty()


class TestGmqtt:
    @pytest.mark.parametrize("version", [gmqtt.constants.MQTTv311, gmqtt.constants.MQTTv50])
    async def test_messages_retained_and_live(self, served: Served, version: int) -> None:
        got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

        async def on_message(_c: object, topic: str, payload: bytes, _q: int, _p: object) -> int:
            got.put_nowait((topic, payload))
            return 0

        device = gmqtt.Client("gmqtt-1")
        device.on_message = on_message
        await bounded(device.connect("127.0.0.1", served.port, version=version))
        device.publish("g/kept", "1", qos=1, retain=True)
        device.subscribe("g/#", qos=2)
        assert await bounded(got.get()) == ("g/kept", b"1")
        device.publish("g/live", "2", qos=2)
        assert await bounded(got.get()) == ("g/live", b"2")
        await bounded(device.disconnect())


@MOSQUITTO
class TestMosquitto:
    @pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
    @pytest.mark.parametrize("qos", ["0", "1", "2"])
    async def test_retained_messages(self, served: Served, version: str, qos: str) -> None:
        given = ["-p", str(served.port), "-V", version, "-q", qos]
        for topic, payload in (("m/a", "1"), ("m/b", "2"), ("n", "3")):
            code, _, err = await run("mosquitto_pub", *given, "-r", "-t", topic, "-m", payload)
            assert (code, err) == (0, "")
        code, out, _ = await run("mosquitto_sub", *given, "-t", "m/#", "-C", "2", "-v", "-W", "50")
        assert (code, sorted(out.splitlines())) == (0, ["m/a 1", "m/b 2"])
        await run("mosquitto_pub", *given, "-r", "-t", "m/a", "-n")
        code, out, _ = await run("mosquitto_sub", *given, "-t", "m/#", "-C", "1", "-v", "-W", "50")
        assert out.splitlines() == ["m/b 2"]

    async def test_lines_arrive_in_order(self, served: Served) -> None:
        given = ["-p", str(served.port), "-q", "1", "-t", "lines"]
        reading = asyncio.create_task(run("mosquitto_sub", *given, "-C", "500", "-W", "50"))
        async with paho_client(served, V5) as probe:
            # Its subscription stands once a message on it finds somebody.
            async with asyncio.timeout(50):
                while (await publish(probe, "lines", "first")).value:
                    await asyncio.sleep(0.01)
        lines = "".join(f"{number}\n" for number in range(499))
        code, _, _ = await run("mosquitto_pub", *given, "-l", stdin=lines.encode())
        assert code == 0
        code, out, _ = await reading
        assert (code, out) == (0, "first\n" + lines)

    async def test_the_routers_own_topics_are_refused_by_name(self, served: Served) -> None:
        given = ["-p", str(served.port), "-V", "5"]
        _, _, err = await run("mosquitto_pub", *given, "-q", "1", "-t", "$SYS/x", "-m", "x")
        assert "Not authorized" in err
        _, _, err = await run("mosquitto_sub", *given, "-t", "Kuzzle/request", "-W", "50")
        assert "denied" in err
