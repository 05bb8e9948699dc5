"""Keeps sessions in a store, so that they outlive the router."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Set
from typing import Final, NamedTuple, Protocol

import structlog

from protocols.mqtt import records
from protocols.mqtt.outbox import Entry
from protocols.mqtt.state import SessionState
from realtime.memberships import Told
from router.envelope import Json, JsonObject
from storage.contract import Storage, Verb, Write, Written
from storage.query import Search

_log: Final = structlog.get_logger("trivium.mqtt")

INDEX: Final = "trivium-mqtt"
SESSIONS: Final = "sessions"
MESSAGES: Final = "messages"
RECEIVED: Final = "received"
MARKS: Final = "marks"
POSITIONS: Final = "positions"
"""How far sessions are that are told of the past, apart from all else that is kept of them: it
changes with each message."""

_MAPPING: Final[JsonObject] = {"dynamic": "false", "properties": {}}
_PAGE: Final = 1_000
_MARK: Final = "told"
_MARK_EVERY_S: Final = 1.0


class Places(Protocol):
    """Where sessions listen to documents."""

    def of(self, connection: str, user_id: str) -> tuple[list[Json], list[str]]:
        """What a connection listens to as that user, and the channels that it hears else."""

    def restore(
        self,
        connection: str,
        user_id: str,
        kept: list[Json],
        told: Told,
    ) -> None:
        """Let a connection listen to what it listened to before, once `resume` is called."""

    async def prepare(self) -> None:
        """Call it before anything else."""

    async def resume(self) -> None:
        """Tell all who are restored what they have not been told yet."""

    def mark(self) -> JsonObject:
        """The position up to which sessions have been told what they hear."""

    def behind(self, connection: str) -> JsonObject:
        """Where a session has not been told all up to that, its own positions, by channel."""


class _Written(NamedTuple):
    """What is written of a session: when, and the channels where it was told of the past."""

    turn: str
    behind: Set[str]


class Journal:
    """Writes down what becomes of the sessions, in the order of the calls. Nothing here waits.

    Args:
        storage: Written to by this router alone.

    Attributes:
        failures: How many writes have failed.
    """

    def __init__(self, storage: Storage, places: Places) -> None:
        self.places = places
        self._storage = storage
        self._changed: dict[str, SessionState] = {}
        self._acknowledging: dict[str, SessionState] = {}
        self._done_with: list[str] = []
        self._written: dict[str, _Written] = {}
        self._has_position: set[str] = set()
        self._run = uuid.uuid4().hex
        self._turn = 0
        self._mark: JsonObject = {}
        self._marking: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._last: asyncio.Future[Written] | None = None
        self.failures = 0

    async def prepare(self) -> None:
        """Make ready; call once the store is open, before anything else."""
        await self.places.prepare()
        for name in (SESSIONS, MESSAGES, RECEIVED, MARKS, POSITIONS):
            if not self._storage.has_collection(INDEX, name):
                await self._storage.create_collection(INDEX, name, _MAPPING)

    async def read(self, collection: str) -> list[tuple[str, JsonObject]]:
        """All documents of a collection, by the order of their ids."""
        await self._storage.refresh(INDEX, collection)
        found: list[tuple[str, JsonObject]] = []
        search, after = Search(size=_PAGE), ""
        while hits := await self._storage.scan(INDEX, collection, search, after):
            found += [(hit.id, hit.source) for hit in hits]
            after = hits[-1].id
        return found

    def pending(self) -> asyncio.Future[Written] | None:
        """Done once all that was written down so far is on disk, failed if it isn't; None if it
        is already."""
        if self._is_due:
            self._write_changed()
        if self._last is not None and self._last.done():
            self._last = None
        return self._last

    async def mark(self) -> JsonObject:
        """The position up to which sessions had been told what they hear; empty for none."""
        return dict(await self.read(MARKS)).get(_MARK, {})

    async def positions(self) -> dict[str, JsonObject]:
        """What is written of how far sessions are, by session; see `records.behind_of`."""
        found = dict(await self.read(POSITIONS))
        self._has_position.update(found)
        return found

    def close(self) -> None:
        """Write down how far the sessions are, and nothing more by itself."""
        self._is_closed = True
        if self._marking is not None:
            self._marking.cancel()
            self._write_mark()

    # -- what is written down -------------------------------------------------------------

    def changed(self, state: SessionState) -> None:
        """A session is new, or other than before; of many changes in a row the last is kept."""
        self._be_due()
        self._changed[state.id] = state
        if self._marking is None and not self._is_closed:
            self._mark_later()

    def over(self, state: SessionState) -> None:
        """A session has ended. Its messages are to be `dropped` one by one."""
        if self._is_due:
            self._write_changed()
        self._write("delete", SESSIONS, state.id, {})
        self._written.pop(state.id, None)
        if state.id in self._has_position:
            self.forgotten(POSITIONS, state.id)
        for packet_id in state.inbox.known():
            self.forgotten(RECEIVED, _received_id(state, packet_id))

    def message(self, state: SessionState, entry: Entry) -> None:
        """A message is on its way, or further on it."""
        content = records.of_entry(state.id, entry)
        self._write("create_or_replace", MESSAGES, _message_id(state, entry), content)

    def dropped(self, state: SessionState, entry: Entry) -> None:
        """A message is done with."""
        if entry.seq is None:
            self._write("delete", MESSAGES, _message_id(state, entry), {})
            return
        # First that it was told: what is known as neither queued nor told would be told again.
        self._be_due()
        self._done_with.append(_message_id(state, entry))
        if not state.is_over:
            self._acknowledging[state.id] = state

    def received(self, state: SessionState, packet_id: int) -> None:
        """The client has begun or ended to use a packet id with QoS 2."""
        turn, is_here = state.inbox.turn(packet_id)
        content: JsonObject = {
            "session": state.id,
            "packetId": packet_id,
            "turn": turn,
            "isHere": is_here,
        }
        self._write("create_or_replace", RECEIVED, _received_id(state, packet_id), content)

    def forgotten(self, collection: str, id: str) -> None:
        """A document belongs to no session."""
        if collection == POSITIONS:
            self._has_position.discard(id)
        self._write("delete", collection, id, {})

    # -- inside -----------------------------------------------------------------------------

    @property
    def _is_due(self) -> bool:
        return bool(self._changed or self._done_with)

    def _be_due(self) -> None:
        if not self._is_due:
            asyncio.get_running_loop().call_soon(self._write_changed)

    def _mark_later(self) -> None:
        self._marking = asyncio.get_running_loop().call_later(_MARK_EVERY_S, self._mark_again)

    def _mark_again(self) -> None:
        # Else a session that hears of little would be told from long ago.
        self._write_mark()
        self._mark_later()

    def _write_mark(self) -> None:
        mark = self.places.mark()
        if mark != self._mark:
            self._mark = mark
            self._write("create_or_replace", MARKS, _MARK, mark)

    def _write_changed(self) -> None:
        changed, self._changed = self._changed, {}
        done_with, self._done_with = self._done_with, []
        if done_with:
            self._write_mark()
        acknowledging, self._acknowledging = self._acknowledging, {}
        for state in changed.values():
            self._write_session(state)
        for state in acknowledging.values():
            if state.id not in changed and not state.is_over:
                self._write_position(state)
        for id_ in done_with:
            self._write("delete", MESSAGES, id_, {})

    def _write_session(self, state: SessionState) -> None:
        rooms, passing = self.places.of(state.id, state.user_id)
        self._turn += 1
        turn = f"{self._run}:{self._turn}"
        self._written[state.id] = _Written(turn, self.places.behind(state.id).keys())
        content = records.of_state(state, rooms, passing, turn)
        self._write("create_or_replace", SESSIONS, state.id, content)

    def _write_position(self, state: SessionState) -> None:
        behind, written = self.places.behind(state.id), self._written.get(state.id)
        if written is None or behind.keys() != written.behind:
            # It has come to the end somewhere, or is behind again.
            self._write_session(state)
        elif behind:
            self._has_position.add(state.id)
            content = records.of_position(written.turn, behind)
            self._write("create_or_replace", POSITIONS, state.id, content)

    def _write(self, verb: Verb, collection: str, id: str, content: JsonObject) -> None:
        write = Write(verb=verb, index=INDEX, collection=collection, id=id, content=content)
        future = asyncio.ensure_future(self._storage.write(write))
        future.add_done_callback(self._told)
        self._last = future

    def _told(self, future: asyncio.Future[Written]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self.failures += 1
            _log.error("a session could not be written down", exc_info=error)


def _message_id(state: SessionState, entry: Entry) -> str:
    return f"{state.id}:{entry.number:012d}"


def _received_id(state: SessionState, packet_id: int) -> str:
    return f"{state.id}:{packet_id}"


class SessionDiary:
    """One session's part of the journal; a `protocols.mqtt.outbox.Diary`."""

    __slots__ = ("_journal", "_state")

    def __init__(self, journal: Journal, state: SessionState) -> None:
        self._journal = journal
        self._state = state

    def message(self, entry: Entry) -> None:
        """See `Diary`."""
        self._journal.message(self._state, entry)

    def dropped(self, entry: Entry) -> None:
        """See `Diary`."""
        self._journal.dropped(self._state, entry)
