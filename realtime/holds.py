"""What happens meanwhile, for a listener that still reads what happened before."""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import Final, Literal, TypeAlias

from router.envelope import JsonObject

MOST: Final = 1_000
"""Notifications that are kept for one listener; with more it reads on in the feed instead."""


Reads: TypeAlias = Literal["live", "gap", "past", "snapshot"]
"""What a listener is being told: what happens; what happened while the router was down, whether or
not its client is there; what it asked for of the past, as fast as its client takes it."""


class Hold:
    """Keeps one listener's live notifications until it has read the feed up to them.

    In this order, as often as it takes: `begin`, read the feed to its end as it is then, `end`.
    What was told before `begin` is in the feed by then, and what is told after it is kept: so
    nothing lies between, and by their numbers nothing comes twice.

    Args:
        told: The position that it has been told up to.
        reads: What it reads until it is `is_settled`.
        queued: Positions behind that which wait for it already.

    Attributes:
        request_id: Of the request that began it.
        sent: The last position on its way to the listener.
        has_overflowed: More came since `begin` than is kept.
    """

    __slots__ = (
        "_after",
        "_heir",
        "_is_keeping",
        "_kept",
        "has_overflowed",
        "queued",
        "reads",
        "request_id",
        "sent",
        "told",
    )

    def __init__(
        self, told: int = 0, reads: Reads = "past", queued: Set[int] = frozenset()
    ) -> None:
        self.told = told
        self.reads: Reads = reads
        self.queued = queued
        self.request_id = ""
        self.sent = 0
        self._kept: deque[tuple[int, JsonObject]] = deque()
        self._is_keeping = False
        self._after: int | None = None
        self._heir: Hold | None = None
        self.has_overflowed = False

    def again(self) -> Hold:
        """One that takes its place, since something could not be sent; what is on its way to the
        listener counts for it."""
        heir = self._heir = Hold(self.told, self.reads, self.queued)
        heir.request_id, heir.sent = self.request_id, self.sent
        return heir

    def begin(self) -> None:
        """Keep what comes from now on."""
        self._kept.clear()
        self._is_keeping = True
        self.has_overflowed = False

    def end(self, after: int) -> list[tuple[int, JsonObject]]:
        """What was kept behind the position that the listener has read up to; from now on it is
        to hear everything `is_over` for itself."""
        left = [(seq, content) for seq, content in self._kept if seq > after]
        self._kept.clear()
        self._after = left[-1][0] if left else after
        if self.is_reached:
            self.reached(after)
        return left

    def reached(self, seq: int) -> None:
        """The listener has been handed everything up to a position, 0 for a part of a snapshot."""
        if seq and self.reads == "snapshot":
            self.reads = "past"
        self.told = max(self.told, seq)
        if self._heir is not None:
            self._heir.reached(seq)

    @property
    def is_shown(self) -> bool:
        """Whether no snapshot was asked for, or the end of it is on its way at least."""
        return self.reads != "snapshot" or self.sent > 0

    @property
    def is_reached(self) -> bool:
        """Whether nothing is on its way to the listener."""
        return self.told >= self.sent

    @property
    def is_settled(self) -> bool:
        """Whether the listener has been handed all that was before what it hears live."""
        return self._after is not None and self.is_reached

    def is_over(self, seq: int) -> bool:
        """Whether the listener is to hear of this position live; then all behind it, too."""
        return self._after is not None and seq > self._after

    def take(self, seq: int, content: JsonObject) -> None:
        """Something happened; kept, unless it will be read in the feed."""
        if not self._is_keeping or self._after is not None:
            return
        if len(self._kept) < MOST:
            self._kept.append((seq, content))
        else:
            self._kept.clear()
            self._is_keeping = False
            self.has_overflowed = True
