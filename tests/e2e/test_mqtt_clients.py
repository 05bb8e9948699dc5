"""MQTT clients that we did not write, with their defaults: paho, gmqtt, mosquitto's tools."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import gmqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.mqtt_wire import BOUND_S, NOW, Served, bounded, listening, run, until

REQUEST, RESPONSE = "Kuzzle/request", "Kuzzle/response"
VERSIONS = [MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]
RECORD = '{"controller":"test","action":"record"}'


class PahoClient:
    """A paho client on its own thread; its events wait in queues."""

    def __init__(
        self, version: MQTTProtocolVersion, client_id: str = "paho-1", **options: Any
    ) -> None:
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, **options
        )
        self.connected: queue.Queue[tuple[Any, Any]] = queue.Queue()
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.published: queue.Queue[Any] = queue.Queue()
        self.subscribed: queue.Queue[Any] = queue.Queue()
        self.disconnected: queue.Queue[Any] = queue.Queue()
        self.client.on_connect = lambda _c, _u, _f, code, props: self.connected.put((code, props))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_publish = lambda _c, _u, _m, code, _p: self.published.put(code)
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.subscribed.put(codes)
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: self.disconnected.put(code)

    async def take(self, events: queue.Queue[Any]) -> Any:
        """The next event of a kind."""
        return await asyncio.to_thread(events.get, timeout=BOUND_S)

    async def envelope(self) -> dict[str, Any]:
        """The next message, which must be an answer on the usual topic."""
        message = await self.take(self.messages)
        assert (message.topic, message.retain) == (RESPONSE, False)
        return dict(json.loads(message.payload))


@asynccontextmanager
async def paho_client(
    served: Served, version: MQTTProtocolVersion, **options: Any
) -> AsyncIterator[PahoClient]:
    device = PahoClient(version, **options)
    device.client.connect_async("127.0.0.1", served.port)
    device.client.loop_start()
    try:
        code, _ = await device.take(device.connected)
        assert code == 0
        yield device
    finally:
        device.client.disconnect()
        await asyncio.to_thread(device.client.loop_stop)


class TestPaho:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("qos", [0, 1, 2])
    async def test_a_request_is_answered(self, version: MQTTProtocolVersion, qos: int) -> None:
        async with listening() as served, paho_client(served, version) as device:
            device.client.publish(REQUEST, json.dumps({**NOW, "requestId": "r"}), qos=qos)
            assert (await device.envelope())["requestId"] == "r"
            assert await device.take(device.published) == 0

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_a_hundred_requests_of_qos_2_run_once_each(
        self, version: MQTTProtocolVersion
    ) -> None:
        async with listening() as served, paho_client(served, version) as device:
            for number in range(100):
                device.client.publish(REQUEST, RECORD[:-1] + f',"n":{number}}}', qos=2)
            for _ in range(100):
                assert await device.take(device.published) == 0
            assert [request.args["n"] for request in served.recorded] == list(range(100))

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_a_payload_that_is_no_request_is_answered(
        self, version: MQTTProtocolVersion
    ) -> None:
        async with listening() as served, paho_client(served, version) as device:
            device.client.publish(REQUEST, b"{oops", qos=1)
            envelope = await device.envelope()
            assert envelope["error"]["id"] == "network.mqtt.unexpected_error"
            assert envelope["status"] == 400

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_subscribing_is_granted_or_refused_and_doubles_nothing(
        self, version: MQTTProtocolVersion
    ) -> None:
        async with listening() as served, paho_client(served, version) as device:
            for topic, refused in ((RESPONSE, False), ("#", True), (REQUEST, True)):
                device.client.subscribe(topic, qos=1)
                (code,) = await device.take(device.subscribed)
                assert code.is_failure == refused, topic
            for _ in range(2):
                device.client.publish(REQUEST, json.dumps(NOW))
                assert (await device.envelope())["status"] == 200
            assert device.messages.empty()
            assert device.disconnected.empty()

    async def test_a_refused_publish_is_told_why(self) -> None:
        version = MQTTProtocolVersion.MQTTv5
        async with listening() as served, paho_client(served, version) as device:
            device.client.publish("elsewhere", b"x", qos=1)
            assert str(await device.take(device.published)) == "Not authorized"
            device.client.publish(REQUEST, json.dumps(NOW))
            assert (await device.envelope())["status"] == 200

    async def test_a_response_topic_with_correlation_data(self) -> None:
        version = MQTTProtocolVersion.MQTTv5
        async with listening() as served, paho_client(served, version) as device:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic = "mine"
            properties.CorrelationData = b"\x00\x01"
            device.client.publish(REQUEST, json.dumps(NOW), qos=1, properties=properties)
            message = await device.take(device.messages)
            assert (message.topic, message.qos) == ("mine", 1)
            assert message.properties.CorrelationData == b"\x00\x01"

    @pytest.mark.parametrize("version", VERSIONS[1:])
    async def test_a_will_is_carried_out(self, version: MQTTProtocolVersion) -> None:
        async with listening() as served:
            device = PahoClient(version)
            device.client.will_set(REQUEST, RECORD)
            device.client.connect_async("127.0.0.1", served.port)
            device.client.loop_start()
            await device.take(device.connected)
            # The thread ends without a DISCONNECT.
            await asyncio.to_thread(device.client.loop_stop)
            socket = device.client.socket()
            assert socket is not None
            socket.close()
            await until(lambda: served.recorded)

    async def test_a_stop_is_told_with_its_reason(self) -> None:
        version = MQTTProtocolVersion.MQTTv5
        async with (
            listening() as served,
            paho_client(served, version, reconnect_on_failure=False) as device,
        ):
            await bounded(served.listener.stop(1))
            assert str(await device.take(device.disconnected)) == "Server shutting down"


class TestGmqtt:
    @pytest.mark.parametrize("version", [gmqtt.constants.MQTTv311, gmqtt.constants.MQTTv50])
    @pytest.mark.parametrize("qos", [0, 1, 2])
    async def test_a_request_is_answered(self, version: int, qos: int) -> None:
        answers: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

        async def on_message(_c: object, topic: str, payload: bytes, _q: int, _p: object) -> int:
            answers.put_nowait((topic, payload))
            return 0

        async with listening() as served:
            device = gmqtt.Client("gmqtt-1")
            device.on_message = on_message
            await bounded(device.connect("127.0.0.1", served.port, version=version))
            device.publish(REQUEST, json.dumps({**NOW, "requestId": "g"}), qos=qos)
            topic, payload = await bounded(answers.get())
            assert topic == RESPONSE
            assert json.loads(payload)["requestId"] == "g"
            await bounded(device.disconnect())


class TestMosquitto:
    @pytest.mark.needs("mosquitto_rr")
    @pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5", None])
    @pytest.mark.parametrize("qos", ["0", "1", "2"])
    async def test_request_response(self, version: str | None, qos: str) -> None:
        chosen = [] if version is None else ["-V", version]
        async with listening() as served:
            command = ["mosquitto_rr", "-p", str(served.port), "-t", REQUEST, "-e", RESPONSE]
            code, out, err = await run(
                *command, *chosen, "-q", qos, "-W", "50", "-m", json.dumps(NOW)
            )
            assert (code, err) == (0, "")
            assert json.loads(out)["result"]["now"] > 0

    @pytest.mark.needs("mosquitto_rr")
    async def test_request_response_on_a_topic_of_its_own(self) -> None:
        async with listening() as served:
            command = ["mosquitto_rr", "-p", str(served.port), "-t", REQUEST, "-e", "own/topic"]
            code, out, _ = await run(*command, "-W", "50", "-m", json.dumps(NOW))
            assert (code, json.loads(out)["status"]) == (0, 200)

    @pytest.mark.needs("mosquitto_pub")
    @pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
    @pytest.mark.parametrize("qos", ["0", "1", "2"])
    async def test_a_request_published_and_left_is_carried_out(
        self, version: str, qos: str
    ) -> None:
        async with listening() as served:
            command = ["mosquitto_pub", "-p", str(served.port), "-V", version, "-q", qos]
            code, _, err = await run(*command, "-t", REQUEST, "-m", RECORD)
            assert (code, err) == (0, "")
            await until(lambda: len(served.recorded) == 1)

    @pytest.mark.needs("mosquitto_pub")
    async def test_lines_on_standard_input_are_carried_out_in_order(self) -> None:
        lines = "".join(RECORD[:-1] + f',"n":{number}}}\n' for number in range(200))
        async with listening() as served:
            command = ["mosquitto_pub", "-p", str(served.port), "-q", "1", "-t", REQUEST, "-l"]
            code, _, _ = await run(*command, stdin=lines.encode())
            assert code == 0
            await until(lambda: len(served.recorded) == 200)
            assert [request.args["n"] for request in served.recorded] == list(range(200))

    @pytest.mark.needs("mosquitto_pub")
    async def test_publishing_elsewhere_is_refused_by_name(self) -> None:
        async with listening() as served:
            command = ["mosquitto_pub", "-p", str(served.port), "-V", "5", "-q", "1"]
            _, _, err = await run(*command, "-t", "elsewhere", "-m", "x")
            assert "Not authorized" in err

    @pytest.mark.needs("mosquitto_sub")
    @pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
    async def test_subscribing_to_everything_is_refused(self, version: str) -> None:
        async with listening() as served:
            command = ["mosquitto_sub", "-p", str(served.port), "-V", version, "-t", "#"]
            _, _, err = await run(*command, "-W", "50")
            assert "denied" in err

    @pytest.mark.needs("mosquitto_sub", "mosquitto_pub")
    async def test_a_will_of_mosquitto_elsewhere_is_refused(self) -> None:
        async with listening() as served:
            command = ["mosquitto_sub", "-p", str(served.port), "-V", "mqttv311", "-t", "x"]
            code, _, err = await run(*command, "--will-topic", "bye", "--will-payload", "x")
            assert code == 5
            assert "not authorised" in err
