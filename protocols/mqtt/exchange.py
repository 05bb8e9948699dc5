"""What a client and the router say to each other once the client is let in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from protocols.codec.frame import BadFrameError
from protocols.codec.mqtt.packets import (
    V5,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import SUBACK_FAILURE, Reason, protocol_error
from protocols.mqtt.aliases import IncomingAliases
from protocols.mqtt.answers import RATE_EXCEEDED, TOO_MANY, Answers, check_publish
from protocols.mqtt.backlog import Backlog
from protocols.mqtt.broker.standing import Standing
from protocols.mqtt.following import Following
from protocols.mqtt.inbox import Receipt
from protocols.mqtt.job import Job, Storing, read_request
from protocols.mqtt.kept_out import KeptOut
from protocols.mqtt.publishing import Publishing
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.state import SessionState
from protocols.mqtt.writer import Writer
from router.envelope import Connection, Response, refusal

BAD_FRAME: Final = "network.mqtt.unexpected_error"


class Exchange:
    """Works off a client's packets, and answers by its writer.

    Args:
        jobs: Gets the requests to dispatch, in order; give each back by `answered`. And what is
            to be awaited; give it back by `stored`.

    Attributes:
        at_work: Requests that have no answer yet.
        following: The assets that the client follows.
        backlog: Retained messages that the client is still to be sent.
    """

    __slots__ = (
        "_aliases",
        "_connection",
        "_inbox",
        "_jobs",
        "_outbox",
        "_publishing",
        "_sessions",
        "_state",
        "_subscriptions",
        "_terms",
        "_writer",
        "answers",
        "at_work",
        "backlog",
        "following",
    )

    def __init__(
        self,
        sessions: Sessions,
        state: SessionState,
        writer: Writer,
        connection: Connection,
        jobs: list[Job | Storing],
    ) -> None:
        self._terms = terms = sessions.terms
        self.backlog = Backlog(sessions.broker, state)
        self._sessions = sessions
        self._aliases = IncomingAliases(terms.topic_alias_maximum)
        self._publishing = Publishing(sessions, connection, state.identity, state.rights)
        self._state = state
        self._inbox = state.inbox
        self._outbox = state.outbox
        self._subscriptions = state.subscriptions
        self._writer = writer
        self._connection = connection
        self._jobs = jobs
        self.answers = Answers(terms, writer, state.outbox)
        self.at_work = 0
        self.following = Following(terms, state, connection, writer.version)

    def handle(self, packet: Packet) -> None:
        """Work off a packet that the client has sent.

        Raises:
            PacketError: It ends the connection.
        """
        kind = type(packet)
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise protocol_error(f"a client does not send {kind.__name__.upper()}")
        handler(self, packet)

    def answered(self, job: Job, response: Response, *, is_here: bool) -> None:
        """The answer to a job is made: send it, acknowledge its PUBLISH."""
        self.at_work -= 1
        # What was asked with a token of its own is not for whoever goes on with the session.
        lasts = job.request.jwt is None
        if is_here or (lasts and self._state.expiry_s):
            self.answers.answer(job.publish, response, is_here=is_here, lasts=lasts)
        self._settle(job.receipt, *self.answers.receipt(response))

    def stored(self, job: Storing, reason: Reason) -> None:
        """A message is on the disk, or can't be: acknowledge its PUBLISH."""
        self.at_work -= 1
        self._settle(job.receipt, self._known(reason))

    def _on_publish(self, packet: Publish) -> None:
        if self._writer.version == V5:
            packet = self._aliases.resolve(packet)
            check_publish(packet, self._terms)
        receipt = None
        if packet.qos:
            receipt = self._inbox.take(packet)
            if receipt is None:
                return
        if packet.topic == self._terms.request_topic:
            self._ask(packet, receipt)
        else:
            self._forward(packet, receipt)

    def _forward(self, packet: Publish, receipt: Receipt | None) -> None:
        # As with requests: the rate first, so that a flood is not looked at further.
        limit = self._passed_limit()
        if limit:
            self._writer.refused.append(limit)
            self._settle(receipt, *self.answers.too_soon())
            return
        refused = self._publishing.refusal(packet)
        if refused is not None:
            self._writer.refused.append("topic")
            self._settle(receipt, *self.answers.refused(*refused))
            return
        reason, stored = self._publishing.forward(packet)
        if stored is not None:
            self.at_work += 1
            self._jobs.append(Storing(receipt, reason, stored))
        else:
            self._settle(receipt, self._known(reason))

    def _passed_limit(self) -> str:
        if not self._sessions.may_send(self._state.id):
            return RATE_EXCEEDED
        return "" if self._state.rights.may_send() else TOO_MANY

    def _settle(
        self,
        receipt: Receipt | None,
        reason: Reason = Reason.SUCCESS,
        properties: Properties = NO_PROPERTIES,
    ) -> None:
        if receipt is not None:
            self._inbox.settle(receipt, reason, properties)

    def _known(self, reason: Reason) -> Reason:
        # MQTT 3.1.1, 3.3.5: without a way to refuse, a server may acknowledge all the same.
        return reason if self._writer.version == V5 else Reason.SUCCESS

    def _ask(self, packet: Publish, receipt: Receipt | None) -> None:
        try:
            request = read_request(packet, self._connection, self._terms.frame)
        except BadFrameError as error:
            self._writer.refused.append("bad_frame")
            refused = refusal(error.as_refusal(BAD_FRAME), request_id=error.request_id)
            self.answers.answer(packet, refused)
            self._settle(receipt)
            return
        if packet.qos == 2 and self._inbox.on_received is not None:
            # Should the router die before it has told the client, it does this once all the same.
            turn, _ = self._inbox.turn(packet.packet_id)
            delivery = f"mqtt:{self._state.id}:{packet.packet_id}:{turn}"
            request = request.replace(delivery=delivery)
        self.at_work += 1
        self._jobs.append(Job(packet, receipt, request))

    def _on_puback(self, packet: Puback) -> None:
        self._outbox.acknowledged(packet.packet_id)

    def _on_pubrec(self, packet: Pubrec) -> None:
        reason = self._outbox.received(packet.packet_id, packet.reason)
        if reason is not None:
            self._writer.send(Pubrel(packet_id=packet.packet_id, reason=reason))

    def _on_pubrel(self, packet: Pubrel) -> None:
        self._inbox.release(packet.packet_id)

    def _on_pubcomp(self, packet: Pubcomp) -> None:
        self._outbox.completed(packet.packet_id)

    def _on_subscribe(self, packet: Subscribe) -> None:
        if not self._sessions.may_send(self._state.id):
            self._subscribed_too_soon(packet)
            return
        reasons, fresh, kept_out = self._subscriptions.add(packet, self._writer.version)
        if kept_out:
            self._kept_out(kept_out)
        topics = [one.topic_filter for one in packet.subscriptions]
        tell = partial(self._subscribed, packet, fresh)
        self.following.subscribed(topics, reasons, {each.topic_filter for each in fresh}, tell)

    def _subscribed(
        self, packet: Subscribe, fresh: tuple[Standing, ...], reasons: tuple[int, ...]
    ) -> None:
        properties = NO_PROPERTIES
        if any(reason >= Reason.UNSPECIFIED_ERROR for reason in reasons):
            self._writer.refused.append("subscription")
            properties = self._writer.problem(self._why_not())
        self._state.on_change()
        answer = Suback(packet_id=packet.packet_id, reasons=reasons, properties=properties)
        self._writer.send(answer)
        for standing in fresh:
            if not self.following.is_twin(standing.topic_filter):
                self.backlog.add(standing)
        self.backlog.send()

    def _subscribed_too_soon(self, packet: Subscribe) -> None:
        self._writer.refused.append(RATE_EXCEEDED)
        reason = Reason.QUOTA_EXCEEDED if self._writer.version == V5 else SUBACK_FAILURE
        reasons = (reason,) * len(packet.subscriptions)
        _, properties = self.answers.too_soon()
        answer = Suback(packet_id=packet.packet_id, reasons=reasons, properties=properties)
        self._writer.send(answer)

    def _kept_out(self, filters: tuple[str, ...]) -> None:
        # One entry for all: a packet may hold a thousand, and costs its sender less than an entry.
        owner = self._state.owner
        kept_out = KeptOut(self._connection, owner, "subscribe", filters[0], len(filters))
        self._sessions.on_kept_out(kept_out)

    def _why_not(self) -> str:
        if self._terms.allow_pub_sub:
            return "a filter is not valid, not allowed, or one too many"
        return f"only exact topics other than {self._terms.request_topic} can be subscribed to"

    def _on_unsubscribe(self, packet: Unsubscribe) -> None:
        reasons = self._subscriptions.remove(packet, self._writer.version)
        self.following.unsubscribed(packet.topic_filters)
        self._state.on_change()
        self._writer.send(Unsuback(packet_id=packet.packet_id, reasons=reasons))


_HANDLERS: Final[dict[type, Callable[[Exchange, Any], None]]] = {
    Publish: Exchange._on_publish,
    Puback: Exchange._on_puback,
    Pubrec: Exchange._on_pubrec,
    Pubrel: Exchange._on_pubrel,
    Pubcomp: Exchange._on_pubcomp,
    Subscribe: Exchange._on_subscribe,
    Unsubscribe: Exchange._on_unsubscribe,
}
