"""The writes of one collection: all that wait go in one request, each document's in order."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from router.envelope import JsonObject
from router.errors import RouterError
from router.settings import OpenSearchSettings
from storage.clock import Clock
from storage.conflicts import version_conflict
from storage.contract import Write, Written
from storage.opensearch.cache import Cache
from storage.opensearch.catalog import Collection, Name
from storage.opensearch.client import Client, object_at
from storage.opensearch.faults import Fault, RefusedError, UnreachableError, told
from storage.opensearch.feed import Feed
from storage.opensearch.keys import Keys
from storage.opensearch.operations import Verdict, store
from storage.opensearch.reads import fetch_records
from storage.opensearch.records import Place, Record
from storage.opensearch.refreshes import Refreshes
from storage.opensearch.registry import Registry
from storage.opensearch.turn import Job, Outcome, Turn

_log = structlog.get_logger("storage.opensearch")

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What lanes share."""

    settings: OpenSearchSettings
    client: Client
    registry: Registry
    feed: Feed
    refreshes: Refreshes
    cache: Cache
    clock: Clock
    keys: Keys
    wrote: Callable[[Collection, Write, Written], None]


class Lane:
    """Takes everything that waits, reads it, merges in Python, writes it in one request, answers.

    A document whose place another writer has changed meanwhile goes round again, as does
    everything when the server is away or busy, until its patience is over.
    """

    def __init__(self, name: Name, tools: Tools) -> None:
        self._name = name
        self._tools = tools
        self._queue: deque[Job] = deque()
        self._lost: dict[str, Turn] = {}
        self._from_cache: set[str] = set()
        self._failures = 0
        self._is_collection_lost = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many writes wait."""
        return len(self._queue)

    def add(self, job: Job) -> None:
        """Hand in one write; it has its place from now on."""
        self._queue.append(job)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"writes of {self._name}")

    async def drain(self) -> None:
        """Return once nothing waits."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        await asyncio.sleep(0)  # who writes in the same turn of the loop shares the first round
        while self._queue:
            size = min(len(self._queue), self._tools.settings.batch)
            jobs = [self._queue.popleft() for _ in range(size)]
            try:
                await self._round(jobs)
                self._failures = 0
            except RouterError as error:
                _settle(jobs, error)
            except (UnreachableError, RefusedError) as fault:
                self._put_back(jobs, fault)
                await self._pause()
            except Exception as error:  # noqa: BLE001 - a boundary: every future must be answered
                _log.error("a write failed", collection=self._name, exc_info=error)
                _settle(jobs, RouterError("services.storage.unexpected_error", str(error)))
        self._task = None

    async def _round(self, jobs: Sequence[Job]) -> None:
        tools = self._tools
        if self._is_collection_lost:
            await tools.registry.reload()
            self._is_collection_lost = False
        collection = await tools.registry.find(self._name)
        ids = list(dict.fromkeys(job.write.id for job in jobs))
        # What a condition is held against must not be older than what its caller has read.
        fresh = {job.write.id for job in jobs if job.write.condition is not None}
        records = await self._read(collection, ids, fresh)
        await self._project(collection, records)
        await self._recognise(collection, records)
        left = [job for job in jobs if not job.is_settled]
        done = await self._done_before(left, records)
        turns, collection = await self._take(collection, left, records, done)
        for turn in turns:
            if not turn.has_changes:
                self._answer(collection, turn)
        changed = [turn for turn in turns if turn.has_changes]
        try:
            verdicts = await store(tools.client, collection, changed)
        except UnreachableError:
            self._lost |= {turn.id: turn for turn in changed}
            raise
        await self._judge(collection, list(zip(changed, verdicts, strict=True)))

    async def _read(
        self, collection: Collection, ids: Sequence[str], fresh: set[str]
    ) -> dict[str, Record]:
        """The documents as this router left them, or, those in `fresh`, as the server has them."""
        cache = self._tools.cache
        for stale in fresh.union(self._lost):
            cache.drop(collection.uuid, stale)
        known = {key: cache.get(collection.uuid, key) for key in ids}
        missing = [key for key, record in known.items() if record is None]
        self._from_cache = known.keys() - missing
        fetched = await fetch_records(self._tools.client, collection, missing)
        return {key: record or fetched[key] for key, record in known.items()}

    async def _project(self, collection: Collection, records: dict[str, Record]) -> None:
        """Get the changes that would be overwritten into the feed."""
        feed = self._tools.feed
        waiting = [row for key, each in records.items() for row in feed.add(collection, key, each)]
        if waiting:
            patience_s = self._tools.settings.patience_s
            _, late = await asyncio.wait(waiting, timeout=patience_s)
            if late:
                raise UnreachableError("the changes feed can't be written")

    async def _recognise(self, collection: Collection, records: dict[str, Record]) -> None:
        """Answer what an earlier round has written although its answer got lost."""
        for key in [key for key in records if key in self._lost]:
            turn, record = self._lost[key], records[key]
            version = turn.before.version + 1
            is_done = record.op == turn.after.op or (
                record.version >= version
                and turn.is_lost
                and await self._tools.feed.has(collection, key, version, turn.after.op)
            )
            del self._lost[key]
            if is_done:
                self._accept(collection, turn)

    async def _done_before(
        self, jobs: Sequence[Job], records: dict[str, Record]
    ) -> dict[str, JsonObject]:
        """What is kept of the idempotency keys of these writes. The documents were read before:
        see `storage.opensearch.keys`."""
        once = [(job.write.once, job.write.id) for job in jobs if job.write.once is not None]
        if not once:
            return {}
        carried = {
            str(memo["key"]): memo
            for _, own in once
            for row in records[own].rows
            if (memo := object_at(row, "once"))
        }
        missing = [each.key for each, _ in once if each.key not in carried]
        return {**carried, **await self._tools.keys.find(missing)}

    async def _take(
        self,
        collection: Collection,
        jobs: Sequence[Job],
        records: dict[str, Record],
        done: dict[str, JsonObject],
    ) -> tuple[list[Turn], Collection]:
        """All writes done in memory, in the order they came."""
        mapping, now_ms = collection.mapping, self._tools.clock.stamp_ms()
        turns: dict[str, Turn] = {}
        for job in jobs:
            key = job.write.id
            turn = turns.get(key)
            if turn is None:
                turn = turns[key] = Turn.on(key, records[key], collection.incarnation)
                turn.done = done
            if job.is_beaten:
                stored = turn.before.document(key, collection.incarnation)
                job.settle(version_conflict(job.write, stored))
            else:
                mapping = turn.take(job, mapping, now_ms)
        if mapping is not collection.mapping:
            collection = await self._tools.registry.learn(collection, mapping)
        return list(turns.values()), collection

    async def _judge(self, collection: Collection, judged: list[tuple[Turn, Verdict]]) -> None:
        again: list[Job] = []
        fault: RefusedError | None = None
        for turn, verdict in judged:
            if isinstance(verdict, Place):
                self._remember(collection, turn, verdict)
                self._accept(collection, turn)
            elif verdict.status == 409:
                self._forget(collection, turn)
                again += turn.jobs
            elif verdict.is_passing or verdict.is_of_missing_index:
                again += turn.jobs
                fault = verdict
            elif len(turn.jobs) > 1:
                await self._one_by_one(turn.jobs)
            else:
                _settle(turn.jobs, told(verdict))
        if fault is not None:
            raise fault
        self._queue.extendleft(reversed([job for job in again if not job.is_settled]))

    def _remember(self, collection: Collection, turn: Turn, place: Place) -> None:
        after = turn.after
        if after.content is None:
            self._tools.cache.drop(collection.uuid, turn.id)
        else:
            record = replace(after, place=place, grave=turn.before.grave)
            self._tools.cache.put(collection.uuid, turn.id, record)

    def _forget(self, collection: Collection, turn: Turn) -> None:
        """Take note of a conflict. It counts if the document was read just before."""
        is_stale = turn.id in self._from_cache
        self._tools.cache.drop(collection.uuid, turn.id)
        self._lost[turn.id] = turn
        for job in turn.jobs:
            job.conflicts += not is_stale

    async def _one_by_one(self, jobs: Sequence[Job]) -> None:
        """Find the bad one among the writes of a document; it fails alone."""
        for place, job in enumerate(jobs):
            await self._round([job])
            if not job.is_settled:  # it stands first in the queue again
                self._queue.popleft()
                self._queue.extendleft(reversed(jobs[place:]))
                return

    def _accept(self, collection: Collection, turn: Turn) -> None:
        self._tools.feed.add(collection, turn.id, turn.after, is_new=True)
        self._answer(collection, turn)

    def _answer(self, collection: Collection, turn: Turn) -> None:
        for job, outcome in zip(turn.jobs, turn.outcomes, strict=True):
            if isinstance(outcome, Written) and outcome.repeats is None:
                self._tools.wrote(collection, job.write, outcome)
            if job.write.refresh and isinstance(outcome, Written) and not job.is_settled:
                job.is_settled = True
                visible = self._tools.refreshes.join(collection.alias)
                visible.add_done_callback(_answering(job, outcome))
            elif not job.is_settled:
                job.settle(outcome)

    def _put_back(self, jobs: Sequence[Job], fault: Fault) -> None:
        self._is_collection_lost |= isinstance(fault, RefusedError) and fault.is_of_missing_index
        self._queue.extendleft(reversed([job for job in jobs if not job.is_settled]))
        now = asyncio.get_running_loop().time()
        for turn in self._lost.values():
            turn.is_lost = True
        for job in self._queue:
            if job.expires_at < now:
                job.settle(told(fault))
        self._queue = deque(job for job in self._queue if not job.is_settled)
        wanted = {job.write.id for job in self._queue}
        self._lost = {key: turn for key, turn in self._lost.items() if key in wanted}

    async def _pause(self) -> None:
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures, 10))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))


def _answering(job: Job, written: Written) -> Callable[[asyncio.Future[None]], None]:
    def answer(visible: asyncio.Future[None]) -> None:
        fault = None if visible.cancelled() else visible.exception()
        if isinstance(fault, (UnreachableError, RefusedError)):
            job.settle(told(fault))
        else:
            job.settle(written)

    return answer


def _settle(jobs: Sequence[Job], outcome: Outcome) -> None:
    for job in jobs:
        if not job.is_settled:
            job.settle(outcome)
