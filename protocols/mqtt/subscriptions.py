"""Which topics a client listens to, and which it may."""

from __future__ import annotations

from protocols.codec.mqtt.packets import V5, Subscribe, Subscription, Unsubscribe
from protocols.codec.mqtt.reasons import SUBACK_FAILURE, Reason
from protocols.mqtt.terms import Terms
from router import topics


class Subscriptions:
    """The exact topics that one client has subscribed to.

    An exact topic only carries what the router sends there, so it may be had for the asking;
    wildcards and the request topic, which carries other clients' requests, are refused.
    """

    __slots__ = ("_terms", "_topics")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._topics: dict[str, int] = {}

    def qos(self, topic: str) -> int | None:
        """The QoS that the client listens to this topic with; None if it doesn't."""
        return self._topics.get(topic)

    def add(self, packet: Subscribe, version: int) -> tuple[int, ...]:
        """The reasons for a SUBACK, one for each filter: the QoS granted, or why not.

        Source: MQTT 5, 3.9.3; MQTT 3.1.1, 3.9.3, where every refusal is 0x80.
        """
        has_identifier = bool(packet.properties.subscription_identifiers)
        reasons = [self._add(one, has_identifier) for one in packet.subscriptions]
        if version == V5:
            return tuple(reasons)
        return tuple(min(reason, SUBACK_FAILURE) for reason in reasons)

    def remove(self, packet: Unsubscribe, version: int) -> tuple[int, ...]:
        """The reasons for an UNSUBACK, one for each filter; none below MQTT 5."""
        reasons = [self._remove(one) for one in packet.topic_filters]
        return tuple(reasons) if version == V5 else ()

    def _add(self, asked: Subscription, has_identifier: bool) -> int:
        topic = asked.topic_filter
        refused = self._refusal(topic, has_identifier)
        if refused is not None:
            return refused
        self._topics[topic] = asked.qos
        return asked.qos

    def _refusal(self, topic: str, has_identifier: bool) -> Reason | None:
        if has_identifier:
            return Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
        if topics.is_shared(topic):
            return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        if topics.has_wildcard(topic):
            return Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
        if topic == self._terms.request_topic:
            return Reason.NOT_AUTHORIZED
        if topic not in self._topics and len(self._topics) >= self._terms.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        return None

    def _remove(self, topic: str) -> Reason:
        if topic not in self._topics:
            return Reason.NO_SUBSCRIPTION_EXISTED
        del self._topics[topic]
        return Reason.SUCCESS
