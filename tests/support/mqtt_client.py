"""A session with a client in front of it, in one process: packets in, packets out."""

from __future__ import annotations

import json
import uuid
from typing import Any

from protocols.codec.frame import FrameLimits
from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import V3_1_1, V5, Connack, Connect, Packet, Publish, Will
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.codec.mqtt.stream import Decoder
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.job import Job
from protocols.mqtt.session import Session
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.terms import Terms
from router.envelope import Bearer, Connection, Response, refusal
from router.errors import RouterError

REQUEST = "Kuzzle/request"
RESPONSE = "Kuzzle/response"
MAX_BYTES = 2**28

TERMS = Terms(
    request_topic=REQUEST,
    response_topic=RESPONSE,
    receive_maximum=4,
    max_packet_bytes=4_096,
    max_subscriptions=3,
    connect_timeout_s=10.0,
    packet_timeout_s=30.0,
    requests_per_connection=8,
    frame=FrameLimits(),
    node="node-1",
)


def broker() -> Broker:
    """A broker whose clock stands."""
    retained = Retained(most=100, most_bytes=1_000_000, clock=lambda: 1_000_000.0)
    return Broker(retained, clock=lambda: 1_000_000.0)


class Client:
    """What one client sends to a session and gets from it; the clock stands until told."""

    def __init__(
        self,
        version: int = V5,
        *,
        terms: Terms = TERMS,
        sessions: Sessions | None = None,
        bearer: Bearer | None = None,
        is_full: bool = False,
    ) -> None:
        self.version = version
        self.now = 1_000.0
        self.sessions = Sessions(terms, broker()) if sessions is None else sessions
        self.wills: list[Will] = []
        self.sessions.on_will = lambda _state, will: self.wills.append(will)
        self.session = Session(
            self.sessions,
            Connection(id=str(uuid.uuid4()), wire="mqtt", bearer=bearer),
            now=self.now,
            wake=self._wake,
            is_full=is_full,
        )
        self.jobs: list[Job] = []
        self._decoder = Decoder(max_bytes=MAX_BYTES, version=version)

    def send(self, *packets: Packet) -> list[Packet]:
        """Send packets in one piece; what comes back."""
        return self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    def send_bytes(self, chunk: bytes) -> list[Packet]:
        """Send bytes; what comes back."""
        self.session.receive(chunk, self.now)
        while self.session.is_behind:
            self.session.go_on(self.now)
        return self.received()

    def connect(self, **fields: Any) -> Connack:
        """Send a CONNECT; the CONNACK."""
        fields = {"client_id": "client-1", "version": self.version, **fields}
        (connack,) = self.send(Connect(**fields))
        assert isinstance(connack, Connack)
        return connack

    def ask(
        self,
        request: object = None,
        *,
        topic: str = REQUEST,
        qos: int = 0,
        packet_id: int = 0,
        dup: bool = False,
        retain: bool = False,
        properties: Properties = NO_PROPERTIES,
    ) -> list[Packet]:
        """Publish a request; what comes back at once."""
        payload = {"controller": "server", "action": "now"} if request is None else request
        return self.send(
            Publish(
                topic=topic,
                payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
                qos=qos,
                packet_id=packet_id,
                dup=dup,
                retain=retain,
                properties=properties,
            )
        )

    def answer(self, job: Job | None = None, result: object = "made") -> list[Packet]:
        """Let a job (the oldest) be answered; what comes back."""
        job = self.jobs.pop(0) if job is None else job
        response = Response(request_id=job.request.request_id, status=200, result=result)
        self.session.answered(job, response, self.now)
        return self.received()

    def refuse(self, error: RouterError) -> list[Packet]:
        """Let the oldest job be answered by an error; what comes back."""
        job = self.jobs.pop(0)
        response = refusal(error, request_id=job.request.request_id)
        self.session.answered(job, response, self.now)
        return self.received()

    def wait(self, seconds: float) -> list[Packet]:
        """Let time pass; what comes back."""
        self.now += seconds
        self.session.tick(self.now)
        return self.received()

    def lose(self) -> list[Packet]:
        """Let the connection be lost; what came before."""
        self.session.lost()
        return self.received()

    def _wake(self) -> None:
        # As the socket's side does: what has ended lets go of its session.
        if self.session.is_ended:
            self.session.lost()

    def received(self) -> list[Packet]:
        """What the session has sent since the last look."""
        self.jobs += self.session.jobs
        self.session.jobs.clear()
        self._decoder.feed(b"".join(self.session.out))
        self.session.out.clear()
        found = []
        while (packet := self._decoder.next_packet()) is not None:
            found.append(packet)
        assert not self._decoder.is_partial
        return found


def connected(version: int = V5, *, terms: Terms = TERMS, **fields: Any) -> Client:
    """A client that has been let in."""
    client = Client(version, terms=terms)
    assert client.connect(**fields).reason == Reason.SUCCESS
    return client


def summary(packets: list[Packet]) -> list[str]:
    """Kinds, ids and reasons in one line each, such as `Puback 1 0x00`; topics of messages."""
    return [_line(packet) for packet in packets]


def _line(packet: Packet) -> str:
    if isinstance(packet, Publish):
        return f"Publish {packet.topic} QoS {packet.qos}"
    parts = [type(packet).__name__]
    if hasattr(packet, "packet_id"):
        parts.append(str(packet.packet_id))
    if hasattr(packet, "reason"):
        parts.append(f"0x{packet.reason:02X}")
    parts += [f"0x{reason:02X}" for reason in getattr(packet, "reasons", ())]
    return " ".join(parts)


BOTH = [V3_1_1, V5]
"""The versions that most tests run in."""
