"""The same packets to this router and to mosquitto: the same answers, but where the table says
why not. docs/conformance-mqtt.md lists what differs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from protocols.codec.mqtt.properties import Properties
from router.settings import MqttSettings, Settings
from tests.support.mosquitto import mosquitto
from tests.support.mqtt_client import summary
from tests.support.mqtt_wire import BOUND_S, RawClient, listening

pytestmark = pytest.mark.needs("mosquitto")

OPEN = Settings(mqtt=MqttSettings(allow_pub_sub=True, topic_alias_maximum=4))
CLOSE = "close"


def sub(*filters: str, qos: int = 2, packet_id: int = 1, identifier: int = 0, **more: Any) -> Any:
    return Subscribe(
        packet_id=packet_id,
        subscriptions=tuple(Subscription(topic_filter=f, qos=qos, **more) for f in filters),
        properties=Properties(subscription_identifiers=(identifier,) if identifier else ()),
    )


def pub(topic: str, payload: bytes = b"x", qos: int = 0, **more: Any) -> Publish:
    properties = more.pop("properties", {})
    packet_id = more.pop("packet_id", 7 if qos else 0)
    return Publish(
        topic=topic,
        payload=payload,
        qos=qos,
        packet_id=packet_id,
        properties=Properties(**properties),
        **more,
    )


def hello(name: str, version: int = V5, **more: Any) -> Connect:
    return Connect(client_id=name, version=version, **more)


A, B, C = hello("a"), hello("b"), hello("c")
Step = tuple[str, Any]

SEQUENCES: dict[str, list[Step]] = {
    "a message to who subscribes": [
        ("a", [A, sub("t/+")]),
        ("b", [B, pub("t/1", qos=0), pub("t/2", qos=1)]),
        ("b", [pub("t/3", qos=2), Pubrel(packet_id=7)]),
    ],
    "the lower qos": [
        ("a", [A, sub("t", qos=0)]),
        ("c", [C, sub("t", qos=1)]),
        ("b", [B, pub("t", qos=1)]),
        ("b", [pub("t", qos=2, packet_id=8), Pubrel(packet_id=8)]),
    ],
    "3.1.1 to 5 and back": [
        ("a", [hello("a", V3_1_1), sub("#")]),
        ("b", [B, sub("#")]),
        ("a", [pub("x", qos=1)]),
        ("b", [pub("y", qos=1, properties={"content_type": "text"})]),
    ],
    "overlapping subscriptions": [
        ("a", [A, sub("t/#", qos=1), sub("t/1", qos=2, packet_id=2)]),
        ("b", [B, pub("t/1", qos=2), Pubrel(packet_id=7)]),
    ],
    "identifiers of overlapping subscriptions": [
        ("a", [A, sub("t/#", identifier=1, qos=0), sub("t/1", packet_id=2, identifier=2, qos=0)]),
        ("b", [B, pub("t/1")]),
    ],
    "subscribing again": [
        ("a", [A, sub("t", qos=2, identifier=3), sub("t", qos=0, packet_id=2)]),
        ("b", [B, pub("t", qos=1)]),
    ],
    "unsubscribing": [
        ("a", [A, sub("t", "u"), Unsubscribe(packet_id=2, topic_filters=("t", "z"))]),
        ("b", [B, pub("t"), pub("u")]),
    ],
    "nobody subscribes": [("a", [A, pub("nobody", qos=1)])],
    "nobody subscribes to a message of qos 2": [("a", [A, pub("nobody", qos=2)])],
    "retained": [
        ("b", [B, pub("t", b"1", retain=True, qos=1), pub("u", b"2", retain=True, qos=0)]),
        ("a", [A, sub("#", qos=1)]),
        ("b", [pub("t", b"3", retain=True)]),
        ("b", [pub("t", b"", retain=True)]),
        ("c", [C, sub("t", "u")]),
    ],
    "retained in 3.1.1": [
        ("b", [hello("b", V3_1_1), pub("t", b"1", retain=True, qos=1)]),
        ("a", [hello("a", V3_1_1), sub("t", qos=1)]),
        ("a", [sub("t", qos=0, packet_id=2)]),
    ],
    "retain handling": [
        ("b", [B, pub("t", b"1", retain=True)]),
        ("a", [A, sub("t", qos=0, retain_handling=1), sub("t", qos=0, retain_handling=1)]),
        ("a", [sub("t", qos=0, retain_handling=2), sub("t", qos=0, retain_handling=0)]),
        ("c", [C, sub("t", qos=0, retain_handling=2)]),
    ],
    "retain as published": [
        ("a", [A, sub("t", qos=0, retain_as_published=True)]),
        ("c", [C, sub("t", qos=0)]),
        ("b", [B, pub("t", retain=True), pub("t")]),
    ],
    "no local": [
        ("a", [A, sub("t", qos=0, no_local=True), pub("t")]),
        ("b", [B, pub("t")]),
    ],
    "no local on a shared subscription": [("a", [A, sub("$share/g/t", no_local=True)])],
    "leading wildcards and $": [
        ("a", [A, sub("#", qos=0)]),
        ("c", [C, sub("+/x", qos=0)]),
        ("b", [B, pub("$t/x"), pub("t/x")]),
    ],
    "publishing to $SYS": [("a", [A, pub("$SYS/broker/uptime", qos=1)])],
    "a shared subscription": [
        ("a", [A, sub("$share/g/t/+", qos=0)]),
        ("c", [C, sub("$share/g/t/+", qos=0)]),
        ("b", [B, *(pub(f"t/{n}") for n in range(6))]),
    ],
    "a shared subscription gets no retained": [
        ("b", [B, pub("t", retain=True)]),
        ("a", [A, sub("$share/g/t")]),
    ],
    "an empty share name": [("a", [A, sub("$share//t")])],
    "a wildcard in a share name": [("a", [A, sub("$share/+/t")])],
    "# within a filter": [("a", [A, sub("t/#/u")])],
    "a filter with half a wildcard": [("a", [A, sub("t+")])],
    "an empty filter": [("a", [A, sub("")])],
    "a topic with a wildcard": [("a", [A, pub("t/+", qos=1)])],
    "an empty topic without an alias": [("a", [A, pub("", qos=1)])],
    "a filter of 201 levels": [("a", [A, sub("/" * 200)])],
    "a topic of 201 levels": [("a", [A, pub("/" * 200, qos=1)])],
    "topic aliases": [
        ("a", [A, sub("#", qos=0)]),
        ("b", [B, pub("t/1", properties={"topic_alias": 1})]),
        ("b", [pub("", properties={"topic_alias": 1}), pub("u", properties={"topic_alias": 1})]),
        ("b", [pub("", properties={"topic_alias": 1})]),
    ],
    "an alias of 0": [("a", [A, b"\x30\x08\0\1t\3\x23\0\0x"])],
    "an alias beyond the maximum": [("a", [A, pub("t", properties={"topic_alias": 5})])],
    "an alias that stands for nothing": [("a", [A, pub("", properties={"topic_alias": 2})])],
    "an identifier in a client's PUBLISH": [
        ("a", [A, pub("t", properties={"subscription_identifiers": (1,)})])
    ],
    "a payload that is not what it says": [
        ("a", [A, sub("t", qos=0)]),
        ("b", [B, pub("t", b"\xff", qos=1, properties={"payload_format_indicator": 1})]),
    ],
    "properties go through": [
        ("a", [A, sub("t", qos=0)]),
        (
            "b",
            [
                B,
                pub(
                    "t",
                    properties={
                        "payload_format_indicator": 1,
                        "content_type": "c",
                        "response_topic": "r",
                        "correlation_data": b"\0",
                        "user_properties": (("k", "1"), ("k", "2")),
                        "message_expiry_interval": 100,
                    },
                ),
            ],
        ),
    ],
    "a will": [
        ("a", [A, sub("w", qos=1)]),
        ("b", [hello("b", will=Will(topic="w", payload=b"bye", qos=1, retain=True))]),
        ("b", CLOSE),
        ("c", [C, sub("w")]),
    ],
    "a will that is taken back": [
        ("a", [A, sub("w")]),
        ("b", [hello("b", will=Will(topic="w", payload=b"bye"))]),
        ("b", [Disconnect()]),
    ],
    "a disconnect with will": [
        ("a", [A, sub("w", qos=0)]),
        ("b", [hello("b", will=Will(topic="w", payload=b"bye"))]),
        ("b", [Disconnect(reason=4)]),
    ],
    "a will in 3.1.1": [
        ("a", [hello("a", V3_1_1), sub("w")]),
        ("b", [hello("b", V3_1_1, will=Will(topic="w", payload=b"bye", qos=2))]),
        ("b", CLOSE),
    ],
    "a second CONNECT": [("a", [A]), ("a", [A])],
    "a qos 2 message again": [
        ("a", [A, sub("t", qos=0)]),
        ("b", [B, pub("t", qos=2)]),
        ("b", [pub("t", qos=2, dup=True)]),
        ("b", [Pubrel(packet_id=7)]),
        ("b", [pub("t", qos=2)]),
    ],
    "PUBREL for nothing": [("a", [A, Pubrel(packet_id=99)])],
    "PUBREC for nothing": [("a", [A, Pubrec(packet_id=99)])],
    "taken over": [("a", [A, sub("t")]), ("b", [A]), ("b", [sub("u")])],
    "taken over in 3.1.1": [("a", [hello("a", V3_1_1)]), ("b", [hello("a", V3_1_1)])],
    "no client id in 3.1.1": [("a", [hello("", V3_1_1, clean_start=False)])],
    "a message too long for the client": [
        ("a", [hello("a", properties=Properties(maximum_packet_size=50)), sub("t", qos=0)]),
        ("b", [B, pub("t", bytes(100)), pub("t", bytes(10))]),
    ],
    "a packet that a client doesn't send": [("a", [A, Pingresp()])],
    "no filters": [("a", [A, b"\x82\x03\0\1\0"])],
    "reserved options": [("a", [A, b"\x82\x07\0\1\0\0\1t\xc0"])],
    "qos 3 asked for": [("a", [A, b"\x82\x07\0\1\0\0\1t\x03"])],
    "qos 3 published": [("a", [A, b"\x36\x06\0\1t\0\1\0"])],
}


@dataclass
class Speaker:
    """One client, and the packets it was sent."""

    client: RawClient
    is_open: bool = True

    async def heard(self) -> list[Packet]:
        """Everything that comes before the answer to a ping, or the end."""
        found: list[Packet] = []
        if not self.is_open:
            return found
        with contextlib.suppress(ConnectionError):
            await self.client.send(Pingreq())
        while True:
            try:
                packet = await self.client.receive()
            except ConnectionError:
                packet = None
            if packet is None:
                self.is_open = False
                return found
            if isinstance(packet, Pingresp):
                return found
            found.append(packet)


async def will_at(one: Speaker) -> list[str]:
    """What one hears as soon as another's connection is seen to be lost."""
    async with asyncio.timeout(BOUND_S):
        while not (heard := await one.heard()):
            await asyncio.sleep(0.01)
    return [_line(each) for each in heard]


