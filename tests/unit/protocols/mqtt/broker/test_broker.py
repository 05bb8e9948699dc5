"""Who gets a message, how often and how. MQTT 5, 3.3.4, 3.8.3.1, 4.7, 4.8.2."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.codec.mqtt.packets import Publish
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.messages import Message, message_of
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.broker.standing import Standing


class Rights:
    """Everything but what is named."""

    def __init__(self) -> None:
        self.denied: set[str] = set()

    def may_publish(self, topic: str) -> bool:
        return topic not in self.denied

    def may_subscribe(self, topic_filter: str) -> bool:
        return topic_filter not in self.denied

    def while_away(self) -> Rights:
        return self


class Session:
    """A session that keeps what it is given."""

    def __init__(self, name: str) -> None:
        self.identity = ("", name)
        self.is_here = True
        self.rights = Rights()
        self.packets: list[Publish] = []
        self.flushed = 0

    def deliver(self, packet: Publish) -> None:
        self.packets.append(packet)

    def flush(self) -> None:
        self.flushed = len(self.packets)

    def take(self) -> list[Publish]:
        assert self.flushed == len(self.packets)
        found, self.packets = self.packets, []
        self.flushed = 0
        return found


class House:
    """A broker with a clock that stands until told."""

    def __init__(self, most: int = 10, most_bytes: int = 1_000_000) -> None:
        self.now = 1_000_000.0
        self.broker = Broker(
            Retained(most=most, most_bytes=most_bytes, clock=lambda: self.now),
            clock=lambda: self.now,
        )

    def subscriber(self, name: str, *filters: str, **options: Any) -> Session:
        session = Session(name)
        for each in filters:
            self.broker.subscribe(session, Standing(topic_filter=each, **options))
        return session

    def publish(self, topic: str = "a/b", payload: bytes = b"x", **fields: Any) -> Reason:
        sender = ("", fields.pop("sender", "publisher"))
        return self.broker.forward(
            Message(topic=topic, payload=payload, sender=sender, **fields)
        ).reason


@pytest.fixture
def house() -> House:
    return House()


def test_those_who_subscribe_get_it(house: House) -> None:
    exact, wild = house.subscriber("1", "a/b"), house.subscriber("2", "a/+")
    other = house.subscriber("3", "a", "b/#")
    assert house.publish() == Reason.SUCCESS
    assert [each.take() for each in (exact, wild)] == [[Publish(topic="a/b", payload=b"x")]] * 2
    assert not other.take()


def test_nobody_is_told_to_the_publisher(house: House) -> None:
    house.subscriber("1", "a")
    assert house.publish("b") == Reason.NO_MATCHING_SUBSCRIBERS


def test_the_qos_is_the_lower_of_both(house: House) -> None:
    session = house.subscriber("1", "a/b", qos=1)
    for qos in (0, 1, 2):
        house.publish(qos=qos)
    assert [packet.qos for packet in session.take()] == [0, 1, 1]


def test_overlapping_subscriptions_give_one_copy_with_the_highest_qos(house: House) -> None:
    session = house.subscriber("1", "a/b", qos=1, identifier=7)
    house.broker.subscribe(session, Standing(topic_filter="#", qos=2, identifier=9))
    house.broker.subscribe(session, Standing(topic_filter="a/+", qos=0))
    house.publish(qos=2)
    (packet,) = session.take()
    assert packet.qos == 2
    assert sorted(packet.properties.subscription_identifiers) == [7, 9]


def test_subscribing_again_replaces_the_options(house: House) -> None:
    session = house.subscriber("1", "a/b", qos=0, identifier=1)
    house.broker.subscribe(session, Standing(topic_filter="a/b", qos=1))
    house.publish(qos=2)
    assert session.take() == [Publish(topic="a/b", payload=b"x", qos=1)]


def test_no_local_keeps_ones_own_messages_away(house: House) -> None:
    session = house.subscriber("1", "a/b", no_local=True)
    house.publish(sender="1")
    assert not session.take()
    house.broker.subscribe(session, Standing(topic_filter="a/#"))
    house.publish(sender="1")
    house.publish(sender="2")
    assert len(session.take()) == 2


def test_the_retain_flag_stays_for_those_who_ask_for_it(house: House) -> None:
    plain, asked = house.subscriber("1", "a/b"), house.subscriber("2", "a/b")
    house.broker.subscribe(asked, Standing(topic_filter="a/b", retain_as_published=True))
    house.publish(retain=True)
    house.publish(retain=False)
    assert [packet.retain for packet in plain.take()] == [False, False]
    assert [packet.retain for packet in asked.take()] == [True, False]


def test_leading_wildcards_get_no_dollar_topics(house: House) -> None:
    session = house.subscriber("1", "#", "+/b")
    house.publish("$SYS/b")
    assert not session.take()


def test_what_may_not_be_read_any_more_is_not_sent(house: House) -> None:
    session = house.subscriber("1", "a/b", "a/+")
    session.rights.denied = {"a/b", "a/+"}
    assert house.publish() == Reason.NO_MATCHING_SUBSCRIBERS
    session.rights.denied = {"a/+"}
    house.publish()
    assert len(session.take()) == 1


def test_unsubscribing_ends_it_and_leaves_nothing(house: House) -> None:
    session = house.subscriber("1", "a/b", "$share/g/a/#")
    house.broker.unsubscribe(session, Standing(topic_filter="a/b"))
    house.broker.unsubscribe(session, Standing(topic_filter="a/b"))
    house.broker.unsubscribe(session, Standing(topic_filter="$share/other/a/#"))
    house.publish()
    assert len(session.take()) == 1
    house.broker.unsubscribe(session, Standing(topic_filter="$share/g/a/#"))
    house.publish()
    assert not session.take()
    assert len(house.broker) == 0


def test_what_is_left_of_its_time_is_told(house: House) -> None:
    session = house.subscriber("1", "a/b")
    packet = Publish(topic="a/b", payload=b"x", properties=Properties(message_expiry_interval=10))
    message = message_of(packet, ("", "p"), house.now)
    house.now += 3_500
    house.broker.forward(message)
    assert session.take()[0].properties.message_expiry_interval == 7


def test_properties_are_forwarded_as_they_are(house: House) -> None:
    session = house.subscriber("1", "a/b", identifier=3)
    given = Properties(
        payload_format_indicator=1,
        content_type="text/plain",
        response_topic="reply/here",
        correlation_data=b"\0\1",
        user_properties=(("a", "1"), ("a", "2"), ("b", "")),
    )
    packet = Publish(topic="a/b", payload=b"x", properties=given)
    house.broker.forward(message_of(packet, ("", "p"), house.now))
    (received,) = session.take()
    for name in ("payload_format_indicator", "content_type", "response_topic", "correlation_data"):
        assert getattr(received.properties, name) == getattr(given, name)
    assert received.properties.user_properties == given.user_properties
    assert received.properties.subscription_identifiers == (3,)


def test_what_concerns_the_publisher_alone_is_not(house: House) -> None:
    given = Properties(topic_alias=4)
    message = message_of(Publish(topic="a", payload=b"", properties=given), ("", "p"), house.now)
    assert message.properties == Properties()


class TestSharing:
    def test_a_group_gets_one_copy_in_turn(self, house: House) -> None:
        members = [house.subscriber(name, "$share/g/a/+") for name in "123"]
        alone = house.subscriber("4", "a/#")
        for _ in range(9):
            house.publish()
        assert [len(member.take()) for member in members] == [3, 3, 3]
        assert len(alone.take()) == 9

    def test_groups_of_other_names_or_filters_get_their_own(self, house: House) -> None:
        groups = ("$share/g/a/b", "$share/h/a/b", "$share/g/a/+")
        sessions = [house.subscriber(str(number), name) for number, name in enumerate(groups)]
        house.publish()
        assert [len(session.take()) for session in sessions] == [1, 1, 1]

    def test_who_is_in_a_group_and_alone_gets_both(self, house: House) -> None:
        session = house.subscriber("1", "$share/g/a/b", "a/b")
        house.publish()
        assert len(session.take()) == 2

    def test_each_members_own_qos_counts(self, house: House) -> None:
        high, low = house.subscriber("1", "$share/g/a/b", qos=1), house.subscriber("2")
        house.broker.subscribe(low, Standing(topic_filter="$share/g/a/b", qos=0))
        house.publish(qos=2)
        house.publish(qos=2)
        assert ([p.qos for p in high.take()], [p.qos for p in low.take()]) == ([1], [0])

    def test_those_who_are_away_have_it_only_if_all_are(self, house: House) -> None:
        here, away = (house.subscriber(name, "$share/g/a/b") for name in "12")
        away.is_here = False
        for _ in range(4):
            house.publish()
        assert (len(here.take()), len(away.take())) == (4, 0)
        here.is_here = False
        for _ in range(4):
            house.publish()
        assert (len(here.take()), len(away.take())) == (2, 2)

    def test_who_may_not_read_it_is_passed_over(self, house: House) -> None:
        one, other = (house.subscriber(name, "$share/g/a/b") for name in "12")
        one.rights.denied = {"a/b"}
        for _ in range(3):
            house.publish()
        assert (len(one.take()), len(other.take())) == (0, 3)


class TestRetained:
    def test_the_last_message_of_a_topic_is_kept(self, house: House) -> None:
        house.publish("a/b", b"1", retain=True)
        house.publish("a/b", b"2", retain=True)
        house.publish("a/b", b"3")
        house.publish("a/c", b"4", retain=True)
        found = house.broker.retained.matched("a/+")
        assert sorted((each.topic, each.payload) for each in found) == [
            ("a/b", b"2"),
            ("a/c", b"4"),
        ]

    def test_an_empty_payload_removes_it_and_is_sent_on(self, house: House) -> None:
        house.publish(payload=b"1", retain=True)
        session = house.subscriber("1", "a/b")
        house.publish(payload=b"", retain=True)
        assert house.broker.retained.get("a/b") is None
        assert not house.broker.retained.matched("#")
        assert [packet.payload for packet in session.take()] == [b""]

    def test_an_expired_one_is_gone(self, house: House) -> None:
        house.publish(retain=True, expires_at_ms=house.now + 5_000)
        house.now += 4_999
        assert house.broker.retained.get("a/b")
        house.now += 1
        assert house.broker.retained.get("a/b") is None
        assert not house.broker.retained.matched("a/#")
        assert (len(house.broker.retained), house.broker.retained.bytes) == (0, 0)

    def test_one_that_took_its_place_goes_on(self, house: House) -> None:
        house.publish(retain=True, expires_at_ms=house.now + 5_000)
        house.publish(retain=True)
        house.now += 6_000
        assert house.broker.retained.matched("#")

    def test_one_too_many_is_refused_and_goes_to_nobody(self) -> None:
        house = House(most=2)
        session = house.subscriber("1", "#")
        reasons = [house.publish(topic, retain=True) for topic in "abcb"]
        assert reasons == [0, 0, Reason.QUOTA_EXCEEDED, 0]
        assert [packet.topic for packet in session.take()] == ["a", "b", "b"]
        house.publish("a", b"", retain=True)
        assert house.publish("c", retain=True) == Reason.SUCCESS

    def test_too_many_bytes_are_refused(self) -> None:
        house = House(most_bytes=10_000)
        reasons = [house.publish("a", bytes(size), retain=True) for size in (9_000, 9_600, 9_400)]
        assert reasons == [0x10, Reason.QUOTA_EXCEEDED, 0x10]
        assert house.broker.retained.bytes == 9_400 + 512 + 1

    def test_much_used_topics_with_an_expiry_take_bounded_memory(self, house: House) -> None:
        for number in range(5_000):
            house.publish(retain=True, expires_at_ms=house.now + 5_000 + number)
        assert len(house.broker.retained._ends) < 1_100


def test_the_router_publishes_as_well(house: House) -> None:
    session = house.subscriber("1", "twins/#")
    outcome = house.broker.publish("twins/i/1", b"{}", retain=True, expiry_s=2)
    assert (outcome.reason, outcome.stored) == (Reason.SUCCESS, None)
    assert session.take()[0].properties.message_expiry_interval == 2
    assert house.broker.retained.get("twins/i/1")
    house.broker.publish("twins/i/1", b"", retain=True)
    assert house.broker.retained.get("twins/i/1") is None
