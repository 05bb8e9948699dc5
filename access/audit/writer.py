"""The one that writes a chain: it appends, begins new files, and prunes old ones."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from access.audit.entry import EMPTY, Anchor, Entry, Head, Sealed, own, seal, unseal
from access.audit.segments import (
    Segment,
    blocks_backwards,
    first_line,
    segment,
    segments,
    whole_bytes,
)
from storage.folders import sync_folder

_log: Final = structlog.get_logger("trivium.audit")

Clock = Callable[[], int]
"""Milliseconds since 1970."""


class AuditOpenError(Exception):
    """The folder can't be used; the message is one line."""


class Bounds(NamedTuple):
    """What is kept: days, bytes in all, and bytes after which a new file is begun."""

    days: int
    total_bytes: int
    file_bytes: int


class Writer:
    """Appends to the chain of a folder. For one thread at a time; blocks on the disk.

    Call `open` first, `tick` from time to time (days end though nothing happens), `close`
    last. What `append` and `sync` could not write has left no trace, and may be tried again.
    """

    def __init__(self, folder: Path, bounds: Bounds, clock: Clock) -> None:
        self.folder = folder
        self.head = EMPTY
        self._bounds = bounds
        self._clock = clock
        self._segment: Segment | None = None
        self._file = -1
        self._size = 0
        self._lock = -1

    def open(self) -> None:
        """Take the folder (made if missing), and go on where its chain ends.

        A last line that was torn by a crash is cut off, and an entry says so.

        Raises:
            AuditOpenError: It can't be written, or another router writes there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(self.folder / "lock")
            torn = self._find_end()
            self._prune()
            if torn:
                self.append([own("repaired", at=self._clock(), count=torn)])
        except OSError as error:
            self.close()
            raise AuditOpenError(f"{self.folder}: {error.strerror or error}") from error

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries behind the last one: all of them, or none.

        Raises:
            OSError: The disk is full, or worse.
        """
        self.tick()
        self._make_room()
        written, head = [], self.head
        for entry in entries:
            line, head = seal(entry, head)
            written.append(line)
        self._write(b"".join(written))
        self.head = head

    def tick(self) -> None:
        """End the day if it is over: its head goes to the log, what is too old goes away.

        Raises:
            OSError: The disk.
        """
        today = _day(self._clock())
        if self._segment is not None and today > self._segment.day:
            ended = self._segment.day
            self._begin(today)
            self.tell(ended)
            self._prune()

    def sync(self) -> None:
        """Return once everything written will outlive a power cut. Raises: OSError."""
        if self._file >= 0:
            os.fsync(self._file)

    def close(self) -> None:
        """Let go of the folder. Nothing more may be called."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._file = self._lock = -1

    def tell(self, day: date | None = None) -> None:
        """Put the head into the log, where an editor of the files can't reach it."""
        ended = day or _day(self._clock())
        _log.info("audit head", day=ended.isoformat(), head=str(self.head))

    # -- inside -------------------------------------------------------------------------

    def _make_room(self) -> None:
        if self._segment is None:
            self._begin(_day(self._clock()))
        elif self._size > self._bounds.file_bytes:
            self._begin(self._segment.day)
            self._prune()

    def _write(self, content: bytes) -> None:
        # At a known place and not at the end: what half a write left there is overwritten.
        try:
            done = 0
            while done < len(content):
                done += os.pwrite(self._file, content[done:], self._size + done)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(content)

    def _begin(self, day: date) -> None:
        self.sync()
        new = segment(self.folder, self.head.seq + 1, day)
        file = os.open(new.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._segment = file, os.fstat(file).st_size, new
        sync_folder(self.folder)

    def _prune(self) -> None:
        old = self._too_old()
        if not old:
            return
        kept = segments(self.folder)[len(old)]
        first = unseal(first_line(kept.path))
        # The last entry that goes, as the first one that stays knows it.
        anchor = Anchor(self.head.hash if first is None else first.entry.prev, kept.first - 1)
        line, head = seal(own("pruned", at=self._clock(), anchor=anchor), self.head)
        self._write(line)
        self.head = head
        self.sync()
        for gone in old:
            gone.path.unlink(missing_ok=True)
        sync_folder(self.folder)
        _log.info("audit pruned", entries_before=kept.first, files=len(old))

    def _too_old(self) -> list[Segment]:
        found = segments(self.folder)
        oldest = _day(self._clock()) - timedelta(days=self._bounds.days)
        left = sum(it.path.stat().st_size for it in found)
        gone = []
        for it in found[:-1]:
            if it.day >= oldest and left <= self._bounds.total_bytes:
                break
            left -= it.path.stat().st_size
            gone.append(it)
        return gone

    def _find_end(self) -> int:
        found = segments(self.folder)
        if not found:
            return 0
        last = found[-1]
        self._segment = last
        self._file = os.open(last.path, os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(self._file).st_size
        self._size = whole_bytes(last.path)
        os.ftruncate(self._file, self._size)
        end = _last_entry(found)
        if end is not None:
            self.head = Head(end.entry.seq, end.claimed, end.entry.at)
            if end.claimed != end.hash:
                _log.error("the last entry of the audit was edited", entry=end.entry.seq)
        return size - self._size


def _last_entry(found: Sequence[Segment]) -> Sealed | None:
    for it in reversed(found):
        for block in blocks_backwards(it.path):
            for line in reversed(block.splitlines()):
                sealed = unseal(line)
                if sealed is not None:
                    return sealed
                _log.error("the audit has a line that is no entry", file=it.path.name)
    return None


def _locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise OSError(0, "another router writes its audit there (audit.folder)") from None
    return file


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()
