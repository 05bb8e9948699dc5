"""The writer thread: takes everything that waits, commits once, answers all at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from router.errors import RouterError
from storage.contract import Listener, Write, Written
from storage.sqlite.jobs import Bulk, BulkJob, Job, Outcome, Task, TaskJob, WriteJob
from storage.sqlite.keys import Conclusion
from storage.sqlite.ledger import Ledger

_log: Final = structlog.get_logger("trivium.store")
_REOPEN_EVERY_S: Final = 0.25
"""How often a store whose disk failed is tried again."""


class Writer:
    """Runs a ledger in a thread of its own. The methods are for the loop that made it.

    Args:
        ledger: Open already; the writer's alone until `stop` is over.
        batch: Writes that share a commit at most.
        waiting: Writes that wait at most.
    """

    def __init__(self, ledger: Ledger, *, batch: int, waiting: int) -> None:
        self._ledger = ledger
        self._batch = batch
        self._waiting_max = waiting
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._tick: list[Job] = []  # handed in during this turn of the loop
        self._jobs: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._backlog: deque[Job] = deque()
        self._is_stopping = False
        self._is_ended = False
        self._reopen_at = 0.0
        self._listener: Listener | None = None
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    # -- on the loop ------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Call the listener with each write that is acknowledged from now on."""
        self._listener = listener

    def write(self, write: Write) -> asyncio.Future[Written]:
        """Hand in one write; it has its place from now on."""
        future: asyncio.Future[Written] = self._loop.create_future()
        refused = self._refusal(1)
        if refused is None:
            self._hand_in([WriteJob(write, future)])
        else:
            future.set_exception(refused)
        return future

    def write_all(self, writes: Sequence[Write]) -> asyncio.Future[list[Outcome]]:
        """Hand in many writes, one behind the other."""
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        refused = self._refusal(len(writes))
        if refused is not None:
            future.set_exception(refused)
        elif not writes:
            future.set_result([])
        else:
            bulk = Bulk(len(writes), future)
            self._hand_in([BulkJob(write, bulk, place) for place, write in enumerate(writes)])
        return future

    def run(self, work: Conclusion | Task) -> asyncio.Future[None]:
        """Hand in a change of the catalog, or an answer to keep; writes handed in earlier come
        before it."""
        future: asyncio.Future[None] = self._loop.create_future()
        refused = self._refusal(1)
        if refused is None:
            self._hand_in([TaskJob(work, future)])
        else:
            future.set_exception(refused)
        return future

    async def stop(self) -> None:
        """Finish what was handed in, and end the thread. Nothing more is taken."""
        if not self._is_stopping:
            self._is_stopping = True
            self._hand_over()
            self._jobs.put(None)
        await asyncio.shield(asyncio.to_thread(self._thread.join))

    def _refusal(self, count: int) -> RouterError | None:
        if self._is_stopping:
            return RouterError("api.process.shutting_down")
        if self._waiting + count > self._waiting_max:
            return RouterError("api.process.overloaded")
        return None

    def _hand_in(self, jobs: Sequence[Job]) -> None:
        if not self._tick:
            # At the end of this turn of the loop: woken at the first of many writes, the writer
            # would commit that one alone and let the others wait for its sync.
            self._loop.call_soon(self._hand_over)
        self._tick += jobs
        self._waiting += len(jobs)

    def _hand_over(self) -> None:
        if self._tick:
            self._jobs.put(self._tick)
            self._tick = []

    def _answer(self, answers: list[tuple[Job, Outcome | None]]) -> None:
        self._waiting -= len(answers)
        for job, outcome in answers:
            if self._listener is not None:
                _tell(self._listener, job, outcome)
            job.settle(outcome)

    # -- in the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while jobs := self._take():
            writes: list[Job] = []
            for job in jobs:
                if isinstance(job.work, Write | Conclusion):
                    writes.append(job)
                    continue
                self._do_writes(writes)
                writes = []
                self._do_task(job, job.work)
            self._do_writes(writes)
        self._ledger.close()

    def _take(self) -> list[Job]:
        """Everything that waits, up to a batch, at least one job; nothing once all is done."""
        backlog = self._backlog
        if not backlog and not self._is_ended:
            self._take_in(self._first())
        while len(backlog) < self._batch and not self._is_ended:
            try:
                self._take_in(self._jobs.get_nowait())
            except Empty:
                break
        return [backlog.popleft() for _ in range(min(self._batch, len(backlog)))]

    def _take_in(self, jobs: list[Job] | None) -> None:
        if jobs is None:
            self._is_ended = True
        else:
            self._backlog.extend(jobs)

    def _first(self) -> list[Job] | None:
        """The next jobs, None for the end; meanwhile keeps house or tries a failed disk again."""
        while True:
            with contextlib.suppress(Empty):
                return self._jobs.get_nowait()
            if not self._ledger.is_open:
                self._reopen()
                with contextlib.suppress(Empty):
                    return self._jobs.get(timeout=_REOPEN_EVERY_S)
            elif not self._ledger.tend(is_idle=True) and self._ledger.is_open:
                return self._jobs.get()

    def _do_writes(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        works = [job.work for job in jobs if isinstance(job.work, Write | Conclusion)]
        outcomes = self._ledger.write(works)
        self._settle(list(zip(jobs, outcomes, strict=True)))
        self._ledger.tend(is_idle=False)
        if not self._ledger.is_open:
            self._reopen()

    def _do_task(self, job: Job, task: Task) -> None:
        outcome: Outcome | None = None
        try:
            self._ledger.run(task)
        except RouterError as error:
            outcome = error
        self._settle([(job, outcome)])
        if not self._ledger.is_open:
            self._reopen()

    def _reopen(self) -> None:
        if time.monotonic() < self._reopen_at:
            return
        self._reopen_at = time.monotonic() + _REOPEN_EVERY_S
        # Whatever is wrong with the file: without this thread nobody would be answered.
        with contextlib.suppress(Exception):
            self._ledger.open()
            _log.info("store has reopened")

    def _settle(self, answers: list[tuple[Job, Outcome | None]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._answer, answers)


def _tell(listener: Listener, job: Job, outcome: Outcome | None) -> None:
    work = job.work
    if isinstance(work, Write) and isinstance(outcome, Written) and outcome.repeats is None:
        listener(work, outcome)
