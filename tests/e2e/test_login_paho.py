"""paho with a user name and password, or an API key as the password, on MQTT 3.1.1 and 5."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.e2e.test_mqtt_clients import REQUEST, PahoClient
from tests.support.people import ADA, ROOT, peopled
from trivium.server import Server

BOTH = [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]
ME = {"controller": "auth", "action": "getCurrentUser"}
NOW = {"controller": "server", "action": "now"}
MAKE_KEY = {"controller": "auth", "action": "createApiKey", "body": {"description": "device"}}

# What paho makes of return code 4 of MQTT 3.1.1, too.
BAD_USER_NAME_OR_PASSWORD = 0x86


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled() as started:
        yield started


class Device:
    """A paho client with credentials, on a thread of its own."""

    def __init__(self, server: Server, version: MQTTProtocolVersion, name: str, word: str) -> None:
        self.paho = PahoClient(version)
        self.paho.client.username_pw_set(name, word)
        self.paho.client.connect_async("127.0.0.1", server.mqtt_port)
        self.paho.client.loop_start()

    async def __aenter__(self) -> Device:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.paho.client.disconnect()
        self.paho.client.loop_stop()

    async def connected(self) -> int:
        """What paho is told of its CONNECT."""
        code, _ = await self.paho.take(self.paho.connected)
        return int(code.value)

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.paho.client.publish(REQUEST, json.dumps(request), qos=1)
        return await self.paho.envelope()


@pytest.mark.parametrize("version", BOTH)
async def test_good_ones_act_as_their_user(server: Server, version: MQTTProtocolVersion) -> None:
    async with Device(server, version, ROOT["username"], ROOT["password"]) as device:
        assert await device.connected() == 0
        assert (await device.ask(ME))["result"]["_id"] == "root-id"
        assert (await device.ask(NOW))["status"] == 200
        key = (await device.ask(MAKE_KEY))["result"]["_source"]["token"]
    async with Device(server, version, "whoever", key) as device:
        assert await device.connected() == 0
        assert (await device.ask(ME))["result"]["_id"] == "root-id"
    async with Device(server, version, ADA["username"], ADA["password"]) as device:
        assert await device.connected() == 0
        assert (await device.ask(ME))["result"]["_id"] == "ada-id"
        assert (await device.ask(NOW))["error"]["id"] == "security.rights.forbidden"


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    ("name", "word"), [("root", "wrong"), ("nobody", "x"), ("root", "kapikey-a.b.c")]
)
async def test_bad_ones_are_told_so(
    server: Server, version: MQTTProtocolVersion, name: str, word: str
) -> None:
    async with Device(server, version, name, word) as device:
        assert await device.connected() == BAD_USER_NAME_OR_PASSWORD
        assert (await device.paho.take(device.paho.disconnected)).is_failure
