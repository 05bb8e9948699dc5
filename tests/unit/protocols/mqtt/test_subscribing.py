"""SUBSCRIBE and UNSUBSCRIBE: what is granted and what is not. Sections 3.8 to 3.11."""

from __future__ import annotations

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from tests.support.mqtt_client import BOTH, REQUEST, RESPONSE, TERMS, Client, connected, summary


def subscribe(client: Client, *filters: str, qos: int = 0, **properties: object) -> Suback:
    """Subscribe to all the filters in one packet; the SUBACK."""
    packet = Subscribe(
        packet_id=11,
        subscriptions=tuple(Subscription(topic_filter=name, qos=qos) for name in filters),
        properties=Properties(**properties),  # type: ignore[arg-type]
    )
    (suback,) = client.send(packet)
    assert isinstance(suback, Suback)
    assert suback.packet_id == 11
    return suback


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (1, 1), (2, 2)])
def test_an_exact_topic_is_granted_as_asked(version: int, asked: int, granted: int) -> None:
    assert subscribe(connected(version), RESPONSE, qos=asked).reasons == (granted,)


REFUSED = {
    "#": Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    "a/+": Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    "$share/group/a": Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    REQUEST: Reason.NOT_AUTHORIZED,
}


@pytest.mark.parametrize(("topic", "reason"), REFUSED.items())
def test_mqtt_5_is_told_why_a_filter_is_refused(topic: str, reason: Reason) -> None:
    client = connected()
    suback = subscribe(client, "a", topic, "b")
    assert suback.reasons == (0, reason, 0)
    assert suback.properties.reason_string
    assert not client.session.is_ended


@pytest.mark.parametrize("topic", REFUSED)
def test_mqtt_3_1_1_knows_one_refusal(topic: str) -> None:
    client = connected(V3_1_1)
    assert subscribe(client, "a", topic, "b").reasons == (0, 0x80, 0)
    assert not client.session.is_ended


def test_subscription_identifiers_are_refused() -> None:
    suback = subscribe(connected(), "a", "b", subscription_identifiers=(7,))
    assert suback.reasons == (Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,) * 2


def test_reason_strings_only_for_who_wants_them() -> None:
    client = connected(properties=Properties(request_problem_information=0))
    assert subscribe(client, "#").properties == Properties()


@pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 0x80), (V5, Reason.QUOTA_EXCEEDED)])
def test_one_topic_too_many_is_refused(version: int, reason: int) -> None:
    client = connected(version)
    names = [f"t{number}" for number in range(TERMS.max_subscriptions)]
    assert subscribe(client, *names).reasons == (0,) * len(names)
    assert subscribe(client, names[0], "another").reasons == (0, reason)
    client.send(Unsubscribe(packet_id=1, topic_filters=(names[0],)))
    assert subscribe(client, "another").reasons == (0,)


def test_unsubscribe_says_for_each_filter_what_it_found() -> None:
    client = connected()
    subscribe(client, "a", "b")
    unsubscribe = Unsubscribe(packet_id=12, topic_filters=("a", "x", "b"))
    assert client.send(unsubscribe) == [Unsuback(packet_id=12, reasons=(0x00, 0x11, 0x00))]
    assert summary(client.send(unsubscribe)) == ["Unsuback 12 0x11 0x11 0x11"]


def test_unsuback_is_bare_in_mqtt_3_1_1() -> None:
    client = connected(V3_1_1)
    assert client.send(Unsubscribe(packet_id=12, topic_filters=("x",))) == [Unsuback(packet_id=12)]


@pytest.mark.parametrize("version", BOTH)
def test_a_subscriber_gets_each_answer_once(version: int) -> None:
    client = connected(version)
    subscribe(client, RESPONSE)
    client.ask()
    assert summary(client.answer()) == [f"Publish {RESPONSE} QoS 0"]
