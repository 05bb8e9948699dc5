"""Clients publish to each other: packets in, packets out. MQTT 5, 3.3, 3.8, 4.7, 4.8."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.publishing import carry_out
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.state import SessionState
from tests.support.mqtt_client import BOTH, REQUEST, RESPONSE, TERMS, Client, broker, summary
from tests.unit.protocols.mqtt.broker.test_broker import Rights

OPEN = msgspec.structs.replace(
    TERMS, allow_pub_sub=True, topic_alias_maximum=4, max_subscriptions=20
)
CHANNEL = "0123456789abcdef" * 4 + "-111"


class House:
    """Sessions over one broker, and their clients."""

    def __init__(self, **terms: Any) -> None:
        self.terms = msgspec.structs.replace(OPEN, **terms)
        self.sessions = Sessions(self.terms, broker())
        self.refused: list[Will] = []

    def _will(self, state: SessionState, will: Will) -> None:
        if not carry_out(self.sessions, state, will):
            self.refused.append(will)

    def client(self, name: str, version: int = V5, *filters: str, **fields: Any) -> Client:
        """A client that has been let in and has subscribed with QoS 2."""
        client = Client(version, terms=self.terms, sessions=self.sessions)
        self.sessions.on_will = self._will
        assert client.connect(client_id=name, **fields).reason == Reason.SUCCESS
        if filters:
            subscribe(client, *filters)
        return client


@pytest.fixture
def house() -> House:
    return House()


def subscribe(
    client: Client, *filters: str, identifier: int = 0, qos: int = 2, **options: Any
) -> list[Packet]:
    """Subscribe; what comes after the SUBACK, which grants all."""
    packet = subscription(*filters, identifier=identifier, qos=qos, **options)
    suback, *others = client.send(packet)
    assert isinstance(suback, Suback)
    assert suback.reasons == (qos,) * len(filters)
    return others


def subscription(*filters: str, identifier: int = 0, qos: int = 2, **options: Any) -> Subscribe:
    return Subscribe(
        packet_id=9,
        subscriptions=tuple(
            Subscription(topic_filter=each, qos=qos, **options) for each in filters
        ),
        properties=Properties(subscription_identifiers=(identifier,) if identifier else ()),
    )


def publish(client: Client, topic: str, payload: bytes = b"x", **fields: Any) -> list[Packet]:
    """Publish with an id of its own; what comes back."""
    packet_id = 1 if fields.get("qos") else 0
    return client.send(Publish(topic=topic, payload=payload, packet_id=packet_id, **fields))


class TestMessages:
    @pytest.mark.parametrize("receiver", BOTH)
    @pytest.mark.parametrize("sender", BOTH)
    @pytest.mark.parametrize("qos", [0, 1, 2])
    def test_a_message_goes_to_who_subscribes(
        self, house: House, sender: int, receiver: int, qos: int
    ) -> None:
        device, other = house.client("1", receiver, "a/+"), house.client("2", sender)
        acknowledged = {0: [], 1: ["Puback 1 0x00"], 2: ["Pubrec 1 0x00"]}
        assert summary(publish(other, "a/b", qos=qos)) == acknowledged[qos]
        assert summary(device.received()) == [f"Publish a/b QoS {qos}"]

    def test_nobody_is_told_in_mqtt_5(self, house: House) -> None:
        device = house.client("1")
        assert summary(publish(device, "a", qos=1)) == ["Puback 1 0x10"]
        assert summary(publish(house.client("2", V3_1_1), "a", qos=1)) == ["Puback 1 0x00"]

    @pytest.mark.parametrize("version", BOTH)
    def test_who_unsubscribes_or_goes_hears_no_more(self, house: House, version: int) -> None:
        device, other = house.client("1", version, "a", "#"), house.client("2")
        device.send(Unsubscribe(packet_id=2, topic_filters=("#",)))
        publish(other, "b")
        assert not device.received()
        device.send(Disconnect())
        device.session.lost()
        publish(other, "a")
        assert len(house.sessions.broker) == 0

    def test_what_is_sent_together_is_worked_off_in_order(self, house: House) -> None:
        device = house.client("1")
        message = Publish(topic="a", payload=b"1")
        unsubscribe = Unsubscribe(packet_id=3, topic_filters=("a",))
        got = device.send(message, subscription("a", qos=0), message, unsubscribe, message)
        assert summary(got) == ["Suback 9 0x00", "Publish a QoS 0", "Unsuback 3 0x00"]

    @pytest.mark.parametrize("version", BOTH)
    def test_requests_go_on_being_answered_to_the_requester_alone(
        self, house: House, version: int
    ) -> None:
        device, other = house.client("1", version, "#"), house.client("2", version, "#", RESPONSE)
        device.ask()
        assert summary(device.answer()) == [f"Publish {RESPONSE} QoS 0"]
        assert not other.received()

    def test_a_request_may_come_by_an_alias_and_say_retain(self, house: House) -> None:
        device = house.client("1")
        device.ask(properties=Properties(topic_alias=2), retain=True)
        device.ask(topic="", properties=Properties(topic_alias=2))
        assert [job.request.action for job in device.jobs] == ["now", "now"]
        assert not subscribe(device, "#")


class TestRefusals:
    @pytest.mark.parametrize(
        ("topic", "reason"),
        [
            ("$SYS/broker/uptime", Reason.NOT_AUTHORIZED),
            ("$share/g/a", Reason.NOT_AUTHORIZED),
            (RESPONSE, Reason.NOT_AUTHORIZED),
            (CHANNEL, Reason.NOT_AUTHORIZED),
            ("kuzzle:notification:server", Reason.NOT_AUTHORIZED),
            ("forbidden", Reason.NOT_AUTHORIZED),
            ("/" * 200, Reason.TOPIC_NAME_INVALID),
        ],
    )
    @pytest.mark.parametrize("version", BOTH)
    def test_nobody_hears_what_may_not_be_published(
        self, house: House, version: int, topic: str, reason: Reason
    ) -> None:
        device, other = house.client("1", V5, "#", RESPONSE, CHANNEL), house.client("2", version)
        rights = Rights()
        rights.denied = {"forbidden"}
        other.session._exchange._publishing._rights = rights
        told = reason if version == V5 else 0
        for retain in (False, True):
            got = publish(other, topic, qos=1, retain=retain)
            assert summary(got) == [f"Puback 1 0x{told:02X}"]
        assert not device.received()
        assert not other.session.is_ended
        assert not house.sessions.broker.retained.matched("#")
        assert other.session.refused == ["topic", "topic"]

    def test_a_payload_that_is_not_what_it_says_is_refused(self, house: House) -> None:
        device, other = house.client("1", V5, "a"), house.client("2")
        said = Properties(payload_format_indicator=1)
        assert summary(publish(other, "a", b"\xff", qos=1, properties=said)) == ["Puback 1 0x99"]
        assert not publish(other, "a", b"\xff", properties=said)
        assert not device.received()
        publish(other, "a", "é".encode(), properties=said)
        assert len(device.received()) == 1

    def test_a_filter_is_refused_alone(self, house: House) -> None:
        device = house.client("1")
        deep = "/".join("a" * 201)
        filters = ("a", REQUEST, deep, "$SYS/#", "b/#", "$share/g/" + deep)
        rights = Rights()
        rights.denied = {"b/#", "$SYS/#"}
        device.session._state.rights = rights
        (suback,) = device.send(subscription(*filters, qos=1))
        assert isinstance(suback, Suback)
        assert suback.reasons == (1, 0x87, 0x97, 0x87, 0x87, 0x97)
        assert suback.properties.reason_string

    def test_mqtt_3_1_1_knows_one_refusal(self, house: House) -> None:
        device = house.client("1", V3_1_1)
        (suback,) = device.send(subscription("a", REQUEST, "$share/", "$share/g", "$share/g/a"))
        assert isinstance(suback, Suback)
        assert suback.reasons == (2, 0x80, 0x80, 0x80, 2)

    def test_too_many_filters_are_refused(self) -> None:
        device = House(max_subscriptions=2).client("1")
        (suback,) = device.send(subscription("a", "b/#", "a", "$share/g/a"))
        assert isinstance(suback, Suback)
        assert suback.reasons == (2, 2, 2, 0x97)

    @pytest.mark.parametrize("topic", [RESPONSE, CHANNEL, "kuzzle:notification:server"])
    def test_the_routers_own_topics_may_be_had_for_the_asking(
        self, house: House, topic: str
    ) -> None:
        device = house.client("1")
        rights = Rights()
        rights.denied = {topic}
        device.session._state.rights = rights
        assert not subscribe(device, topic)

    def test_rights_that_end_count_from_the_next_message(self, house: House) -> None:
        device, other = house.client("1", V5, "a/#"), house.client("2")
        rights = Rights()
        device.session._state.rights = rights
        publish(other, "a/b")
        rights.denied = {"a/#"}
        publish(other, "a/b")
        rights.denied = set()
        publish(other, "a/c")
        assert summary(device.received()) == ["Publish a/b QoS 0", "Publish a/c QoS 0"]


class TestOptions:
    def test_each_message_carries_the_identifiers_of_its_subscriptions(self, house: House) -> None:
        device, other = house.client("1"), house.client("2")
        subscribe(device, "a/+", identifier=3)
        subscribe(device, "#", identifier=268_435_455, qos=0)
        publish(other, "a/b", qos=2)
        publish(other, "c")
        first, second = device.received()
        assert isinstance(first, Publish)
        assert isinstance(second, Publish)
        assert first.qos == 2
        assert sorted(first.properties.subscription_identifiers) == [3, 268_435_455]
        assert second.properties.subscription_identifiers == (268_435_455,)

    def test_no_local(self, house: House) -> None:
        device = house.client("1")
        subscribe(device, "a", no_local=True)
        assert summary(publish(device, "a", qos=1)) == ["Puback 1 0x10"]
        publish(house.client("2"), "a")
        assert len(device.received()) == 1

    @pytest.mark.parametrize("as_published", [False, True])
    def test_retain_as_published(self, house: House, as_published: bool) -> None:
        device, other = house.client("1"), house.client("2")
        subscribe(device, "a", retain_as_published=as_published)
        publish(other, "a", retain=True)
        publish(other, "a")
        flags = [packet.retain for packet in device.received() if isinstance(packet, Publish)]
        assert flags == [as_published, False]


class TestSharing:
    def test_what_a_member_leaves_unacknowledged_goes_to_another(self, house: House) -> None:
        one, other = (house.client(name, V5, "$share/g/a/#") for name in "12")
        sender = house.client("3")
        for number in range(4):
            publish(sender, f"a/{number}", qos=1)
        first, second = one.received()
        assert isinstance(first, Publish)
        one.send(Puback(packet_id=first.packet_id))
        assert len(other.received()) == 2
        one.session.lost()
        got = other.received()
        assert [(p.topic, p.qos, p.dup) for p in got if isinstance(p, Publish)] == [
            (second.topic, 1, False)  # type: ignore[union-attr]
        ]

    def test_it_waits_for_a_member_whose_session_waits(self, house: House) -> None:
        kept = Properties(session_expiry_interval=100)
        one = house.client("1", V5, "$share/g/a", properties=kept)
        other = house.client("2", V5, "$share/g/a")
        publish(house.client("3"), "a", qos=1)
        one.session.lost()
        assert not other.received()
        (state,) = [each for each in house.sessions._states.values() if each.client_id == "1"]
        house.sessions.end(state)
        assert summary(other.received()) == ["Publish a QoS 1"]

    @pytest.mark.parametrize("qos", [0, 2])
    def test_other_qos_are_not_given_to_another(self, house: House, qos: int) -> None:
        one, other = (house.client(name, V5, "$share/g/a") for name in "12")
        publish(house.client("3"), "a", qos=qos)
        one.session.lost()
        assert not other.received()

    def test_with_nobody_left_it_is_gone(self, house: House) -> None:
        one = house.client("1", V5, "$share/g/a")
        publish(house.client("3"), "a", qos=1)
        one.session.lost()
        assert len(house.sessions.broker) == 0


class TestRetained:
    @pytest.mark.parametrize("version", BOTH)
    @pytest.mark.parametrize("topic_filter", ["a/b", "a/+", "#"])
    def test_a_new_subscription_gets_it(
        self, house: House, version: int, topic_filter: str
    ) -> None:
        publish(house.client("2", version), "a/b", b"1", retain=True, qos=2)
        got = subscribe(house.client("1", version), topic_filter, qos=1)
        assert [(p.topic, p.payload, p.qos, p.retain) for p in got if isinstance(p, Publish)] == [
            ("a/b", b"1", 1, True)
        ]

    @pytest.mark.parametrize(("handling", "times"), [(0, [1, 1]), (1, [1, 0]), (2, [0, 0])])
    def test_retain_handling(self, house: House, handling: int, times: list[int]) -> None:
        publish(house.client("2"), "a", retain=True)
        device = house.client("1")
        got = [subscribe(device, "a", qos=0, retain_handling=handling) for _ in range(2)]
        assert [len(each) for each in got] == times

    def test_a_shared_subscription_gets_none(self, house: House) -> None:
        publish(house.client("2"), "a", retain=True)
        assert not subscribe(house.client("1"), "$share/g/a")

    @pytest.mark.parametrize("version", BOTH)
    def test_an_empty_one_takes_it_back(self, house: House, version: int) -> None:
        other = house.client("2", version)
        publish(other, "a", retain=True)
        publish(other, "a", b"", retain=True)
        assert not subscribe(house.client("1", version), "a")

    def test_one_too_many_is_refused(self, house: House) -> None:
        house.sessions.broker.retained._most = 1
        other = house.client("2")
        reasons = [publish(other, each, retain=True, qos=1) for each in ("a", "b", "a")]
        assert [summary(each)[0] for each in reasons] == [
            "Puback 1 0x10",
            "Puback 1 0x97",
            "Puback 1 0x10",
        ]
        third = house.client("3", V3_1_1)
        assert summary(publish(third, "c", retain=True, qos=1)) == ["Puback 1 0x00"]
        assert len(subscribe(house.client("1"), "#", qos=0)) == 1


class TestAliases:
    def test_a_clients_alias_stands_for_its_topic(self, house: House) -> None:
        device, other = house.client("1", V5, "#"), house.client("2")
        for topic, alias in (("a", 1), ("b", 4), ("", 1), ("", 4), ("c", 1), ("", 1)):
            publish(other, topic, properties=Properties(topic_alias=alias))
        got = [packet for packet in device.received() if isinstance(packet, Publish)]
        assert [packet.topic for packet in got] == ["a", "b", "a", "b", "c", "c"]
        assert {packet.properties for packet in got} == {NO_PROPERTIES}

    def test_each_client_has_its_own(self, house: House) -> None:
        first, second = house.client("1"), house.client("2")
        publish(first, "a", properties=Properties(topic_alias=1))
        assert summary(publish(second, "", properties=Properties(topic_alias=1))) == [
            "Disconnect 0x82"
        ]

    def test_one_beyond_the_maximum_ends_the_connection(self, house: House) -> None:
        got = publish(house.client("1"), "a", properties=Properties(topic_alias=5))
        assert summary(got) == ["Disconnect 0x94"]

    def test_a_client_that_takes_some_is_sent_some(self, house: House) -> None:
        device = house.client("1", V5, "#", properties=Properties(topic_alias_maximum=2))
        other = house.client("2")
        for topic in ("first", "second", "third", "first", "second", "third", "ab"):
            publish(other, topic)
        got = [packet for packet in device.received() if isinstance(packet, Publish)]
        assert [(packet.topic, packet.properties.topic_alias) for packet in got] == [
            ("first", 1),
            ("second", 2),
            ("third", None),
            ("", 1),
            ("", 2),
            ("third", None),
            ("ab", None),
        ]

    def test_no_more_than_the_routers_own_maximum(self, house: House) -> None:
        device = house.client("1", V5, "#", properties=Properties(topic_alias_maximum=65_535))
        other = house.client("2")
        for number in range(6):
            publish(other, f"topic{number}")
        got = [packet for packet in device.received() if isinstance(packet, Publish)]
        assert [packet.properties.topic_alias for packet in got] == [1, 2, 3, 4, None, None]

    def test_an_alias_that_the_client_never_learnt_is_not_used(self, house: House) -> None:
        limits = Properties(topic_alias_maximum=2, maximum_packet_size=40)
        device, other = house.client("1", V5, "#", properties=limits), house.client("2")
        for size in (100, 29, 27, 20, 30):
            publish(other, "topic", bytes(size))
        got = [packet for packet in device.received() if isinstance(packet, Publish)]
        assert [(p.topic, p.properties.topic_alias, len(p.payload)) for p in got] == [
            ("topic", None, 29),
            ("topic", 1, 27),
            ("", 1, 20),
            ("", 1, 30),
        ]


class TestWills:
    WILL = Will(topic="gone/1", payload=b"bye", qos=1, retain=True)

    @pytest.mark.parametrize("version", BOTH)
    def test_a_will_is_published_and_retained(self, house: House, version: int) -> None:
        device, other = (
            house.client("1", version, "gone/#"),
            house.client("2", version, will=self.WILL),
        )
        other.session.lost()
        assert summary(device.received()) == ["Publish gone/1 QoS 1"]
        assert len(subscribe(house.client("3"), "gone/1")) == 1

    def test_rights_count_when_it_is_published(self, house: House) -> None:
        device, other = house.client("1", V5, "gone/#"), house.client("2", V5, will=self.WILL)
        rights = Rights()
        rights.denied = {"gone/1"}
        other.session._state.rights = rights
        other.session.lost()
        assert not device.received()
        assert house.refused == [self.WILL]

    @pytest.mark.parametrize(
        ("will", "reason"),
        [
            (Will(topic="$SYS/a", payload=b""), Reason.NOT_AUTHORIZED),
            (Will(topic=RESPONSE, payload=b""), Reason.NOT_AUTHORIZED),
            (Will(topic=CHANNEL, payload=b""), Reason.NOT_AUTHORIZED),
            (
                Will(topic="a", payload=b"\xff", properties=Properties(payload_format_indicator=1)),
                Reason.PAYLOAD_FORMAT_INVALID,
            ),
        ],
    )
    def test_one_that_may_not_be_published_refuses_the_client(
        self, house: House, will: Will, reason: Reason
    ) -> None:
        client = Client(V5, terms=house.terms, sessions=house.sessions)
        (connack,) = client.send(Connect(client_id="1", will=will))
        assert isinstance(connack, Connack)
        assert connack.reason == reason
        assert client.session.is_ended


def test_connack_says_what_is_there(house: House) -> None:
    client = Client(V5, terms=house.terms, sessions=house.sessions)
    properties = client.connect().properties
    assert properties == Properties(
        receive_maximum=4,
        maximum_packet_size=4_096,
        retain_available=1,
        topic_alias_maximum=4,
        wildcard_subscription_available=1,
        subscription_identifier_available=1,
        shared_subscription_available=1,
    )


def test_a_message_with_qos_1_and_the_ack_of_another(house: House) -> None:
    device, other = house.client("1", V5, "a"), house.client("2")
    publish(other, "a", qos=1)
    (message,) = device.received()
    assert isinstance(message, Publish)
    assert not device.send(Puback(packet_id=message.packet_id))
