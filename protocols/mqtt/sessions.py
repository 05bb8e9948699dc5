"""All sessions of one listener, by their users and client ids."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import structlog

from protocols.codec.mqtt.packets import Will
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.mqtt.away import Away
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.groups import SharedPublish
from protocols.mqtt.journal import Journal, SessionDiary
from protocols.mqtt.kept_out import KeptOut
from protocols.mqtt.room import Bounds, pool_of
from protocols.mqtt.state import Link, SessionState
from protocols.mqtt.terms import Terms
from router.connections import Connections
from storage.contract import Written

_log: Final = structlog.get_logger("trivium.mqtt")


_SPARE: Final = 500


class Claim(NamedTuple):
    """What a client asks for when it connects.

    Attributes:
        owner: The user in whose name it connects; empty for nobody.
        is_clean: Whether a session that is there shall end.
        expiry_s: Seconds that the session shall wait for the client once it is away.
    """

    owner: str
    client_id: str
    is_clean: bool
    expiry_s: float


class _Due(NamedTuple):
    """Something that is to be done to a session; compared by when, and by what was first."""

    at: float
    number: int
    state: SessionState


class Sessions:
    """Gives each client its session. A client id is one user's own: two users may have the same.

    Args:
        broker: What clients publish to each other goes by it.
        connections: Told of sessions that go on without a connection.
        clock: s since 1970.

    Attributes:
        journal: Where the sessions are written down; None for nowhere.
        is_restored: Whether those that were written down before are back.
        may_send: Whether the session of an id may send one more message within this second.
        on_kept_out: Called when a client has no right to a topic.
        on_will: Called with each will that is to be carried out.
        on_earlier: Called when `deadline` has come nearer.
        on_end: Each is called with a session that is over.
        on_dropped: Called for each message that is lost since a queue is full.
    """

    def __init__(
        self,
        terms: Terms,
        broker: Broker,
        connections: Connections | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.terms = terms
        self.broker = broker
        self.may_send: Callable[[str], bool] = lambda _id: True
        self.on_kept_out: Callable[[KeptOut], None] = lambda _kept_out: None
        self.on_will: Callable[[SessionState, Will], None] = lambda _state, _will: None
        self.on_earlier: Callable[[], None] = lambda: None
        self.on_dropped: Callable[[], None] = lambda: None
        self.on_end: list[Callable[[SessionState], None]] = []
        self._connections = Connections() if connections is None else connections
        self._connections.on_revoked(self._revoked)
        self._clock = clock
        self._pool = pool_of(terms.kept)
        self._states: dict[tuple[str, str], SessionState] = {}
        self._kept: Counter[str] = Counter()
        self._by_id: dict[str, SessionState] = {}
        self.journal: Journal | None = None
        self.is_restored = True
        self._due: list[_Due] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def kept(self) -> int:
        """Sessions that outlive their connections."""
        return self._kept.total()

    @property
    def queued_bytes(self) -> int:
        """Bytes of messages that wait for the clients of these."""
        return self._pool.bytes

    @property
    def deadline(self) -> float:
        """When to call `look` next, in s since 1970."""
        return self._due[0].at if self._due else math.inf

    # -- clients ------------------------------------------------------------------------

    def claim(self, id: str, claim: Claim, link: Link) -> tuple[SessionState, bool]:
        """The session of a client that has come, and whether it was there before.

        An older connection of that client gives way.

        Args:
            id: What the connection is called; one that goes on takes the older one's name.

        Raises:
            PacketError: There are too many sessions.

        Source: [MQTT-3.1.4-3], in MQTT 3.1.1 [MQTT-3.1.4-2]; [MQTT-3.1.2-4] to [MQTT-3.1.2-6].
        """
        if claim.expiry_s and not self.is_restored:
            raise PacketError(Reason.SERVER_BUSY, "the sessions are not read yet")
        key = (claim.owner, claim.client_id)
        older = self._states.get(key)
        if older is not None and older.link is not None:
            older.link.end(Reason.SESSION_TAKEN_OVER, "the client has connected anew")
            older.link.wake()
        older = self._states.get(key)
        if older is not None and claim.is_clean:
            self.end(older)
            older = None
        state = self._begin(id, claim) if older is None else older
        if older is not None:
            self._connections.moved(id, older.id)
        state.expiry_s = claim.expiry_s
        state.link = link
        # One that comes back in time keeps its will from being sent ([MQTT-3.1.3-9]).
        state.will = None
        state.has_lost = False
        state.ends_at = state.will_at = math.inf
        self.changed(state.id)
        return state, older is not None

    def release(self, state: SessionState) -> None:
        """The client has hung up: unless its session is kept, it finds a new one."""
        if not state.expiry_s and self._states.get(state.identity) is state:
            del self._states[state.identity]

    def leave(self, state: SessionState, link: Link) -> None:
        """The client's connection is done with; does nothing if it has another by now."""
        if state.link is not link:
            return
        state.link = None
        if not state.expiry_s:
            self.end(state)
        elif not state.is_over:
            self._wait(state)

    def end(self, state: SessionState) -> None:
        """The session is over, whether its client is here or not."""
        if state.is_over:
            return
        state.is_over = True
        state.subscriptions.end()
        if self._states.get(state.identity) is state:
            del self._states[state.identity]
        if state.link is not None:
            state.link.end(Reason.ADMINISTRATIVE_ACTION, "the session has ended")
            state.link.wake()
        self._carry_out_will(state)
        self._pass_on(state)
        state.outbox.clear()
        if state.is_counted:
            self._kept[state.owner] -= 1
            del self._by_id[state.id]
            self._connections.closed(state.id)
            if self.journal is not None:
                self.journal.over(state)
        for listener in self.on_end:
            listener(state)

    # -- time ---------------------------------------------------------------------------

    def look(self) -> None:
        """End the sessions and carry out the wills whose time has come."""
        now = self._clock()
        while self._due and self._due[0].at <= now:
            state = heapq.heappop(self._due).state
            if state.is_over or state.link is not None:
                continue
            if state.will_at <= now:
                self._carry_out_will(state)
            if state.ends_at <= now:
                self.end(state)

    def close(self) -> None:
        """The router stops: end every session that is written down nowhere."""
        if self.journal is None:
            for state in list(self._states.values()):
                self.end(state)
        else:
            self.journal.close()

    # -- what is written down -----------------------------------------------------------

    def changed(self, id: str) -> None:
        """What is kept of a session, if it is one, has changed."""
        state = self._by_id.get(id)
        if state is not None and self.journal is not None:
            self.journal.changed(state)

    def find(self, id: str) -> SessionState | None:
        """The kept session of that id."""
        return self._by_id.get(id)

    def pending(self) -> asyncio.Future[Written] | None:
        """See `Journal.pending`."""
        return None if self.journal is None else self.journal.pending()

    @property
    def failures(self) -> int:
        """See `Journal.failures`."""
        return 0 if self.journal is None else self.journal.failures

    def restore(self, state: SessionState) -> bool:
        """Take back a session that was written down; its client is away. Whether it did: a client
        may have begun another one meanwhile."""
        if state.identity in self._states:
            return False
        self._keep(state)
        self._states[state.identity] = state
        self._connections.opened(state.id, Away(state, self.end, self.terms.node))
        for moment in (state.ends_at, state.will_at):
            if moment < math.inf:
                self._remember(moment, state)
        return True

    # -- inside -------------------------------------------------------------------------

    def _begin(self, id: str, claim: Claim) -> SessionState:
        identity = (claim.owner, claim.client_id)
        state = SessionState(id, identity, self.terms, self.broker, self._clock)
        if claim.expiry_s:
            kept = self.terms.kept
            if self.kept >= kept.most or self._kept[claim.owner] >= kept.most_per_user:
                raise PacketError(Reason.QUOTA_EXCEEDED, "too many sessions are kept")
            self._keep(state)
        self._states[state.identity] = state
        return state

    def _revoked(self, id: str) -> None:
        state = self._by_id.get(id)
        if state is not None:
            # It ends with its connection, or now.
            state.expiry_s = 0

    def _keep(self, state: SessionState) -> None:
        self._kept[state.owner] += 1
        self._by_id[state.id] = state
        state.is_counted = True
        state.outbox.bounds = Bounds(self.terms.kept, self._pool)
        state.outbox.on_dropped = partial(self._dropped, state)
        if self.journal is not None:
            # What is still at work when the session ends must not bring it back.
            state.on_change = partial(self.changed, state.id)
            state.outbox.diary = SessionDiary(self.journal, state)
            state.inbox.on_received = partial(self._received, state)

    def _received(self, state: SessionState, packet_id: int) -> None:
        if self.journal is not None and not state.is_over:
            self.journal.received(state, packet_id)

    def _pass_on(self, state: SessionState) -> None:
        for message in state.outbox.unacknowledged():
            if isinstance(message, SharedPublish):
                self.broker.pass_on(message)

    def _dropped(self, state: SessionState) -> None:
        self.on_dropped()
        if not state.has_lost:
            # Once for each absence: a client that is away must not fill the log.
            state.has_lost = True
            _log.warning(
                "messages are lost, the queue of a session is full",
                client_id=state.client_id,
                user=state.owner,
            )

    def _wait(self, state: SessionState) -> None:
        now = self._clock()
        state.rights = state.rights.while_away()
        passing = self._connections.parted(state.id, state.user_id)
        state.outbox.forget_passing(passing)
        away = Away(state, self.end, self.terms.node)
        self._connections.opened(state.id, away)
        state.ends_at = now + state.expiry_s
        self._remember(state.ends_at, state)
        delay_s = 0 if state.will is None else state.will.properties.will_delay_interval or 0
        if not delay_s:
            self._carry_out_will(state)
        elif delay_s < state.expiry_s:
            state.will_at = now + delay_s
            self._remember(state.will_at, state)
        self.changed(state.id)

    def _remember(self, at: float, state: SessionState) -> None:
        is_earlier = at < self.deadline
        self._number += 1
        heapq.heappush(self._due, _Due(at, self._number, state))
        # A client that comes and goes leaves one behind each time, for a week.
        if len(self._due) > 2 * (2 * len(self._by_id) + _SPARE):
            due = {(each.state.id, each.at): each for each in self._due if _is_due(each)}
            self._due = [*due.values()]
            heapq.heapify(self._due)
        if is_earlier:
            self.on_earlier()

    def _carry_out_will(self, state: SessionState) -> None:
        will, state.will = state.will, None
        state.will_at = math.inf
        if will is not None:
            self.on_will(state, will)
            self.changed(state.id)


def _is_due(due: _Due) -> bool:
    state = due.state
    is_away = state.link is None and not state.is_over
    return is_away and due.at in (state.ends_at, state.will_at)
