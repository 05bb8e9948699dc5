"""Which topics a client listens to, and which it may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocols.codec.mqtt.packets import V5, Subscribe, Subscription, Unsubscribe
from protocols.codec.mqtt.reasons import SUBACK_FAILURE, Reason
from protocols.mqtt.broker.broker import Broker, Subscriber
from protocols.mqtt.broker.standing import Standing, granted
from protocols.mqtt.broker.tree import is_too_deep
from protocols.mqtt.terms import Terms
from router import topics


class Granted(NamedTuple):
    """What a SUBSCRIBE is answered with, the subscriptions that get retained messages now, and
    the filters that the client has no right to; the request topic, which nobody may have, is no
    question of rights."""

    reasons: tuple[int, ...]
    fresh: tuple[Standing, ...]
    kept_out: tuple[str, ...]


class Subscriptions:
    """The filters that one client has subscribed to.

    A topic that the router keeps to itself may be had for the asking: what is sent there goes to
    those it is meant for alone. Only the request topic, which carries other clients' requests, is
    refused. Other topics may be had by right where clients publish to each other; where they
    don't, exact ones may, and carry nothing of other clients.
    """

    __slots__ = ("_broker", "_is_over", "_reserved", "_standings", "_subscriber", "_terms")

    def __init__(self, terms: Terms, broker: Broker, subscriber: Subscriber) -> None:
        self._terms = terms
        self._reserved = terms.reserved
        self._broker = broker
        self._subscriber = subscriber
        self._standings: dict[str, Standing] = {}
        self._is_over = False

    def __iter__(self) -> Iterator[Standing]:
        return iter(self._standings.values())

    def topics(self) -> list[str]:
        """Which they are."""
        return list(self._standings)

    def drop(self, topic: str) -> None:
        """Take back what was granted."""
        self._remove(topic)

    def qos(self, topic: str) -> int | None:
        """The QoS that the client listens to this very topic with; None if it doesn't."""
        standing = self._standings.get(topic)
        return None if standing is None else standing.qos

    def add(self, packet: Subscribe, version: int) -> Granted:
        """Subscribe: a reason for each filter in a SUBACK, the QoS granted, or why not.

        Source: MQTT 5, 3.9.3; MQTT 3.1.1, 3.9.3, where every refusal is 0x80.
        """
        identifiers = packet.properties.subscription_identifiers
        identifier = identifiers[0] if identifiers else 0
        reasons: list[int] = []
        fresh: list[Standing] = []
        for asked in packet.subscriptions:
            refused = self._refusal(asked, identifier)
            if refused is None:
                fresh += self._add(asked, identifier)
                refused = self._standings[asked.topic_filter].qos
            reasons.append(refused)
        kept_out = tuple(
            asked.topic_filter
            for asked, reason in zip(packet.subscriptions, reasons, strict=True)
            if reason == Reason.NOT_AUTHORIZED and asked.topic_filter != self._terms.request_topic
        )
        told = reasons if version == V5 else [min(reason, SUBACK_FAILURE) for reason in reasons]
        return Granted(tuple(told), tuple(fresh), kept_out)

    def restore(self, standing: Standing) -> None:
        """Subscribe as the client did before the router stopped."""
        self._standings[standing.topic_filter] = standing
        self._broker.subscribe(self._subscriber, standing)

    def remove(self, packet: Unsubscribe, version: int) -> tuple[int, ...]:
        """Unsubscribe: the reasons for an UNSUBACK, one for each filter; none below MQTT 5."""
        reasons = [self._remove(one) for one in packet.topic_filters]
        return tuple(reasons) if version == V5 else ()

    def end(self) -> None:
        """The session is over: nothing comes any more, whatever the client still asks for."""
        self._is_over = True
        for standing in self._standings.values():
            self._broker.unsubscribe(self._subscriber, standing)

    def _add(self, asked: Subscription, identifier: int) -> list[Standing]:
        # The subscription, if it gets retained messages.
        is_new = asked.topic_filter not in self._standings
        standing = granted(asked, identifier)
        self._standings[asked.topic_filter] = standing
        if not self._is_over:
            self._broker.subscribe(self._subscriber, standing)
        # [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; 4.8.2: a shared one gets none.
        gets_retained = asked.retain_handling == 0 or (asked.retain_handling == 1 and is_new)
        return [standing] if gets_retained and not standing.group else []

    def _refusal(self, asked: Subscription, identifier: int) -> int | None:
        topic_filter = asked.topic_filter
        refused = self._by_right(topic_filter) if self._terms.allow_pub_sub else None
        if not self._terms.allow_pub_sub:
            refused = self._not_here(topic_filter, identifier)
        if refused is None and topic_filter == self._terms.request_topic:
            return Reason.NOT_AUTHORIZED
        is_new = topic_filter not in self._standings
        if refused is None and is_new and len(self._standings) >= self._terms.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        return refused

    def _not_here(self, topic_filter: str, identifier: int) -> Reason | None:
        if identifier:
            return Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
        if topics.is_shared(topic_filter):
            return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        if topics.has_wildcard(topic_filter):
            return Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
        return Reason.QUOTA_EXCEEDED if is_too_deep(topic_filter) else None

    def _by_right(self, topic_filter: str) -> Reason | None:
        if topic_filter in self._reserved:
            return None
        if topics.is_shared(topic_filter) and not topics.is_shared_filter(topic_filter):
            # MQTT 3.1.1 has no shared subscriptions, so that its packets are not checked for them.
            return Reason.TOPIC_FILTER_INVALID
        bare = topics.shared_parts(topic_filter)[1]
        if is_too_deep(bare):
            return Reason.QUOTA_EXCEEDED
        is_allowed = self._subscriber.rights.may_subscribe(bare)
        return None if is_allowed else Reason.NOT_AUTHORIZED

    def _remove(self, topic_filter: str) -> Reason:
        standing = self._standings.pop(topic_filter, None)
        if standing is None:
            return Reason.NO_SUBSCRIPTION_EXISTED
        self._broker.unsubscribe(self._subscriber, standing)
        return Reason.SUCCESS
