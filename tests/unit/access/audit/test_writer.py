"""The writer keeps one chain, whatever happens to its files, its disk and its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from access.audit.entry import EMPTY, own
from access.audit.segments import segments
from access.audit.writer import AuditOpenError, Writer
from tests.support.audits import (
    DAY_MS,
    NOON,
    Clock,
    add,
    assert_whole,
    entries,
    fault,
    files_limited_to,
    verdict,
    writer_of,
)

Opened = Callable[..., Writer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(name="opened")
def opened_in(tmp_path: Path, clock: Clock) -> Iterator[Opened]:
    writers = []

    def opened(**bounds: int) -> Writer:
        writer = writer_of(tmp_path, clock, **bounds)
        writers.append(writer)
        writer.open()
        return writer

    yield opened
    for writer in writers:
        writer.close()


class TestChain:
    def test_entries_follow_each_other_from_the_first(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened()
        assert writer.head == EMPTY
        writer.append([own("one", at=clock()), own("two", at=clock())])
        middle = writer.head
        writer.append([own("three", at=clock())])
        found = entries(tmp_path)
        assert [it.seq for it in found] == [1, 2, 3]
        assert found[0].prev == EMPTY.hash
        assert found[2].prev == middle.hash
        assert assert_whole(tmp_path, middle, writer.head) == 3

    def test_the_next_start_goes_on(self, tmp_path: Path, opened: Opened, clock: Clock) -> None:
        first = opened()
        add(first, clock, 3)
        first.close()
        second = opened()
        assert second.head == first.head
        add(second, clock)
        assert assert_whole(tmp_path, first.head, second.head) == 4

    def test_files_are_for_their_owner_alone(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        add(opened(), clock)
        assert {it.stat().st_mode & 0o777 for it in tmp_path.iterdir()} == {0o600}

    def test_two_routers_can_not_write_in_one_folder(self, opened: Opened) -> None:
        opened()
        with pytest.raises(AuditOpenError, match="another router"):
            opened()

    def test_time_never_goes_back(self, tmp_path: Path, opened: Opened, clock: Clock) -> None:
        writer = opened()
        add(writer, clock)
        clock.now -= 3 * DAY_MS
        add(writer, clock, 2)
        assert len(segments(tmp_path)) == 1
        assert [it.at for it in entries(tmp_path)] == [NOON] * 3


class TestCrash:
    @pytest.mark.parametrize("torn", [b"{", b'{"action":"x"', b"\0" * 4096, b"\xff\xfe"])
    def test_a_torn_last_line_is_cut_off_and_told(
        self, tmp_path: Path, opened: Opened, clock: Clock, torn: bytes
    ) -> None:
        writer = opened()
        add(writer, clock, 2)
        writer.close()
        (segment,) = segments(tmp_path)
        with segment.path.open("ab") as file:
            file.write(torn)
        before = verdict(tmp_path, writer.head)
        assert (before.entries, before.torn, before.fault) == (2, len(torn), None)
        opened()
        last = entries(tmp_path)[-1]
        assert (last.action, last.count) == ("repaired", len(torn))
        assert assert_whole(tmp_path, writer.head) == 3

    def test_an_empty_last_file_is_gone_on_with(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(file=1)
        add(writer, clock, 2)
        writer.close()
        (tmp_path / "audit-000000000003-2026-03-01.jsonl").touch()
        again = opened(file=1)
        assert again.head == writer.head
        add(again, clock, 2)
        assert assert_whole(tmp_path) == 4

    def test_a_last_entry_that_was_edited_is_told_and_not_covered_up(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened()
        add(writer, clock, 2)
        writer.close()
        (segment,) = segments(tmp_path)
        content = segment.path.read_bytes()
        segment.path.write_bytes(content.replace(b'"act1"', b'"act9"'))
        with structlog.testing.capture_logs() as logs:
            again = opened()
        assert [(it["log_level"], it["entry"]) for it in logs] == [("error", 2)]
        add(again, clock)
        assert fault(tmp_path).seq == 2

    def test_a_chain_of_garbage_is_begun_anew_behind_it(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        (tmp_path / "audit-000000000001-2026-03-01.jsonl").write_bytes(b"garbage\n")
        add(opened(), clock)
        assert fault(tmp_path).text == "entry 1 can't be read any more"


class TestFiles:
    def test_a_day_that_ends_has_its_own_file_and_its_head_in_the_log(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened()
        add(writer, clock, 2)
        ended = writer.head
        clock.now += DAY_MS
        with structlog.testing.capture_logs() as logs:
            writer.tick()
            writer.tick()
        line = {"event": "audit head", "day": "2026-03-01", "head": str(ended)}
        assert logs == [{**line, "log_level": "info"}]
        add(writer, clock)
        days = [date(2026, 3, 1), date(2026, 3, 2)]
        assert [(it.first, it.day) for it in segments(tmp_path)] == [(1, days[0]), (3, days[1])]
        assert assert_whole(tmp_path, ended, writer.head) == 3

    def test_a_day_that_ended_while_the_router_was_down_is_told_at_the_next_entry(
        self, opened: Opened, clock: Clock
    ) -> None:
        writer = opened()
        add(writer, clock)
        writer.close()
        clock.now += 3 * DAY_MS
        with structlog.testing.capture_logs() as logs:
            add(opened(), clock)
        assert [(it["day"], it["head"]) for it in logs] == [("2026-03-01", str(writer.head))]

    def test_a_file_that_is_full_is_followed_by_another(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(file=1)
        add(writer, clock, 4)
        assert [it.first for it in segments(tmp_path)] == [1, 2, 3, 4]
        assert assert_whole(tmp_path, writer.head) == 4

    def test_what_is_too_old_goes_and_the_chain_still_verifies(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(days=2)
        heads = []
        for _ in range(6):
            add(writer, clock, 3)
            heads.append(writer.head)
            clock.now += DAY_MS
        writer.tick()
        oldest = datetime.fromtimestamp(clock.now / 1000, UTC).date() - timedelta(2)
        assert [it.day >= oldest for it in segments(tmp_path)] == [True] * 3
        assert assert_whole(tmp_path, *heads) < writer.head.seq
        # Of the days that are gone, the last one can still be told by its hash alone.
        assert_whole(tmp_path, heads[3].hash)

    def test_what_is_too_big_goes_and_bounds_the_folder(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(total=20_000, file=2_000)
        add(writer, clock, 500)
        size = sum(it.path.stat().st_size for it in segments(tmp_path))
        assert 10_000 < size < 25_000
        assert_whole(tmp_path, writer.head)

    def test_a_start_with_smaller_bounds_prunes_at_once(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(file=1)
        add(writer, clock, 20)
        writer.close()
        opened(total=2_000, file=1)
        assert sum(it.path.stat().st_size for it in segments(tmp_path)) < 3_000
        assert_whole(tmp_path, writer.head)

    def test_pruning_that_was_cut_by_a_crash_is_no_fault(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened(file=1)
        add(writer, clock, 10)
        writer.close()
        kept = {it.path: it.path.read_bytes() for it in segments(tmp_path)}
        opened(total=2_000, file=1).close()
        gone = [path for path in kept if not path.exists()]
        assert len(gone) > 3
        # The crash: of those that were to go, only the two oldest had gone.
        for path in gone[2:]:
            path.write_bytes(kept[path])
        assert_whole(tmp_path)
        opened(total=2_000, file=1)
        assert_whole(tmp_path)


class TestDisk:
    def test_what_can_not_be_written_leaves_no_trace(
        self, tmp_path: Path, opened: Opened, clock: Clock
    ) -> None:
        writer = opened()
        add(writer, clock, 2)
        before = writer.head
        (segment,) = segments(tmp_path)
        size = segment.path.stat().st_size
        both = [own("lost", at=clock()), own("lost", at=clock())]
        with files_limited_to(size + 100), pytest.raises(OSError, match="too large"):
            writer.append(both)
        assert writer.head == before
        assert segment.path.stat().st_size == size
        add(writer, clock)
        assert assert_whole(tmp_path, before) == 3

    def test_a_folder_that_can_not_be_made_is_named(self, tmp_path: Path, clock: Clock) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(AuditOpenError, match="file/audit"):
            writer_of(tmp_path / "file" / "audit", clock).open()
