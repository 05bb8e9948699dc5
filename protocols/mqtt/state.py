"""What a client's session holds: it may outlive the connection that it began on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

from protocols.codec.mqtt.packets import Publish, Will
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.broker.broker import Broker, Identity
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.subscriptions import Subscriptions
from protocols.mqtt.terms import Terms
from router.envelope import ANONYMOUS, Connection
from router.ports import TopicRights


class Link(Protocol):
    """The connection that a session's client is on."""

    def end(self, reason: Reason, text: str) -> None:
        """End it from this side; `wake` has to follow, which lets go of the session."""

    def wake(self) -> None:
        """Write what has been handed in meanwhile."""


class _Topics:
    """All topics, or none."""

    def __init__(self, *, are_allowed: bool) -> None:
        self._are_allowed = are_allowed

    def may_publish(self, topic: str) -> bool:  # noqa: ARG002 - see `TopicRights`
        return self._are_allowed

    def may_subscribe(self, topic_filter: str) -> bool:  # noqa: ARG002 - see `TopicRights`
        return self._are_allowed

    def may_send(self) -> bool:
        return True

    def while_away(self) -> TopicRights:
        return self


NO_TOPICS: Final[TopicRights] = _Topics(are_allowed=False)
EVERY_TOPIC: Final[TopicRights] = _Topics(are_allowed=True)
"""Where nobody asks for rights."""


def _ignore() -> None:
    """Nobody wants to know."""


class SessionState:
    """One client's session: what it listens to, what is under way in either direction.

    Attributes:
        id: What requests call the client's connection.
        owner: The user in whose name the client connected; empty for nobody.
        connection: The client as its last CONNECT told of it.
        link: The connection that the client is on; None while it is away.
        on_change: To be called when the subscriptions are others.
        will: What is left to be done if the connection is lost.
        expiry_s: Seconds that the session waits for its client; 0: it ends with its connection.
        ends_at: When it is over unless the client comes back, in s since 1970.
        will_at: When its will is due, likewise.
        has_lost: Whether messages were lost since its client was here.
        is_counted: Whether it is one of the kept sessions, of which there may be so many.
        is_over: Whether the session has ended; it takes nothing more.
        rights: What the client may do with topics.
    """

    __slots__ = (
        "client_id",
        "connection",
        "ends_at",
        "expiry_s",
        "has_lost",
        "id",
        "inbox",
        "is_counted",
        "is_over",
        "link",
        "on_change",
        "outbox",
        "owner",
        "rights",
        "subscriptions",
        "will",
        "will_at",
    )

    def __init__(
        self, id: str, identity: Identity, terms: Terms, broker: Broker, clock: Callable[[], float]
    ) -> None:
        self.id = id
        self.owner, self.client_id = identity
        self.connection = Connection(id, "mqtt", client_id=self.client_id)
        self.link: Link | None = None
        self.will: Will | None = None
        self.expiry_s = 0.0
        self.ends_at = math.inf
        self.will_at = math.inf
        self.has_lost = False
        self.on_change: Callable[[], None] = _ignore
        self.is_counted = False
        self.is_over = False
        self.inbox = Inbox()
        self.outbox = Outbox(clock)
        self.rights: TopicRights = NO_TOPICS
        self.subscriptions = Subscriptions(terms, broker, self)

    @property
    def identity(self) -> Identity:
        """Whose session it is: the user, and the client id, which is one user's own."""
        return self.owner, self.client_id

    @property
    def is_here(self) -> bool:
        """Whether its client is connected."""
        return self.link is not None

    @property
    def user_id(self) -> str:
        """The user for whom the session is kept."""
        return self.owner or ANONYMOUS.id

    def detach(self) -> None:
        """The client hears nothing any more."""
        self.inbox.detach()
        self.outbox.detach()

    def deliver(self, message: Publish, *, seq: int | None = None) -> None:
        """Hand in a message for the client, with the QoS that it gets it with.

        It is sent at once if it can be, and else kept if its QoS is above 0; `flush` has to
        follow.

        Args:
            seq: Where the feed tells of it; see `outbox.Entry`.
        """
        if not self.is_over:
            self.outbox.publish(message, seq=seq)

    def flush(self) -> None:
        """Write what was handed in for a client that is here."""
        if self.link is not None:
            self.link.wake()
