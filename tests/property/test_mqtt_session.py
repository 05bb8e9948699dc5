"""The MQTT session under any order of publishing, answering and releasing, and under any bytes."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import V3_1_1, V5, Packet, Puback, Pubcomp, Pubrec, Pubrel
from tests.support import mqtt_packets as strategies
from tests.support.mqtt_client import TERMS, Client, connected, summary

ROOMY = msgspec.structs.replace(TERMS, requests_per_connection=1_000)


class Acknowledging(RuleBasedStateMachine):
    """A well-behaved client of MQTT 5 within its Receive Maximum; answers come in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.client = connected(V5, terms=ROOMY)
        self.next_id = 1
        self.unacknowledged: list[str] = []
        self.received: set[int] = set()

    def take(self, packets: list[Packet]) -> None:
        """Check acknowledgements against the order of publishing."""
        for packet in packets:
            if isinstance(packet, Puback | Pubrec):
                assert summary([packet]) == [self.unacknowledged.pop(0)]
            if isinstance(packet, Pubrec):
                self.received.add(packet.packet_id)
            if isinstance(packet, Pubcomp):
                self.received.discard(packet.packet_id)

    def has_room(self) -> bool:
        return len(self.unacknowledged) + len(self.received) < 4

    @precondition(has_room)
    @rule(qos=st.integers(1, 2))
    def publish(self, qos: int) -> None:
        kind = "Puback" if qos == 1 else "Pubrec"
        self.unacknowledged.append(f"{kind} {self.next_id} 0x00")
        self.take(self.client.ask(qos=qos, packet_id=self.next_id))
        self.next_id += 1

    @rule()
    def publish_without_acknowledgement(self) -> None:
        self.take(self.client.ask())

    @precondition(lambda self: self.client.jobs)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        job = self.client.jobs.pop(data.draw(st.integers(0, len(self.client.jobs) - 1)))
        self.take(self.client.answer(job))

    @precondition(lambda self: self.received)
    @rule(data=st.data(), repeats=st.integers(1, 2))
    def release(self, data: st.DataObject, repeats: int) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.received)))
        for _ in range(repeats):
            self.take(self.client.send(Pubrel(packet_id=packet_id)))

    @precondition(lambda self: self.received)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.received)))
        assert self.client.ask(qos=2, packet_id=packet_id, dup=True) == [
            Pubrec(packet_id=packet_id)
        ]

    @invariant()
    def the_session_goes_on(self) -> None:
        assert not self.client.session.is_ended
        if not self.client.jobs:
            assert not self.unacknowledged


Acknowledging.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestAcknowledging = Acknowledging.TestCase


@given(st.sampled_from([V3_1_1, V5]), st.lists(st.binary(min_size=1, max_size=60), max_size=8))
def test_any_bytes_are_answered_by_packets_or_an_end(version: int, chunks: list[bytes]) -> None:
    client = connected(version)
    for chunk in chunks:
        if not client.session.is_ended:
            client.send_bytes(chunk)


@given(st.data(), st.sampled_from([V3_1_1, V5]), st.booleans())
def test_any_packets_are_answered_by_packets_or_an_end(
    data: st.DataObject, version: int, is_connected: bool
) -> None:
    client = connected(version) if is_connected else Client(version)
    for packet in data.draw(st.lists(strategies.packets(version), max_size=8)):
        if client.session.is_ended:
            break
        client.send_bytes(encode(packet, version))
    for _ in range(len(client.jobs)):
        client.answer()
    client.wait(1_000_000)
