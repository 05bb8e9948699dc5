"""Who asks too often is told so, on every wire, and nobody else waits for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websockets

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from protocols.codec.mqtt.reasons import Reason
from router.settings import HttpSettings, MqttSettings, Settings, WebSocketSettings
from tests.support import mqtt_wire
from tests.support.http_house import open_house
from tests.support.mqtt_wire import NOW, bounded
from tests.support.raw_http import get
from tests.support.small_router import small_router, small_table
from tests.support.websocket import listening

LIMIT = 5
FLOOD = 60
"""Far more than twice the limit, which may pass around the turn of a second."""


def assert_limited(statuses: list[int]) -> None:
    """As many as may pass do, others don't, and there is nothing else."""
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= LIMIT
    assert statuses.count(429) > FLOOD // 6


async def ask(client: websockets.ClientConnection, message: str) -> dict[str, Any]:
    await client.send(message)
    answer: dict[str, Any] = json.loads(await bounded(client.recv()))
    return answer


class TestWebSocket:
    SETTINGS = Settings(websocket=WebSocketSettings(rate_limit=LIMIT))

    async def test_a_flood_is_refused_and_the_connection_stays(self) -> None:
        async with listening(small_router(small_table()), self.SETTINGS) as served:
            url = f"ws://127.0.0.1:{served.port}"
            async with websockets.connect(url) as flooding, websockets.connect(url) as calm:
                for _ in range(FLOOD):
                    await flooding.send(json.dumps({**NOW, "requestId": "r"}))
                answers = [json.loads(await bounded(flooding.recv())) for _ in range(FLOOD)]
                assert (await ask(calm, json.dumps(NOW)))["status"] == 200
            assert_limited([answer["status"] for answer in answers])
            refused = next(answer for answer in answers if answer["status"] == 429)
            assert refused["error"]["id"] == "network.websocket.ratelimit_exceeded"
            # As the peer: what is beyond the limit is not read, so it has no id of the client's.
            assert refused["requestId"] != "r"
            assert "room" not in refused

    async def test_pings_count_too(self) -> None:
        async with listening(small_router(small_table()), self.SETTINGS) as served:
            async with websockets.connect(f"ws://127.0.0.1:{served.port}") as client:
                answers = [await ask(client, '{"p":1}') for _ in range(FLOOD)]
            assert {"p": 2} in answers
            assert any(answer.get("status") == 429 for answer in answers)


class TestMqtt:
    SETTINGS = Settings(mqtt=MqttSettings(rate_limit=LIMIT))

    @pytest.mark.parametrize("version", [V3_1_1, V5])
    async def test_a_flood_is_refused_and_the_connection_stays(self, version: int) -> None:
        async with (
            mqtt_wire.listening(self.SETTINGS) as served,
            mqtt_wire.client(served.port, version, client_id="flooding") as flooding,
            mqtt_wire.client(served.port, version, client_id="calm") as calm,
        ):
            for number in range(FLOOD):
                await flooding.ask({**NOW, "requestId": f"r{number}"})
            answers = [await flooding.answer() for _ in range(FLOOD)]
            await calm.ask(NOW)
            assert (await calm.answer())["status"] == 200
        assert_limited([answer["status"] for answer in answers])
        refused = [answer for answer in answers if answer["status"] == 429]
        assert refused[0]["error"]["id"] == "network.mqtt.ratelimit_exceeded"
        assert {answer["requestId"] for answer in answers} == {f"r{n}" for n in range(FLOOD)}

    @pytest.mark.parametrize(("version", "told"), [(V3_1_1, 0x80), (V5, Reason.QUOTA_EXCEEDED)])
    async def test_subscribing_counts_too(self, version: int, told: int) -> None:
        filters = tuple(Subscription(topic_filter=each) for each in ("a", "b"))
        async with (
            mqtt_wire.listening(self.SETTINGS) as served,
            mqtt_wire.client(served.port, version, client_id="flooding") as flooding,
            mqtt_wire.client(served.port, version, client_id="calm") as calm,
        ):
            for number in range(1, FLOOD + 1):
                await flooding.send(Subscribe(packet_id=number, subscriptions=filters))
            answers = [await flooding.receive() for _ in range(FLOOD)]
            await calm.ask(NOW)
            assert (await calm.answer())["status"] == 200
        reasons = [answer.reasons for answer in answers if isinstance(answer, Suback)]
        assert set(reasons) == {(0, 0), (told, told)}
        assert reasons.count((0, 0)) >= LIMIT

    @pytest.mark.parametrize(("qos", "kind"), [(1, Puback), (2, Pubrec)])
    async def test_the_acknowledgement_says_what_the_answer_says(
        self, qos: int, kind: type[Puback | Pubrec]
    ) -> None:
        told = []
        async with (
            mqtt_wire.listening(self.SETTINGS) as served,
            mqtt_wire.client(served.port, V5) as client,
        ):
            for number in range(1, FLOOD + 1):
                await client.ask(NOW, qos=qos, packet_id=number)
                packets = [await client.receive(), await client.receive()]
                acknowledgement = next(packet for packet in packets if isinstance(packet, kind))
                sent = next(packet for packet in packets if isinstance(packet, Publish))
                await client.send(Puback(packet_id=sent.packet_id))
                told.append((json.loads(sent.payload)["status"], acknowledgement.reason))
                if kind is Pubrec and not acknowledgement.reason:
                    await client.send(Pubrel(packet_id=number))
                    await client.receive()
        assert set(told) == {(200, Reason.SUCCESS), (429, Reason.QUOTA_EXCEEDED)}


class TestHttp:
    SETTINGS = Settings(http=HttpSettings(rate_limit=LIMIT, proxies="127.0.0.1"))

    async def test_a_flood_of_one_address_is_refused(self) -> None:
        async with open_house(self.SETTINGS) as house:
            house.is_guarded = False
            answers = [await house.ask(get("/_now")) for _ in range(FLOOD)]
            assert_limited([answer.status for answer in answers])
            refused = next(answer for answer in answers if answer.status == 429)
            assert refused.error_id == "network.http.ratelimit_exceeded"
            assert refused.headers["retry-after"] == "1"
            # Whoever else comes by the same proxy, and whoever asks whether it is alive.
            assert (await house.ask(get("/_now", "X-Forwarded-For: 192.0.2.9"))).status == 200
            assert {(await house.ask(get("/_ready"))).status for _ in range(FLOOD)} == {200}
