"""Brings back the sessions that a router of before has written down."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, Final

import structlog

from protocols.mqtt import records
from protocols.mqtt.journal import MESSAGES, POSITIONS, RECEIVED, SESSIONS, Journal
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.state import EVERY_TOPIC, SessionState
from realtime.memberships import Told
from router.envelope import Connection, JsonObject, always, never
from router.ports import TopicAuthority

_log: Final = structlog.get_logger("trivium.mqtt")


class Restoring:
    """Takes back every session with its messages, and has them written down again from then on.

    Args:
        topics: Tells what clients may do with topics; None: nobody is asked.
        clock: s since 1970.
    """

    def __init__(
        self,
        sessions: Sessions,
        journal: Journal,
        topics: TopicAuthority | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._journal = journal
        self._topics = topics
        self._clock = clock
        # Sessions whose client was here when the router ended, and what it heard as another user.
        self._interrupted: dict[str, list[str]] = {}

    async def run(self) -> None:
        """Call it once the store is open; until it is done, nobody can have a session kept."""
        journal = self._journal
        await journal.prepare()
        self._sessions.journal = journal
        sessions, messages = await journal.read(SESSIONS), await journal.read(MESSAGES)
        received, mark = await journal.read(RECEIVED), await journal.mark()
        positions = await journal.positions()
        queued = _queued(messages)
        for id_, document in sessions:
            behind = records.behind_of(document, positions.get(id_, {}))
            await self._restore(id_, document, Told(queued.get(id_, {}), mark, behind))
        for id_ in positions:
            if self._sessions.find(id_) is None:
                journal.forgotten(POSITIONS, id_)
        for id_, document in messages:
            self._restore_message(id_, document)
        for id_, document in received:
            self._restore_received(id_, document)
        for id_, passing in self._interrupted.items():
            # It is not for who comes next.
            state = self._sessions.find(id_)
            if state is not None:
                state.outbox.forget_passing(passing)
        self._sessions.is_restored = True
        await journal.places.resume()
        if sessions:
            _log.info("sessions are restored", sessions=len(sessions))

    async def _restore(self, id: str, document: JsonObject, told: Told) -> None:
        content: dict[str, Any] = document
        state = self._state(id, content)
        if not self._sessions.restore(state):
            self._journal.forgotten(SESSIONS, id)
            return
        state.rights = EVERY_TOPIC
        if self._topics is not None:
            state.rights = (await self._topics.of_connection(state.connection)).while_away()
        for standing in records.standings_of(content["subscriptions"]):
            state.subscriptions.restore(standing)
        self._journal.places.restore(id, state.user_id, content["rooms"], told)
        self._sessions.changed(id)

    def _state(self, id: str, content: dict[str, Any]) -> SessionState:
        sessions = self._sessions
        identity = (content["user"], content["clientId"])
        state = SessionState(id, identity, sessions.terms, sessions.broker, self._clock)
        # What it does from now on is in the name of its user; nobody can show credentials for it.
        state.connection = Connection(
            id,
            "mqtt",
            client_id=state.client_id,
            certified=state.owner,
            is_local=always if content["isLocal"] else never,
        )
        state.expiry_s = content["expiry"]
        state.will = records.will_of(content["will"])
        state.ends_at = records.moment_of(content["endsAt"])
        state.will_at = records.moment_of(content["willAt"])
        if content["endsAt"] is None:
            self._interrupt(state, content["passing"])
        return state

    def _interrupt(self, state: SessionState, passing: list[str]) -> None:
        now = self._clock()
        self._interrupted[state.id] = passing
        state.ends_at = now + state.expiry_s
        if state.will is not None:
            state.will_at = now + (state.will.properties.will_delay_interval or 0)

    def _restore_message(self, id: str, document: JsonObject) -> None:
        session = str(document["session"])
        state = self._sessions.find(session)
        if state is None:
            self._journal.forgotten(MESSAGES, id)
            return
        entry = records.entry_of(document)
        if session in self._interrupted:
            # It may have been sent; DUP says no more than that.
            entry.was_sent = True
        state.outbox.restore(entry)

    def _restore_received(self, id: str, document: JsonObject) -> None:
        content: dict[str, Any] = document
        state = self._sessions.find(content["session"])
        if state is None:
            self._journal.forgotten(RECEIVED, id)
            return
        state.inbox.restore(content["packetId"], content["turn"], is_here=content["isHere"])


def _queued(messages: Iterable[tuple[str, JsonObject]]) -> Mapping[str, Mapping[str, Set[int]]]:
    """The positions of what waits, by session and topic."""
    found: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for _, document in messages:
        content: dict[str, Any] = document
        seq = content.get("seq")
        if seq:
            found[content["session"]][content["message"]["topic"]].add(seq)
    return found
