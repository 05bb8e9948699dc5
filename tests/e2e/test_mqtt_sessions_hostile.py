"""Sessions under those who want other people's, or too many of their own."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from router.settings import MqttSessionSettings, Settings
from tests.support.mqtt_client import BOTH, RESPONSE
from tests.support.mqtt_wire import NOW, RawClient, client, listening, raw, until
from tests.support.people import ADA, ROOT, peopled

LASTING = Properties(session_expiry_interval=60)


async def come(connection: RawClient, **fields: Any) -> Connack:
    """Connect a client whose session is kept; the CONNACK."""
    hello: dict[str, Any] = {"client_id": "shared", "clean_start": False, **fields}
    if connection.version == V5:
        hello.setdefault("properties", LASTING)
    await connection.send(Connect(version=connection.version, **hello))
    connack = await connection.receive()
    assert isinstance(connack, Connack)
    return connack


def named(person: dict[str, str]) -> dict[str, Any]:
    """The credentials of a person."""
    return {"username": person["username"], "password": person["password"].encode()}


@pytest.mark.parametrize("clean", [False, True])
async def test_the_client_id_of_another_user_opens_nothing(clean: bool) -> None:
    async with peopled() as server:
        async with raw(server.mqtt_port) as ada:
            assert (await come(ada, **named(ADA))).reason == 0
            await ada.ask(NOW, qos=1, packet_id=1)
            answer = await ada.receive()
            assert isinstance(answer, Publish)
            ada.reset()
        async with raw(server.mqtt_port) as root:
            connack = await come(root, clean_start=clean, **named(ROOT))
            assert (connack.reason, connack.session_present) == (0, False)
            await root.send(Pingreq())
            assert await root.receive() == Pingresp()
            async with raw(server.mqtt_port) as nobody:
                connack = await come(nobody, clean_start=clean)
                assert (connack.reason, connack.session_present) == (0, False)
            async with raw(server.mqtt_port) as ada:
                assert (await come(ada, **named(ADA))).session_present
                again = await ada.receive()
                assert isinstance(again, Publish)
                assert (again.payload, again.dup) == (answer.payload, True)
            await root.send(Pingreq())
            assert await root.receive() == Pingresp()


@pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 3), (V5, Reason.QUOTA_EXCEEDED)])
async def test_a_flood_of_sessions_drives_nobody_out(version: int, reason: int) -> None:
    few = Settings(mqtt_sessions=MqttSessionSettings(most=20, most_per_user=20))
    async with listening(few) as served:
        for number in range(30):
            async with raw(served.port, version) as device:
                connack = await come(device, client_id=f"flood-{number}")
                assert connack.reason == (0 if number < 20 else reason)
        async with client(served.port, version, client_id="clean") as clean:
            await clean.ask(NOW)
            assert (await clean.answer())["status"] == 200
        await until(lambda: len(served.listener.sessions) == 20)
        async with raw(served.port, version) as first:
            assert (await come(first, client_id="flood-0")).session_present
        assert served.listener.sessions.kept == 20


@pytest.mark.parametrize("version", BOTH)
async def test_acknowledgements_that_nobody_asked_for_change_nothing(version: int) -> None:
    async with listening() as served:
        for _ in range(2):
            async with raw(served.port, version) as device:
                assert (await come(device)).reason == 0
                for packet_id in (1, 2, 65_535):
                    await device.send(Puback(packet_id=packet_id), Pubcomp(packet_id=packet_id))
                    await device.send(Pubrec(packet_id=packet_id), Pubrel(packet_id=packet_id))
                    released, completed = await device.receive(), await device.receive()
                    assert isinstance(released, Pubrel)
                    assert isinstance(completed, Pubcomp)
                await device.ask(NOW, qos=2, packet_id=1)
                answer = await device.receive()
                assert isinstance(answer, Publish)
                assert answer.topic == RESPONSE
                if answer.qos:
                    await device.send(Puback(packet_id=answer.packet_id))
                assert await device.receive() == Pubrec(packet_id=1)
                await device.send(Pubrel(packet_id=1))
                assert await device.receive() == Pubcomp(packet_id=1)


async def test_many_take_overs_leave_one_session() -> None:
    async with listening() as served:
        async with raw(served.port) as first:
            await come(first)
            for _ in range(200):
                async with raw(served.port) as again:
                    assert (await come(again)).session_present
        await until(lambda: served.listener.connections == 0)
        assert len(served.listener.sessions) == served.listener.sessions.kept == 1
        assert len(served.connections) == 1
