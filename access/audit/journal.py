"""The queue before the writer, and the thread that empties it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final, Literal, NamedTuple, TypeAlias

import structlog

from access.audit.entry import Entry, own
from access.audit.writer import Clock, Writer

_log: Final = structlog.get_logger("trivium.audit")

Sync: TypeAlias = Literal["batch", "second", "never"]

BATCH: Final = 1_000
"""Entries that are written at once: a megabyte at most, a third of one as a rule."""

_RETRY_S: Final = 1.0
_TICK_S: Final = 30.0


class _Mark(NamedTuple):
    """Somebody who waits until what was put in so far has been tried."""

    reached: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop

    def reach(self) -> None:
        """Wake who waits; from the other thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.reached.done():
            self.reached.set_result(None)


class Journal:
    """Takes entries without waiting; a thread writes them in batches.

    A batch that can't be written is tried again each second. Meanwhile entries wait, up to a
    bound; those beyond it are lost, and counted by an entry once writing works again.

    Attributes:
        is_failing: Whether the last attempt to write failed.
        written, lost, failures: Entries on disk, entries dropped, attempts that failed.
    """

    def __init__(self, writer: Writer, clock: Clock, *, sync: Sync, waiting: int) -> None:
        self.is_failing = False
        self.written = self.lost = self.failures = 0
        self._writer = writer
        self._clock = clock
        self._sync = sync
        self._most = waiting
        self._queue: deque[Entry] = deque()
        self._marks: deque[_Mark] = deque()
        self._batch: list[Entry] = []
        self._told_lost = 0
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._is_dirty = False
        self._synced_at = 0.0
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write; the writer is open."""
        self._thread.start()

    def note(self, action: str) -> None:
        """Take an entry of the router itself."""
        self.put(own(action, at=self._clock()))

    def put(self, entry: Entry) -> None:
        """Take an entry; for the loop's thread."""
        if len(self._queue) >= self._most:
            self.lost += 1
            return
        self._queue.append(entry)
        if not self._wake.is_set():
            self._wake.set()

    async def settled(self) -> None:
        """Return once what was put in before is in the file, or was tried in vain."""
        if not self._thread.is_alive():
            return
        loop = asyncio.get_running_loop()
        mark = _Mark(loop.create_future(), loop)
        self._marks.append(mark)
        self._wake.set()
        await mark.reached

    async def close(self) -> None:
        """Write what waits, tell the head, end the thread and close the writer."""
        self._ending.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    # -- the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            self._turn()
            if self.is_failing:
                self._ending.wait(_RETRY_S)
            elif not self._queue:
                self._wake.wait(1.0 if self._is_dirty else _TICK_S)
            self._wake.clear()
        self._turn()
        self._end()

    def _turn(self) -> None:
        marks = [self._marks.popleft() for _ in range(len(self._marks))]
        try:
            self._writer.tick()
            self._empty(len(self._queue))
            self._tell_lost()
            self._flush()
            self._recovered()
        except Exception as error:  # noqa: BLE001 - the boundary: the thread goes on
            self._failed(error)
        finally:
            for mark in marks:
                mark.reach()

    def _empty(self, waiting: int) -> None:
        while waiting or self._batch:
            # What can't be written stays the batch, and so the next to be tried.
            taken = min(waiting, BATCH - len(self._batch))
            self._batch += [self._queue.popleft() for _ in range(taken)]
            waiting -= taken
            self._writer.append(self._batch)
            self.written += len(self._batch)
            self._batch = []
            self._is_dirty = self._sync != "never"

    def _tell_lost(self) -> None:
        lost = self.lost - self._told_lost
        if lost:
            self._writer.append([own("lost", at=self._clock(), count=lost)])
            self._told_lost += lost

    def _flush(self) -> None:
        now = time.monotonic()
        is_due = self._sync == "batch" or now - self._synced_at >= 1.0
        if self._is_dirty and is_due:
            self._synced_at, self._is_dirty = now, False
            self._writer.sync()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self.is_failing:
            self.is_failing = True
            # The log may be on the same disk.
            with suppress(OSError):
                _log.error("the audit can't be written", exc_info=error)

    def _recovered(self) -> None:
        if self.is_failing:
            self.is_failing = False
            with suppress(OSError):
                _log.warning("the audit is written again", lost=self.lost)

    def _end(self) -> None:
        left = len(self._batch) + len(self._queue)
        self.lost += left
        with suppress(OSError):
            if left:
                _log.error("entries of the audit are lost", entries=left)
            if self.written:
                self._writer.tell()
            self._writer.sync()
        self._writer.close()
