"""Which connection goes by which token: who hears that it expired, who has to go."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, NamedTuple

from access.lifetimes import INFINITE
from access.sessions import Session, Sessions
from access.tokens import system_ms
from router.connections import SERVER_CHANNEL, Connections, Notification

_LONGEST_S: Final = 3_600.0
"""A timer is looked at again after that at the latest: the clock may have been set meanwhile."""

_SOONEST_S: Final = 0.001

_SPARE: Final = 1_000

_REVOKED: Final = "what the connection was opened with was revoked"

_EXPIRED: Final = Notification(
    SERVER_CHANNEL,
    {
        "status": 200,
        "info": "This is an automated server notification",
        "message": "Authentication Token Expired",
        "type": "TokenExpired",
    },
    is_direct=True,
)


class _End(NamedTuple):
    """When a token expires; compared by that, and by its id, which no other has."""

    at_ms: float
    session_id: str
    session: Session


class Links:
    """The token that each open connection used last, and the one that it was opened with.

    When a token expires, all its connections are told; when it ends, by whatever reason, what
    they were let in to ends with it. A connection that was opened with a token, or with a user's
    name and password, is closed when that is revoked.

    Args:
        clock: ms since 1970.
    """

    def __init__(
        self,
        connections: Connections,
        sessions: Sessions,
        clock: Callable[[], float] = system_ms,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._used: dict[str, Session] = {}
        self._opened: dict[str, Session] = {}
        self._linked: dict[str, set[str]] = {}
        self._ends: list[_End] = []
        self._awaited: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        connections.on_closed(self._forget)
        connections.on_moved(self._moved)
        sessions.on_revoked(self._revoked)

    def __len__(self) -> int:
        """How many connections have a token."""
        return len(self._used.keys() | self._opened.keys())

    def use(self, connection_id: str, session: Session) -> None:
        """The connection has used this token."""
        if self._used.get(connection_id) is session or connection_id not in self._connections:
            return
        self._leave(connection_id, self._used.pop(connection_id, None))
        self._used[connection_id] = session
        self._join(connection_id, session)

    def open_with(self, connection_id: str, session: Session) -> None:
        """The connection was opened in the name of this session."""
        if connection_id in self._connections:
            self._opened[connection_id] = session
            self._join(connection_id, session)

    def move(self, old: Session, new: Session) -> None:
        """Another token took the place of this one: its connections go by that from now on."""
        for connection_id in list(self._linked.get(old.id, ())):
            if self._used.get(connection_id) is old:
                self.use(connection_id, new)

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()

    # -- inside -------------------------------------------------------------------------

    def _join(self, connection_id: str, session: Session) -> None:
        self._linked.setdefault(session.id, set()).add(connection_id)
        if session.expires_at_ms < INFINITE and session.id not in self._awaited:
            self._awaited.add(session.id)
            heapq.heappush(self._ends, _End(session.expires_at_ms, session.id, session))
            self._arm()

    def _leave(self, connection_id: str, session: Session | None) -> None:
        if session is None or self._opened.get(connection_id) is session:
            return
        linked = self._linked.get(session.id)
        if linked is not None:
            linked.discard(connection_id)
            if not linked:
                del self._linked[session.id]
                self._compact()

    def _forget(self, connection_id: str) -> None:
        opened = self._opened.pop(connection_id, None)
        self._leave(connection_id, self._used.pop(connection_id, None))
        self._leave(connection_id, opened)

    def _moved(self, connection_id: str, older_id: str) -> None:
        # What its client came with now counts, not what it went with.
        opened, used = self._opened.get(connection_id), self._used.get(connection_id)
        self._forget(connection_id)
        self._forget(older_id)
        if used is not None:
            self.use(older_id, used)
        if opened is not None:
            self.open_with(older_id, opened)

    def _revoked(self, session: Session) -> None:
        for connection_id in self._end(session):
            self._connections.signed_out(connection_id)
            if self._opened.get(connection_id) is session:
                self._connections.revoked(connection_id, _REVOKED)

    def _expired(self, session: Session) -> None:
        for connection_id in self._end(session):
            self._connections.announce(connection_id, _EXPIRED)
            self._connections.signed_out(connection_id)

    def _end(self, session: Session) -> set[str]:
        linked = self._linked.pop(session.id, set())
        for connection_id in linked:
            if self._used.get(connection_id) is session:
                del self._used[connection_id]
        return linked

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ends:
            left_s = (self._ends[0].at_ms - self._clock()) / 1_000
            delay_s = min(max(left_s, _SOONEST_S), _LONGEST_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        now = self._clock()
        while self._ends and self._ends[0].at_ms <= now:
            end = heapq.heappop(self._ends)
            self._awaited.discard(end.session_id)
            self._expired(end.session)
        self._arm()

    def _compact(self) -> None:
        # Of tokens whose connections are gone nobody needs to hear.
        if len(self._ends) > 2 * len(self._linked) + _SPARE:
            self._ends = [end for end in self._ends if end.session_id in self._linked]
            heapq.heapify(self._ends)
            self._awaited = {end.session_id for end in self._ends}
