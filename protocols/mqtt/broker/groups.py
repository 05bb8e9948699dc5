"""Shared subscriptions: a group of clients of which one gets each message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from protocols.codec.mqtt.packets import Publish


class SharedPublish(Publish, frozen=True, kw_only=True):
    """A message as a member of a group gets it: `$share/<group>/<topic_filter>`."""

    group: str
    topic_filter: str


class Member(Protocol):
    """A client of a group."""

    @property
    def is_here(self) -> bool:
        """Whether it is connected."""


M = TypeVar("M", bound=Member)


class Group(Generic[M]):
    """The members of one `$share/<name>/<filter>`, by who they are.

    They take turns: whoever got a message goes behind all others.
    """

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: OrderedDict[object, M] = OrderedDict()

    def __len__(self) -> int:
        return len(self._members)

    def join(self, key: object, member: M) -> None:
        """Let a client in, or let it stay with other options."""
        self._members[key] = member

    def leave(self, key: object) -> None:
        """Let a client go; does nothing for another."""
        self._members.pop(key, None)

    def next(self, may_have: Callable[[M], bool]) -> M | None:
        """Whose turn it is of those that may have the message.

        One that is away has its turn only if all are away: its session keeps the message.
        """
        away = None
        for key, member in self._members.items():
            if not may_have(member):
                continue
            if member.is_here:
                self._members.move_to_end(key)
                return member
            away = away or (key, member)
        if away is None:
            return None
        self._members.move_to_end(away[0])
        return away[1]
