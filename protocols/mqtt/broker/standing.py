"""A subscription that was granted."""

from __future__ import annotations

import msgspec

from protocols.codec.mqtt.packets import Subscription
from router import topics


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One client's subscription.

    Attributes:
        topic_filter: As the client asked for it.
        qos: The most that its messages are sent with.
        identifier: What its messages are marked with; 0 for none.
    """

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    identifier: int = 0

    @property
    def group(self) -> str:
        """The group that it shares its messages with; empty without one."""
        return topics.shared_parts(self.topic_filter)[0]

    @property
    def bare_filter(self) -> str:
        """What its messages' topics match."""
        return topics.shared_parts(self.topic_filter)[1]


def granted(asked: Subscription, identifier: int) -> Standing:
    """The subscription as it was asked for."""
    return Standing(
        topic_filter=asked.topic_filter,
        qos=asked.qos,
        no_local=asked.no_local,
        retain_as_published=asked.retain_as_published,
        identifier=identifier,
    )
