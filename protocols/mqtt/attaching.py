"""Joins a session to the connection that its client has come on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.codec.mqtt.packets import V5, Connect
from protocols.mqtt.aliases import OutgoingAliases
from protocols.mqtt.inbox import Answer
from protocols.mqtt.state import SessionState
from protocols.mqtt.terms import Terms
from protocols.mqtt.writer import Writer

_ANY_NUMBER: Final = 65_535
"""The Receive Maximum of a client that names none (MQTT 5, 3.1.2.11.3), and of MQTT 3.1.1."""


def attach(
    state: SessionState,
    packet: Connect,
    terms: Terms,
    writer: Writer,
    acknowledge: Callable[[Answer], None],
) -> None:
    """Let the session send what is due, within what the client's CONNECT says it takes.

    Args:
        acknowledge: Called with each acknowledgement of a message of the client.
    """
    properties = packet.properties
    most = min(properties.topic_alias_maximum or 0, terms.topic_alias_maximum)
    writer.aliases = OutgoingAliases(most) if most else None
    if packet.version != V5:
        state.inbox.attach(acknowledge, receive_maximum=None)
        state.outbox.attach(writer.deliver, receive_maximum=_ANY_NUMBER)
        return
    writer.tells_problems = properties.request_problem_information != 0
    state.inbox.attach(acknowledge, receive_maximum=terms.receive_maximum)
    receive_maximum = properties.receive_maximum or _ANY_NUMBER
    state.outbox.attach(writer.deliver, receive_maximum=receive_maximum)
