"""Who reads the past, and where it will hear the rest."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.holds import Hold
from realtime.rooms import Channel, Room
from realtime.turns import Reader, reader_of
from router.envelope import Request


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One that is held in a channel until it has been told what was before."""

    connection: str
    room: Room
    channel: Channel
    hold: Hold
    request: Request

    @property
    def reader(self) -> Reader:
        """Whose turn it is."""
        return reader_of(self.request)

    @property
    def is_here(self) -> bool:
        """Whether it still waits for the end of the past."""
        return self.channel.held.get(self.connection) is self.hold
