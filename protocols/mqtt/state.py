"""What a client's session holds: it may outlive the connection that it began on."""

from __future__ import annotations

from typing import Protocol

from protocols.codec.mqtt.packets import Publish, Will
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.subscriptions import Subscriptions
from protocols.mqtt.terms import Terms


class Link(Protocol):
    """The connection that a session's client is on."""

    def end(self, reason: Reason, text: str) -> None:
        """End it from this side; `wake` has to follow, which lets go of the session."""

    def wake(self) -> None:
        """Write what has been handed in meanwhile."""


class SessionState:
    """One client's session: what it listens to, what is under way in either direction.

    Attributes:
        id: What requests call the client's connection.
        owner: The user in whose name the client connected; empty for nobody.
        link: The connection that the client is on; None while it is away.
        will: What is left to be done if the connection is lost.
    """

    __slots__ = ("client_id", "id", "inbox", "link", "outbox", "owner", "subscriptions", "will")

    def __init__(self, id: str, owner: str, client_id: str, terms: Terms) -> None:
        self.id = id
        self.owner = owner
        self.client_id = client_id
        self.link: Link | None = None
        self.will: Will | None = None
        self.inbox = Inbox()
        self.outbox = Outbox()
        self.subscriptions = Subscriptions(terms)

    def detach(self) -> None:
        """The client hears nothing any more."""
        self.inbox.detach()
        self.outbox.detach()

    def deliver(self, message: Publish) -> None:
        """Hand in a message for the client, with the QoS that it gets it with.

        It is sent at once if it can be; `flush` has to follow.
        """
        self.outbox.publish(message)

    def flush(self) -> None:
        """Write what was handed in for a client that is here."""
        if self.link is not None:
            self.link.wake()
