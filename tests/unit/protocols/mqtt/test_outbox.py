"""Messages of QoS 1 to a client: their identifiers, and how many may be under way. Section 4.9."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from protocols.codec.mqtt.packets import Publish, Pubrel
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.outbox import MOST_IN_FLIGHT, Outbox, Send
from protocols.mqtt.room import Bounds, Pool, pool_of
from realtime.past import MOST_UNSENT
from router.settings import MqttSessionSettings

MESSAGE = Publish(topic="t", payload=b"12345", qos=1)


def outbox(receive_maximum: int) -> tuple[Outbox, list[Publish]]:
    """An outbox, and what it has sent."""
    sent: list[Publish] = []
    box = Outbox(time.time)
    box.attach(sender(sent), receive_maximum=receive_maximum)
    return box, sent


def sender(sent: list[Publish], *, longest: int = 10_000_000) -> Send:
    """Sends to a client that takes messages up to a size."""

    def send(packet: Publish | Pubrel) -> bool:
        publish = cast(Publish, packet)
        if isinstance(packet, Publish) and len(packet.payload) > longest:
            return False
        sent.append(publish)
        return True

    return send


def test_qos_0_goes_at_once_without_an_id() -> None:
    box, sent = outbox(1)
    message = Publish(topic="t", payload=b"")
    for _ in range(3):
        box.publish(message)
    assert sent == [message] * 3


def test_messages_beyond_the_maximum_wait_in_order() -> None:
    box, sent = outbox(2)
    for number in range(4):
        box.publish(Publish(topic=str(number), payload=b"12345", qos=1))
    assert [message.topic for message in sent] == ["0", "1"]
    assert box.held_bytes > 10
    box.acknowledged(sent[1].packet_id)
    assert [message.topic for message in sent] == ["0", "1", "2"]
    box.acknowledged(sent[0].packet_id)
    assert [message.topic for message in sent] == ["0", "1", "2", "3"]
    assert box.held_bytes == 0


def test_an_id_in_use_is_passed_over() -> None:
    box, sent = outbox(2)
    box.publish(MESSAGE)
    first = sent[0].packet_id
    for _ in range(65_534):
        box.publish(MESSAGE)
        box.acknowledged(sent[-1].packet_id)
    box.publish(MESSAGE)
    assert len({message.packet_id for message in sent}) == 65_535
    assert 0 not in {message.packet_id for message in sent}
    assert sent[-1].packet_id != first


def test_every_id_can_be_in_use() -> None:
    box, sent = outbox(65_535)
    for _ in range(65_536):
        box.publish(MESSAGE)
    assert len({message.packet_id for message in sent}) == 65_535
    box.acknowledged(1_234)
    assert sent[-1].packet_id == 1_234


def test_qos_2_is_released_and_completed() -> None:
    box, sent = outbox(1)
    for number in range(2):
        box.publish(Publish(topic=str(number), payload=b"", qos=2))
    first = sent[0].packet_id
    assert box.received(first, 0) is Reason.SUCCESS
    # Asked again, it says the same; the next message waits until the first is done with.
    assert box.received(first, 0) is Reason.SUCCESS
    assert len(sent) == 1
    box.completed(first)
    assert [message.topic for message in sent] == ["0", "1"]


def test_a_refused_qos_2_message_is_done_with() -> None:
    box, sent = outbox(1)
    for number in range(2):
        box.publish(Publish(topic=str(number), payload=b"", qos=2))
    assert box.received(sent[0].packet_id, Reason.QUOTA_EXCEEDED) is None
    assert [message.topic for message in sent] == ["0", "1"]


def test_acknowledgements_out_of_place_change_nothing() -> None:
    box, sent = outbox(2)
    for qos in (1, 2, 1):
        box.publish(Publish(topic="t", payload=b"", qos=qos))
    one, two = (message.packet_id for message in sent)
    waiting = two + 1
    assert box.received(one, 0) is Reason.PACKET_IDENTIFIER_NOT_FOUND
    assert box.received(waiting, Reason.UNSPECIFIED_ERROR) is None
    box.completed(two)
    box.completed(one)
    box.acknowledged(two)
    box.acknowledged(waiting)
    assert (len(box), len(sent)) == (3, 2)


def test_what_is_too_long_for_the_client_keeps_nothing_back() -> None:
    sent: list[Publish] = []
    box = Outbox(time.time)
    box.attach(sender(sent, longest=5), receive_maximum=1)
    box.publish(Publish(topic="long", payload=b"123456", qos=1))
    box.publish(MESSAGE)
    assert [message.topic for message in sent] == ["t"]
    assert len(box) == 1


def test_bytes_that_nobody_acknowledges_are_bounded() -> None:
    box, sent = outbox(65_535)
    size = MOST_IN_FLIGHT // 4
    for _ in range(10):
        box.publish(Publish(topic="t", payload=b"x" * size, qos=1))
    assert len(sent) == 4
    assert box.held_bytes > 6 * size
    box.acknowledged(sent[0].packet_id)
    assert len(sent) == 5


def test_what_waits_counts_with_all_that_it_takes() -> None:
    box, _ = outbox(1)
    named = Properties(user_properties=(("name", "x" * 1_000),))
    for _ in range(11):
        box.publish(Publish(topic="t" * 1_000, payload=b"", qos=1, properties=named))
    assert box.held_bytes > 10 * 2_000


def test_an_end_with_many_messages_takes_no_time() -> None:
    box, _ = outbox(30_000)
    for _ in range(60_000):
        box.publish(Publish(topic="t", payload=b"", qos=1))
    began = time.process_time()
    box.detach()
    box.clear()
    assert time.process_time() - began < 20
    assert len(box) == box.held_bytes == 0


def kept_outbox(**settings: Any) -> tuple[Outbox, Pool]:
    """That of a session which goes on without its client, and what it shares with others."""
    box, _ = outbox(100)
    chosen = MqttSessionSettings(**settings)
    pool = pool_of(chosen)
    box.bounds = Bounds(chosen, pool)
    return box, pool


@pytest.mark.parametrize(
    ("settings", "length"),
    [({"queue_messages": 10}, 0), ({"queue_bytes": 100_000}, 10_000), ({"queues_mb": 1}, 60_000)],
)
def test_a_queue_is_crowded_once_it_is_half_full(settings: Any, length: int) -> None:
    box, pool = kept_outbox(**settings)
    if "queues_mb" in settings:
        pool.bytes = pool.most - 650_000  # others have taken the rest
    crowded = []
    for _ in range(6):
        box.publish(Publish(topic="t", payload=b"x" * length, qos=1))
        crowded.append(box.kept_bytes > MOST_UNSENT)
    assert crowded == [False] * 4 + [crowded[4], True]
    for packet_id in range(1, 5):
        box.acknowledged(packet_id)
    assert box.kept_bytes < MOST_UNSENT
