"""One document's turn: all writes that wait for it, merged in order into one."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Final

import orjson

from router.envelope import JsonObject
from router.errors import RouterError
from storage.conflicts import guard, not_found
from storage.contract import Write, Written
from storage.mapping import Mapping
from storage.opensearch.keys import memo_of, repeated
from storage.opensearch.records import SLIMMED, Record
from storage.replay import notes_of
from storage.stamps import apply, packed
from storage.undo import told_of

Outcome = Written | RouterError

_CONFLICTS: Final = 1_000
"""Conflicts of a write that replaces, creates or deletes, which is tried again each time."""


@dataclass(slots=True, eq=False)
class Job:
    """A write that was handed in.

    Attributes:
        expires_at: Loop time; it is tried again after a failure of the server until then.
        conflicts: How often another writer was faster.
    """

    write: Write
    future: asyncio.Future[Written]
    expires_at: float
    conflicts: int = 0
    is_settled: bool = False

    @property
    def is_beaten(self) -> bool:
        """Whether it has met more conflicts than it may. Only updates say how many they bear;
        what doesn't look at the stored content can't be in conflict with it."""
        is_merge = self.write.verb in ("update", "upsert")
        return self.conflicts > (self.write.retries if is_merge else _CONFLICTS)

    def settle(self, outcome: Outcome) -> None:
        """Answer, unless the caller has given up."""
        self.is_settled = True
        if self.future.done():
            return
        if isinstance(outcome, Written):
            self.future.set_result(outcome)
        else:
            self.future.set_exception(outcome)


@dataclass(slots=True, eq=False)
class Turn:
    """The writes of one document, on top of what was read.

    Attributes:
        after: The record as it will be; `before` itself while no write was accepted.
        incarnation: Of the collection.
        is_lost: An earlier try of this very turn may have been carried out.
        done: What is kept of idempotency keys, by key.
    """

    id: str
    before: Record
    after: Record
    incarnation: str = ""
    jobs: list[Job] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    is_lost: bool = False
    done: dict[str, JsonObject] = field(default_factory=dict)

    @classmethod
    def on(cls, id: str, record: Record, incarnation: str) -> Turn:
        """A turn without writes yet."""
        return cls(id, record, Record(record.version, record.content), incarnation)

    @property
    def has_changes(self) -> bool:
        """Whether a write was accepted."""
        return self.after.version != self.before.version

    def take(self, job: Job, mapping: Mapping, now_ms: int) -> Mapping:
        """Do one write in memory; note its outcome. The mapping, extended if it learnt."""
        self.jobs.append(job)
        try:
            written, mapping = self._do_once(job.write, mapping, now_ms)
        except RouterError as error:
            self.outcomes.append(error)
        else:
            self.outcomes.append(written)
        return mapping

    def _do_once(self, write: Write, mapping: Mapping, now_ms: int) -> tuple[Written, Mapping]:
        once = write.once
        if once is None:
            return self._do(write, mapping, now_ms)
        memo = self.done.get(once.key)
        if memo is not None:
            return repeated(once, memo, self.id, self.incarnation), mapping
        written, mapping = self._do(write, mapping, now_ms)
        memo = self.done[once.key] = memo_of(once, write, written, now_ms)
        self.after.rows[-1]["once"] = memo
        return written, mapping

    def _do(self, write: Write, mapping: Mapping, now_ms: int) -> tuple[Written, Mapping]:
        before = self.after
        if write.condition is not None:
            guard(write, before.document(write.id, self.incarnation))
        stored = None if before.content is None else orjson.loads(before.content)
        if write.verb == "delete":
            if before.content is None:
                raise not_found(write.id, write.index, write.collection)
            self._become(None, _row(write, before.version + 1, now_ms, stored))
            return self._deleted(write, before), mapping
        content = apply(write, stored, now_ms)
        extended = mapping.check(content)
        data = packed(content)
        is_new = stored is None
        self._become(data, _row(write, before.version + 1, now_ms, stored, content))
        written = Written(
            id=write.id,
            version=before.version + 1,
            source=orjson.loads(data),
            # Not `stored`, with which `content` shares what the write didn't touch.
            replaced=before.content,
            created=is_new,
            incarnation=self.incarnation,
        )
        return written, extended or mapping

    def _become(self, content: bytes | None, row: JsonObject) -> None:
        version = self.after.version + 1
        op = self.after.op or uuid.uuid4().hex
        self.after = Record(version, content, op, (*self.after.rows, row))

    def _deleted(self, write: Write, before: Record) -> Written:
        assert before.content is not None
        return Written(
            id=write.id,
            version=before.version,
            source=orjson.loads(before.content),
            replaced=before.content,
            incarnation=self.incarnation,
        )

    def slimmed(self) -> Record:
        """`after`, its last row without the content that the document has anyway."""
        if not self.after.rows:  # loaded, not written
            return self.after
        *rows, last = self.after.rows
        for key, flag in SLIMMED.items():
            is_whole = key == "whole" or last["action"] not in ("update", "upsert", "delete")
            if is_whole and last[key] is not None:
                last = {**last, key: None, flag: True}
        return Record(self.after.version, self.after.content, self.after.op, (*rows, last))


def _row(
    write: Write,
    version: int,
    now_ms: int,
    stored: JsonObject | None,
    after: JsonObject | None = None,
) -> JsonObject:
    """A row of the changes feed, but for where the document is."""
    told = told_of(write, version, stored, after)
    return {
        "version": version,
        "action": write.verb,
        "author": write.author.id,
        "requestId": write.author.request_id,
        "wire": write.author.wire,
        "at": now_ms,
        "changes": told.changes,
        "undo": told.undo,
        "whole": told.whole,
        "notes": notes_of(write),
    }
