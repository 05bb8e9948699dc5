"""Hands each message to those who subscribe to its topic, and keeps what is retained."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from protocols.codec.mqtt.packets import Publish
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.broker.groups import Group, SharedPublish
from protocols.mqtt.broker.messages import Message
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.broker.standing import Standing
from protocols.mqtt.broker.tree import Tree
from router.ports import TopicRights

_log: Final = structlog.get_logger("trivium.mqtt")

Identity = tuple[str, str]
"""A session: the user it belongs to, and the client id."""


class Subscriber(Protocol):
    """A client's session."""

    @property
    def identity(self) -> Identity:
        """Whose it is."""

    @property
    def is_here(self) -> bool:
        """Whether its client is connected."""

    @property
    def rights(self) -> TopicRights:
        """What its client may do now."""

    def deliver(self, packet: Publish) -> None:
        """Send a message, or keep it for later. It must not change who subscribes to what."""

    def flush(self) -> None:
        """Called after one or more calls of `deliver`."""


class Shelf(Protocol):
    """Where retained messages outlive the router."""

    async def load(self) -> list[Message]:
        """All of them, expired ones included."""

    def keep(self, message: Message) -> Awaitable[None]:
        """Keep a message in the place of that of its topic; done when awaited."""

    def drop(self, topic: str) -> Awaitable[None]:
        """Keep the message of a topic no longer; done when awaited."""


class Outcome(NamedTuple):
    """What came of a message: `reason` for its acknowledgement, once `stored` was awaited."""

    reason: Reason
    stored: Awaitable[None] | None = None


class _Sharer(NamedTuple):
    """A member of a group."""

    subscriber: Subscriber
    standing: Standing

    @property
    def is_here(self) -> bool:
        return self.subscriber.is_here


class _Place:
    """All who subscribe with one filter, alone or in groups."""

    __slots__ = ("groups", "standings")

    def __init__(self) -> None:
        self.standings: dict[Subscriber, Standing] = {}
        self.groups: dict[str, Group[_Sharer]] = {}


class _Choice:
    """How one client gets a message that may match several of its subscriptions.

    Source: [MQTT-3.3.4-2] to [MQTT-3.3.4-5]: one copy, with the highest QoS of them and the
    identifiers of all; [MQTT-3.3.1-12], [MQTT-3.3.1-13] for the flag.
    """

    __slots__ = ("identifiers", "qos", "retain")

    def __init__(self) -> None:
        self.qos = 0
        self.retain = False
        self.identifiers: tuple[int, ...] = ()

    def add(self, standing: Standing, message: Message) -> None:
        self.qos = max(self.qos, min(standing.qos, message.qos))
        self.retain = self.retain or (standing.retain_as_published and message.retain)
        if standing.identifier:
            self.identifiers += (standing.identifier,)


