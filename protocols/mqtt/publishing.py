"""What a client may publish, and what becomes of it."""

from __future__ import annotations

from typing import TypeAlias

from protocols.codec.mqtt.packets import Publish, Will
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.mqtt.broker.broker import Identity, Outcome
from protocols.mqtt.broker.messages import message_of
from protocols.mqtt.broker.tree import is_too_deep
from protocols.mqtt.kept_out import KeptOut
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.state import SessionState
from router.envelope import Connection
from router.ports import TopicRights

Refusal: TypeAlias = tuple[Reason, str]


class Publishing:
    """One client's way to the others.

    Args:
        connection: The client, as the audit hears of it.
        sender: Whose messages they are.
    """

    __slots__ = ("_broker", "_connection", "_reserved", "_rights", "_sender", "_sessions", "_terms")

    def __init__(
        self, sessions: Sessions, connection: Connection, sender: Identity, rights: TopicRights
    ) -> None:
        self._sessions = sessions
        self._connection = connection
        self._terms = sessions.terms
        self._broker = sessions.broker
        self._reserved = sessions.terms.reserved
        self._sender = sender
        self._rights = rights

    def refusal(self, packet: Publish | Will) -> Refusal | None:
        """Why the message goes to nobody; None if it may go, by the rights of now. The audit is
        told of those that have no right."""
        topic = packet.topic
        if not self._terms.allow_pub_sub:
            text = f"requests are published on {self._terms.request_topic}"
            return Reason.NOT_AUTHORIZED, text
        if self._reserved.is_closed(topic):
            return Reason.NOT_AUTHORIZED, "the router keeps that topic to itself"
        if is_too_deep(topic):
            return Reason.TOPIC_NAME_INVALID, "the topic has too many levels"
        if not self._rights.may_publish(topic):
            kept_out = KeptOut(self._connection, self._sender[0], "publish", topic)
            self._sessions.on_kept_out(kept_out)
            return Reason.NOT_AUTHORIZED, "no right to publish on that topic"
        if packet.properties.payload_format_indicator and not _is_text(packet.payload):
            return Reason.PAYLOAD_FORMAT_INVALID, "the payload is not UTF-8"
        return None

    def forward(self, packet: Publish | Will) -> Outcome:
        """Send a message that may go."""
        return self._broker.forward(message_of(packet, self._sender, self._broker.now_ms()))


def check_will(
    sessions: Sessions, will: Will | None, client: Connection, owner: str, rights: TopicRights
) -> None:
    """Let a CONNECT pass whose will, if there is one, may be published.

    Args:
        owner: The user in whose name the client connects; empty for nobody.

    Raises:
        PacketError: It may not.
    """
    if will is None or will.topic == sessions.terms.request_topic:
        return
    sender = (owner, client.client_id)
    refused = Publishing(sessions, client, sender, rights).refusal(will)
    if refused is not None:
        raise PacketError(*refused)


def carry_out(sessions: Sessions, state: SessionState, will: Will) -> bool:
    """Send a will on a topic other than the request topic; False if it may not go any more."""
    publishing = Publishing(sessions, state.connection, state.identity, state.rights)
    if publishing.refusal(will) is not None:
        return False
    publishing.forward(will)
    return True


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
