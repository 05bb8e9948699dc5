"""Retained messages in the private store, over each engine."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.messages import Message
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.broker.shelf import MessageShelf, _document, _message
from tests.support.mqtt_packets import BYTES, NAMES, QOS, SWITCH, TEXT

FULL = Message(
    topic="a/é/" + "long" * 2_000,
    payload=bytes(range(256)),
    qos=2,
    retain=True,
    sender=("ada", "c1"),
    properties=Properties(
        payload_format_indicator=0,
        content_type="x",
        response_topic="r",
        correlation_data=b"\0\xff",
        user_properties=(("a", "1"), ("a", "2")),
    ),
    expires_at_ms=2_000.0,
)
PLAIN = Message(topic="b", payload=b"1", retain=True)


async def started(private, now: float = 1_000.0, most: int = 100) -> tuple[Broker, MessageShelf]:
    """A broker as it is when the router has started."""
    shelf = MessageShelf(private)
    retained = Retained(most=most, most_bytes=1_000_000, clock=lambda: now)
    broker = Broker(retained, clock=lambda: now, shelf=shelf)
    await broker.load()
    return broker, shelf


async def forward(broker: Broker, message: Message) -> None:
    stored = broker.forward(message).stored
    assert stored is not None
    await stored


async def test_they_outlive_the_router_as_they_are(private):
    broker, _ = await started(private)
    for message in (FULL, PLAIN):
        await forward(broker, message)
    again, _ = await started(private)
    assert [again.retained.get(each.topic) for each in (FULL, PLAIN)] == [FULL, PLAIN]
    assert again.retained.bytes == broker.retained.bytes


async def test_the_last_word_counts(private):
    broker, shelf = await started(private)
    for number in range(50):
        broker.publish("a", b"%d" % number, retain=True)
        broker.publish("b", b"%d" % number, retain=True)
    broker.publish("a", b"", retain=True)
    broker.publish("never", b"", retain=True)
    await shelf.close()
    again, _ = await started(private)
    assert [each.payload for each in again.retained.matched("#")] == [b"49"]


async def test_an_expired_one_is_gone_from_the_disk(private):
    broker, _ = await started(private)
    await forward(broker, FULL)
    later, shelf = await started(private, now=FULL.expires_at_ms)
    assert not later.retained.matched("#")
    await shelf.close()
    assert not await shelf.load()


async def test_one_that_expires_meanwhile_as_well(private):
    now = [1_000.0]
    shelf = MessageShelf(private)
    retained = Retained(most=100, most_bytes=1_000_000, clock=lambda: now[0])
    broker = Broker(retained, clock=lambda: now[0], shelf=shelf)
    await broker.load()
    await forward(broker, FULL)
    now[0] = FULL.expires_at_ms
    await forward(broker, PLAIN)
    await shelf.close()
    assert await shelf.load() == [PLAIN]


async def test_what_shall_not_be_kept_is_not(private):
    broker, shelf = await started(private)
    assert broker.publish("a", b"1", retain=True, on_disk=False).stored is None
    assert not await shelf.load()


async def test_more_than_fit_are_all_read(private):
    broker, shelf = await started(private, most=500)
    for number in range(450):
        broker.publish(f"t/{number}", b"x", retain=True)
    await shelf.close()
    again, _ = await started(private, most=500)
    assert len(again.retained) == 450
    fewer, _ = await started(private, most=10)
    assert len(fewer.retained) == 10


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        Message,
        topic=NAMES,
        payload=BYTES,
        qos=QOS,
        retain=st.just(True),
        sender=st.tuples(TEXT, TEXT),
        properties=st.builds(
            Properties,
            payload_format_indicator=SWITCH,
            content_type=st.none() | TEXT,
            correlation_data=st.none() | BYTES,
            user_properties=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
        ),
        expires_at_ms=st.just(math.inf) | st.integers(0, 2**50).map(float),
    )
)
def test_every_message_comes_back_as_it_was(message):
    assert _message(_document(message)) == message
    assert message.properties != NO_PROPERTIES
