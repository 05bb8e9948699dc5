"""The journal never keeps a caller waiting, and loses nothing without saying so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from access.audit.entry import own
from access.audit.journal import BATCH, Journal
from access.audit.segments import segments
from tests.support.audits import Clock, assert_whole, entries, files_limited_to, writer_of
from tests.support.requests import until

Started = Callable[..., Journal]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(name="started")
async def started_in(tmp_path: Path, clock: Clock) -> AsyncIterator[Started]:
    journals = []

    def started(*, sync: str = "second", waiting: int = 100_000) -> Journal:
        writer = writer_of(tmp_path, clock)
        writer.open()
        journal = Journal(writer, clock, sync=sync, waiting=waiting)  # type: ignore[arg-type]
        journal.start()
        journal.note("started")
        journals.append(journal)
        return journal

    yield started
    for journal in journals:
        await journal.close()


def put(journal: Journal, clock: Clock, count: int) -> None:
    for number in range(count):
        journal.put(own(f"act{number}", at=clock()))


@pytest.mark.parametrize("sync", ["batch", "second", "never"])
async def test_all_that_was_put_is_in_the_files_in_order(
    tmp_path: Path, started: Started, clock: Clock, sync: str
) -> None:
    journal = started(sync=sync)
    put(journal, clock, 3 * BATCH + 7)
    await journal.settled()
    names = [it.action for it in entries(tmp_path)]
    assert names == ["started", *(f"act{number}" for number in range(3 * BATCH + 7))]
    assert journal.written == len(names)
    await journal.close()
    assert_whole(tmp_path)


async def test_what_waits_while_the_disk_is_full_is_written_once_there_is_room(
    tmp_path: Path, started: Started, clock: Clock
) -> None:
    journal = started()
    await journal.settled()
    (segment,) = segments(tmp_path)
    with files_limited_to(segment.path.stat().st_size + 10):
        put(journal, clock, 20)
        await journal.settled()
        assert journal.is_failing
        assert journal.failures >= 1
        assert len(entries(tmp_path)) == 1
    await until_written(journal, 21)
    assert not journal.is_failing
    assert journal.lost == 0
    assert [it.action for it in entries(tmp_path)][1:3] == ["act0", "act1"]
    assert_whole(tmp_path)


async def test_what_finds_no_room_in_memory_either_is_lost_and_counted_in_the_chain(
    tmp_path: Path, started: Started, clock: Clock
) -> None:
    journal = started(waiting=5)
    await journal.settled()
    (segment,) = segments(tmp_path)
    with files_limited_to(segment.path.stat().st_size + 10):
        put(journal, clock, 1)
        await journal.settled()
        put(journal, clock, 9)
        assert journal.lost == 4
    await until_written(journal, 7)
    await until(lambda: not journal.is_failing, turns=1_000_000)
    lost = [it for it in entries(tmp_path) if it.action == "lost"]
    assert [it.count for it in lost] == [4]
    assert_whole(tmp_path)


async def test_closing_with_a_full_disk_ends(
    tmp_path: Path, started: Started, clock: Clock
) -> None:
    journal = started()
    await journal.settled()
    (segment,) = segments(tmp_path)
    with files_limited_to(segment.path.stat().st_size + 10):
        put(journal, clock, 3)
        await journal.close()
    assert journal.lost == 3
    assert_whole(tmp_path)


async def test_waiting_for_a_journal_that_has_ended_ends(started: Started) -> None:
    journal = started()
    await journal.close()
    await journal.settled()


async def until_written(journal: Journal, count: int) -> None:
    while journal.written < count:  # at most a second: it is tried again each second
        await journal.settled()
