"""What the recorded MQTT client did beside asking: connecting, subscribing, being notified."""

from __future__ import annotations

import json
from typing import Any

import paho.mqtt.client as paho

from tests.contract.golden.replay import differences, exchanges
from tests.e2e.test_mqtt_clients import PahoClient

NOTIFIED = "document:create + notification"
_PLACE = {"index": "golden", "collection": "c"}


async def sessions(port: int) -> dict[str, list[str]]:
    """How each of those exchanges differs."""
    found: dict[str, list[str]] = {}
    device = PahoClient(paho.MQTTv311)
    device.client.connect("127.0.0.1", port)
    device.client.loop_start()
    try:
        await _play(device, found)
    finally:
        device.client.disconnect()
        device.client.loop_stop()
    return found


async def _play(device: PahoClient, found: dict[str, list[str]]) -> None:
    for exchange in exchanges("mqtt"):
        name = exchange["name"]
        if "connack" in exchange:
            code, _ = await device.take(device.connected)
            found[name] = _unlike(exchange["connack"]["returnCode"], code.value)
        elif "granted" in exchange:
            if name == "subscribe channel topic":
                await _listen(device)
            (granted,) = exchange["granted"]
            device.client.subscribe(granted["topic"], 0)
            (code,) = await device.take(device.subscribed)
            found[name] = _unlike("closed" if exchange["error"] else granted["qos"], code.value)
        elif name == NOTIFIED:
            found[name] = await _notified(device, exchange)
        elif name == "publish on forbidden topic":
            device.client.publish("some/topic", "{}", 0)
            answer = await _ask(device, {"controller": "server", "action": "now"})
            found[name] = _unlike(exchange["connectionClosed"], answer["status"] != 200)


async def _listen(device: PahoClient) -> None:
    """Subscribe as the recorded client had, of which there is no record."""
    await _ask(device, {"controller": "collection", "action": "create", **_PLACE})
    await _ask(device, {"controller": "realtime", "action": "subscribe", **_PLACE, "body": {}})


async def _notified(device: PahoClient, exchange: dict[str, Any]) -> list[str]:
    device.client.publish("Kuzzle/request", exchange["publish"]["payload"], 0)
    heard: dict[str, Any] = {}
    for _ in exchange["received"]:
        message = await device.take(device.messages)
        heard[message.topic] = json.loads(message.payload)
    lines: list[str] = []
    for recorded in exchange["received"]:
        lines += differences(recorded["json"], heard[recorded["topic"]])
    # Every notification of a stored document says where the feed tells of it.
    return [line for line in lines if line not in (".feed is new", ".seq is new")]


async def _ask(device: PahoClient, payload: dict[str, Any]) -> Any:
    device.client.publish("Kuzzle/request", json.dumps(payload), 1)
    answer = await device.envelope()
    assert answer["error"] is None, answer
    return answer


def _unlike(recorded: object, ours: object) -> list[str]:
    return [] if recorded == ours else [f"{recorded} became {ours}"]