async def transcript(port: int, steps: list[Step]) -> list[str]:
    """What every client hears after each step."""
    speakers: dict[str, Speaker] = {}
    told: list[str] = []
    try:
        for number, (name, sent) in enumerate(steps):
            if name not in speakers:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                speakers[name] = Speaker(RawClient(reader, writer, sent[0].version))
            one = speakers[name]
            if sent == CLOSE:
                one.client.writer.transport.abort()
                one.is_open = False
                told += [f"{number} a: {each}" for each in await will_at(speakers["a"])]
            else:
                chunks = [each for each in sent if isinstance(each, bytes)]
                await one.client.send(*(each for each in sent if not isinstance(each, bytes)))
                for chunk in chunks:
                    await one.client.send_bytes(chunk)
            # Who has spoken is asked first: then what it said has reached the others.
            for other in sorted(speakers, key=lambda each: each != name):
                was_open = speakers[other].is_open
                heard = await speakers[other].heard()
                told += [f"{number} {other}: {_line(each)}" for each in heard]
                if was_open and not speakers[other].is_open:
                    told.append(f"{number} {other}: the end")
    finally:
        for each in speakers.values():
            each.client.writer.close()
    return told


def _line(packet: Packet) -> str:
    if isinstance(packet, Connack):
        return f"CONNACK 0x{packet.reason:02X} {packet.session_present}"
    if not isinstance(packet, Publish):
        return summary([packet])[0]
    given = packet.properties
    told = {
        name: getattr(given, name)
        for name in Properties.__struct_fields__
        if getattr(given, name) not in (None, ()) and name != "subscription_identifiers"
    }
    if given.subscription_identifiers:
        told["identifiers"] = sorted(given.subscription_identifiers)
    flags = f"qos {packet.qos}{' retain' if packet.retain else ''}{' dup' if packet.dup else ''}"
    return f"{packet.topic} {flags} {packet.payload[:20]!r} {told or ''}"


