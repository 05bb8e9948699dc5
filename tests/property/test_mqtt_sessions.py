"""One session over cuts at any point: QoS 1 comes at least once, QoS 2 exactly once, in order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from protocols.codec.mqtt.packets import Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel
from tests.unit.protocols.mqtt.test_sessions import Comer, House


class Cut(RuleBasedStateMachine):
    """A client that does as it should, on connections that end whenever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.told: dict[int, list[int]] = {1: [], 2: []}
        self.heard: dict[int, list[int]] = {1: [], 2: []}
        self.open: set[int] = set()
        self.number = 0
        self.is_mute = False
        self.asked: list[int] = []
        self.begun: list[int] = []
        self.unconfirmed: dict[int, bool] = {}
        self.client: Comer
        self.arriving: list[Packet]
        self.come()

    def come(self) -> None:
        self.client = self.house.come(receive_maximum=3)
        self.arriving = [*self.client.after]
        for packet_id, is_received in list(self.unconfirmed.items()):
            if is_received:
                self.arriving += self.client.send(Pubrel(packet_id=packet_id))
            else:
                self.ask(packet_id, dup=True)

    def ask(self, packet_id: int, *, dup: bool) -> None:
        request = {"controller": "c", "action": "a", "requestId": str(packet_id)}
        self.arriving += self.client.ask(request, qos=2, packet_id=packet_id, dup=dup)
        self.begin()

    def begin(self) -> None:
        self.begun += [int(job.request.request_id) for job in self.client.jobs]
        while self.client.jobs:
            self.arriving += self.client.answer()

    def has_room(self) -> bool:
        return len(self.unconfirmed) < 4

    @rule(qos=st.integers(1, 2))
    def tell(self, qos: int) -> None:
        self.number += 1
        self.told[qos].append(self.number)
        message = Publish(topic="t", payload=b"%d" % self.number, qos=qos)
        self.client.session._state.deliver(message)
        self.arriving += self.client.received()

    @precondition(has_room)
    @rule()
    def request(self) -> None:
        packet_id = len(self.asked) + 1
        self.asked.append(packet_id)
        self.unconfirmed[packet_id] = False
        self.ask(packet_id, dup=False)

    @precondition(lambda self: self.arriving)
    @rule()
    def take(self) -> None:
        packet = self.arriving.pop(0)
        match packet:
            case Publish(topic="t", qos=1):
                self.heard[1].append(int(packet.payload))
                self.say(Puback(packet_id=packet.packet_id))
            case Publish(topic="t"):
                if packet.packet_id not in self.open:
                    self.heard[2].append(int(packet.payload))
                self.open.add(packet.packet_id)
                self.say(Pubrec(packet_id=packet.packet_id))
            case Publish(qos=1):
                self.say(Puback(packet_id=packet.packet_id))
            case Pubrel():
                self.open.discard(packet.packet_id)
                self.say(Pubcomp(packet_id=packet.packet_id))
            case Pubrec():
                self.unconfirmed[packet.packet_id] = True
                self.say(Pubrel(packet_id=packet.packet_id))
            case Pubcomp():
                self.unconfirmed.pop(packet.packet_id, None)
            case _:
                raise AssertionError(packet)

    @precondition(lambda self: self.arriving)
    @rule()
    def take_the_last(self) -> None:
        # What the client says to it never gets there.
        self.is_mute = True
        self.take()
        self.is_mute = False
        self.cut()

    def say(self, packet: Packet) -> None:
        if not self.is_mute:
            self.arriving += self.client.send(packet)

    @rule()
    def cut(self) -> None:
        self.client.lose()
        self.come()

    def teardown(self) -> None:
        while self.arriving:
            self.take()
        assert self.heard[2] == self.told[2]
        assert list(dict.fromkeys(self.heard[1])) == self.told[1]
        assert self.begun == self.asked
        assert not self.unconfirmed
        assert not self.open
        assert self.house.sessions.queued_bytes == 0


Cut.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCut = Cut.TestCase
