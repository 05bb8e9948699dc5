"""Many retained messages go to a client as it takes them. MQTT 5, 3.3.1.3."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.codec.mqtt.packets import V3_1_1, Connect, Packet, Puback, Publish, Unsubscribe
from protocols.codec.mqtt.properties import Properties
from protocols.mqtt.backlog import AT_A_TIME
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.retained import Retained
from router.settings import MqttSessionSettings
from tests.support.mqtt_client import BOTH, Client
from tests.unit.protocols.mqtt.test_publishing import House, publish, subscribe, subscription

MANY = 500


def topics(packets: list[Packet]) -> list[str]:
    return [packet.topic for packet in packets if isinstance(packet, Publish)]


def drained(client: Client, waiting: list[Packet] | None = None) -> list[Packet]:
    """What comes once the client acknowledges what waits for that, and whatever comes."""
    found: list[Packet] = []
    packets = waiting or []
    while packets or client.session.has_backlog:
        ids = [each.packet_id for each in packets if isinstance(each, Publish) and each.qos]
        packets = client.send(*map(_puback, ids)) if ids else []
        client.session.send_backlog()
        packets += client.received()
        found += packets
    return found


def _puback(packet_id: int) -> Packet:
    return Puback(packet_id=packet_id)


@pytest.fixture
def house() -> House:
    house = House()
    retained = Retained(most=2 * MANY, most_bytes=10_000_000, clock=lambda: 0.0)
    house.sessions.broker = Broker(retained, clock=lambda: 0.0)
    for number in range(MANY):
        house.sessions.broker.publish(f"m/{number}", b"x", qos=1, retain=True)
    return house


def subscribed(
    house: House, qos: int, version: int = 5, **fields: Any
) -> tuple[Client, list[Packet]]:
    """A client that has just subscribed to them all, and what it got at once."""
    client = house.client("1", version, **fields)
    return client, subscribe(client, "m/#", qos=qos)


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("qos", [0, 1])
def test_all_of_them_come_once(house: House, version: int, qos: int) -> None:
    client, first = subscribed(house, qos, version)
    assert len(first) <= AT_A_TIME
    got = topics(first + drained(client, first))
    assert sorted(got) == sorted(f"m/{number}" for number in range(MANY))
    assert not client.session.has_backlog


def test_few_wait_to_be_acknowledged(house: House) -> None:
    client, first = subscribed(house, 1, V3_1_1)
    assert len(first) == AT_A_TIME
    assert not client.session.has_backlog
    client.send(Puback(packet_id=1))
    assert client.session.has_backlog


def test_a_newer_message_is_not_followed_by_the_older_one(house: House) -> None:
    client, first = subscribed(house, 0)
    other = house.client("2")
    late = next(f"m/{number}" for number in range(MANY) if f"m/{number}" not in topics(first))
    publish(other, late, b"new", retain=True)
    publish(other, "m/new", b"new", retain=True)
    got = drained(client)
    assert [p.payload for p in got if isinstance(p, Publish) and p.topic == late] == [b"new"]
    assert topics(got).count("m/new") == 1


def test_one_that_was_taken_back_is_not_sent(house: House) -> None:
    client, first = subscribed(house, 0)
    late = next(f"m/{number}" for number in range(MANY) if f"m/{number}" not in topics(first))
    publish(house.client("2"), late, b"", retain=True)
    assert [p.payload for p in drained(client) if isinstance(p, Publish) and p.topic == late] == [
        b""
    ]


def test_who_unsubscribes_gets_no_more(house: House) -> None:
    client, _ = subscribed(house, 0)
    client.send(Unsubscribe(packet_id=5, topic_filters=("m/#",)))
    assert not topics(drained(client))


def test_each_subscription_has_its_turn(house: House) -> None:
    client, _ = subscribed(house, 0)
    client.received()
    subscribe(client, "m/1")
    assert topics(drained(client)).count("m/1") >= 1


def test_a_session_that_is_kept_keeps_them(house: House) -> None:
    fields: Any = {"properties": Properties(session_expiry_interval=100)}
    client, first = subscribed(house, 1, **fields)
    client.session.lost()
    again = Client(5, terms=house.terms, sessions=house.sessions)
    sink: Any = again.session
    house.sessions._connections.opened(again.session.connection.id, sink)
    connect = Connect(client_id="1", clean_start=False, **fields)
    packets = again.send(connect)
    got = topics(packets + drained(again, packets))
    assert sorted({*topics(first), *got}) == sorted(f"m/{number}" for number in range(MANY))


def test_who_subscribes_again_and_again_waits_for_one_turn(house: House) -> None:
    client, first = subscribed(house, 1)
    for _ in range(50):
        client.send(subscription("m/#", qos=1))
    got = topics(first + drained(client, first))
    assert got.count("m/1") == 2


def test_what_was_waited_for_is_forgotten_with_its_subscription(house: House) -> None:
    client, _ = subscribed(house, 1)
    for number in range(50):
        client.send(subscription(f"m/{number}/#", qos=1))
        client.send(Unsubscribe(packet_id=5, topic_filters=(f"m/{number}/#",)))
    assert len(client.session._exchange.backlog._waiting) <= 2


def test_others_have_their_turn_between_two_subscriptions(house: House) -> None:
    client = house.client("1")
    client.send(subscription("x/1/+", "x/2/+", "x/3/+"))
    turns = 0
    while client.session.has_backlog:
        client.session.send_backlog()
        turns += 1
    assert turns == 2


def test_topics_without_wildcards_are_all_looked_up_at_once(house: House) -> None:
    publish(house.client("2"), "x/70", b"found", retain=True)
    client = house.client("1")
    assert topics(client.send(subscription("x/1", "x/2", "x/70"))) == ["x/70"]
    assert not client.session.has_backlog


def test_no_more_is_handed_in_than_a_session_keeps() -> None:
    house = House(kept=MqttSessionSettings(queue_messages=100))
    retained = Retained(most=MANY, most_bytes=10_000_000, clock=lambda: 0.0)
    house.sessions.broker = Broker(retained, clock=lambda: 0.0)
    for number in range(MANY):
        house.sessions.broker.publish(f"m/{number}", b"x", qos=1, retain=True)
    fields: Any = {"properties": Properties(session_expiry_interval=100)}
    client = house.client("1", **fields)
    lost: list[None] = []
    client.session._state.outbox.on_dropped = lambda: lost.append(None)
    subscribe(client, "m/#", "+/#", "#", qos=1)
    client.session.lost()
    outbox = client.session._state.outbox
    assert len(outbox) == 100
    assert len(lost) == 1