DIFFERS = {
    "overlapping subscriptions": "one copy; further ones are allowed (3.3.4)",
    "identifiers of overlapping subscriptions": "one copy, with all identifiers",
    "nobody subscribes to a message of qos 2": "0x10 in a PUBREC, too (3.5.2.1)",
    "no local on a shared subscription": "a protocol error: [MQTT-3.8.3-4]",
    "a shared subscription gets no retained": "none is sent: 4.8.2",
    "an empty share name": "not a filter: [MQTT-4.8.2-1]",
    "a wildcard in a share name": "not a filter: [MQTT-4.8.2-2]",
    "a topic with a wildcard": "malformed, there a protocol error",
    "a filter of 201 levels": "refused from 201 levels on, there from 202",
    "a topic of 201 levels": "refused from 201 levels on, there from 202",
    "an alias of 0": "topic alias invalid, there malformed",
    "an identifier in a client's PUBLISH": "a protocol error: [MQTT-3.3.4-6]",
    "a payload that is not what it says": "checked: 0x99 (3.3.2.3.2)",
    "a second CONNECT": "a DISCONNECT says why; both close ([MQTT-3.1.0-2])",
    "a qos 2 message again": "sent on with the PUBLISH, there with the PUBREL (4.3.3)",
    "PUBREL for nothing": "0x92 in the PUBCOMP (3.7.2.1)",
    "PUBREC for nothing": "0x92 in the PUBREL (3.6.2.1)",
    "taken over": "a DISCONNECT with 0x8E: 3.1.4",
    "a packet that a client doesn't send": "a protocol error: 4.13",
    "no filters": "a protocol error: [MQTT-3.8.3-2], there malformed",
}
"""Where mosquitto 2.0 answers otherwise, and why the specification is on our side or leaves it."""


@pytest.mark.parametrize("name", SEQUENCES)
async def test_the_same_is_answered(name: str, tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as port:
        theirs = await transcript(port, SEQUENCES[name])
    async with listening(OPEN) as served:
        ours = await transcript(served.port, SEQUENCES[name])
    assert ours
    if name in DIFFERS:
        assert ours != theirs
    else:
        assert ours == theirs