class Broker:
    """Who subscribes to what, and what is retained. Nothing here waits.

    Args:
        shelf: Keeps retained messages when the router stops; None: nothing does.
        clock: ms since 1970.
    """

    def __init__(
        self, retained: Retained, *, clock: Callable[[], float], shelf: Shelf | None = None
    ) -> None:
        self.retained = retained
        self._shelf = shelf
        if shelf is not None:
            retained.on_expired = shelf.drop
        self._clock = clock
        self._places: Tree[_Place] = Tree()

    def now_ms(self) -> float:
        """The time that messages expire by."""
        return self._clock()

    def __len__(self) -> int:
        """How many different filters there are."""
        return len(self._places)

    async def load(self) -> None:
        """Know what was retained before the router stopped. Call once the store is open."""
        for message in [] if self._shelf is None else await self._shelf.load():
            if message.is_expired(self._clock()):
                self._drop(message.topic)
            elif not self.retained.put(message):
                _log.warning("a retained message was left out", topic=message.topic)

    # -- subscribing --------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber, standing: Standing) -> None:
        """Let a client have the messages of a filter from now on, by the options of now.

        The filter has not more levels than a tree takes.
        """
        place = self._places.get(standing.bare_filter)
        if place is None:
            place = _Place()
            self._places.put(standing.bare_filter, place)
        if standing.group:
            group = place.groups.setdefault(standing.group, Group())
            group.join(subscriber, _Sharer(subscriber, standing))
        else:
            place.standings[subscriber] = standing

    def unsubscribe(self, subscriber: Subscriber, standing: Standing) -> None:
        """Let a client have them no longer."""
        place = self._places.get(standing.bare_filter)
        if place is None:
            return
        if standing.group in place.groups:
            group = place.groups[standing.group]
            group.leave(subscriber)
            if not len(group):
                del place.groups[standing.group]
        elif not standing.group:
            place.standings.pop(subscriber, None)
        if not place.standings and not place.groups:
            self._places.remove(standing.bare_filter)

    # -- publishing ---------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: float = math.inf,
        on_disk: bool = True,
    ) -> Outcome:
        """Send a message of the router's own; see `forward`.

        Args:
            topic: A topic name; whoever gets it needs the right to subscribe to it.
            retain: Keep it for later subscribers; an empty payload takes it back.
            on_disk: Whether what is retained outlives the router.
        """
        now = self._clock()
        message = Message(
            topic=topic,
            payload=payload,
            qos=qos,
            retain=retain,
            expires_at_ms=now + expiry_s * 1_000,
        )
        return self.forward(message, on_disk=on_disk)

    def forward(self, message: Message, *, on_disk: bool = True) -> Outcome:
        """Hand a message to all who subscribe to its topic and may, and retain it if it says so.

        Returns:
            Whether it found somebody; quota exceeded if it can't be retained, and then nobody
            got it.
        """
        stored: Awaitable[None] | None = None
        if message.retain:
            if not self._retain(message):
                return Outcome(Reason.QUOTA_EXCEEDED)
            stored = self._store(message) if on_disk else None
        chosen, shared = self._chosen(message)
        now = self._clock()
        for sharer in shared:
            self._share(message, sharer, now)
        packets: dict[tuple[int, bool, tuple[int, ...]], Publish] = {}
        for subscriber, choice in chosen.items():
            form = (choice.qos, choice.retain, choice.identifiers)
            packet = packets.get(form)
            if packet is None:
                qos, retain, identifiers = form
                packet = packets[form] = message.packet(
                    qos=qos, retain=retain, now_ms=now, identifiers=identifiers
                )
            subscriber.deliver(packet)
            subscriber.flush()
        found = chosen or shared
        return Outcome(Reason.SUCCESS if found else Reason.NO_MATCHING_SUBSCRIBERS, stored)

    def pass_on(self, message: SharedPublish) -> None:
        """Give a message to another member of a group: the session of the one that had it has
        ended, and it was not acknowledged.

        Source: MQTT 5, 4.8.2, for QoS 1.
        """
        place = self._places.get(message.topic_filter)
        group = None if place is None else place.groups.get(message.group)
        if group is None:
            return
        sharer = group.next(lambda each: each.subscriber.rights.may_subscribe(message.topic_filter))
        if sharer is not None:
            qos = min(message.qos, sharer.standing.qos)
            fresh = msgspec.structs.replace(message, qos=qos, packet_id=0, dup=False)
            sharer.subscriber.deliver(fresh)
            sharer.subscriber.flush()

    def send_retained(self, subscriber: Subscriber, standing: Standing, message: Message) -> None:
        """Send a client what is retained for a subscription that it has made, if it may have it
        and no newer message of that topic has come since."""
        is_last = self.retained.get(message.topic) is message
        if not (is_last and _may_have(subscriber, standing, message)):
            return
        choice = _Choice()
        choice.add(standing, message)
        # [MQTT-3.3.1-8]
        packet = message.packet(
            qos=choice.qos, retain=True, now_ms=self._clock(), identifiers=choice.identifiers
        )
        subscriber.deliver(packet)

    # -- inside -------------------------------------------------------------------------

    def _share(self, message: Message, sharer: _Sharer, now: float) -> None:
        standing = sharer.standing
        choice = _Choice()
        choice.add(standing, message)
        packet = message.packet(
            qos=choice.qos, retain=choice.retain, now_ms=now, identifiers=choice.identifiers
        )
        shared = SharedPublish(
            topic=packet.topic,
            payload=packet.payload,
            qos=packet.qos,
            retain=packet.retain,
            properties=packet.properties,
            group=standing.group,
            topic_filter=standing.bare_filter,
        )
        sharer.subscriber.deliver(shared)
        sharer.subscriber.flush()

    def _retain(self, message: Message) -> bool:
        # [MQTT-3.3.1-6], [MQTT-3.3.1-7]: an empty payload removes, and is not kept itself.
        if message.payload:
            return self.retained.put(message)
        self.retained.remove(message.topic)
        return True

    def _store(self, message: Message) -> Awaitable[None] | None:
        if self._shelf is None:
            return None
        return self._shelf.keep(message) if message.payload else self._shelf.drop(message.topic)

    def _drop(self, topic: str) -> None:
        if self._shelf is not None:
            self._shelf.drop(topic)

    def _chosen(self, message: Message) -> tuple[dict[Subscriber, _Choice], list[_Sharer]]:
        # Collected before anything is sent: a client that is cut off leaves its places.
        chosen: dict[Subscriber, _Choice] = {}
        shared: list[_Sharer] = []
        for place in self._places.matching(message.topic):
            for subscriber, standing in place.standings.items():
                if _may_have(subscriber, standing, message):
                    chosen.setdefault(subscriber, _Choice()).add(standing, message)
            for group in place.groups.values():
                sharer = group.next(lambda each: _may_have(each.subscriber, each.standing, message))
                if sharer is not None:
                    shared.append(sharer)
        return chosen, shared


def _may_have(subscriber: Subscriber, standing: Standing, message: Message) -> bool:
    if standing.no_local and subscriber.identity == message.sender:
        return False
    return subscriber.rights.may_subscribe(standing.bare_filter)
