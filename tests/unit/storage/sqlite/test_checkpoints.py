"""The log: moved beside the writer, begun anew, bounded, and an error where the disk fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from storage.sqlite.checkpoints import REST_PAGES, Checkpoints
from storage.sqlite.connection import Disk, connect
from tests.support.disks import SimulatedDisk

BOUND_S = 60.0
PAGE = 4096


@pytest.fixture
def disk() -> Iterator[SimulatedDisk]:
    simulated = SimulatedDisk()
    yield simulated
    simulated.close()


class Log:
    """A database, its checkpoints, and a table to fill the log with."""

    def __init__(self, folder: Path, disk: SimulatedDisk, pages: int) -> None:
        self.path = folder / "log.db"
        open_one = partial(connect, self.path, Disk(disk.name), cache_mb=2)
        self.connection = open_one()
        self.connection.execute("CREATE TABLE t (x BLOB)")
        self.checkpoints = Checkpoints(self.connection, open_one, pages)

    def write(self, pages: int) -> None:
        with self.connection:
            rows = [(b"x" * 3_900,) for _ in range(pages)]
            self.connection.executemany("INSERT INTO t VALUES (?)", rows)

    def pages(self) -> int:
        return (self.path.parent / "log.db-wal").stat().st_size // PAGE

    def close(self) -> None:
        self.checkpoints.close()
        self.connection.close(force=True)


@pytest.fixture
def log(tmp_path: Path, disk: SimulatedDisk) -> Iterator[Log]:
    log = Log(tmp_path, disk, pages=1_000)
    yield log
    log.close()


def test_a_busy_log_begins_anew_and_so_does_not_grow(log: Log) -> None:
    for _ in range(200):
        log.write(100)
        log.checkpoints.step(is_idle=False)
    assert log.pages() < 6 * 1_000  # 20 000 were written


def test_an_idle_log_is_moved_before_it_is_due(log: Log, disk: SimulatedDisk) -> None:
    log.write(REST_PAGES + 100)
    synced = disk.operations
    log.checkpoints.step(is_idle=False)
    assert disk.operations == synced
    log.checkpoints.step(is_idle=True)
    deadline = time.monotonic() + BOUND_S
    while log.checkpoints._moved == 0:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert log.path.stat().st_size > REST_PAGES * PAGE


def test_a_reader_holds_the_log_back_only_as_long_as_it_reads(log: Log) -> None:
    reader = apsw.Connection(str(log.path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").get == 0
    for _ in range(60):
        log.write(100)
        log.checkpoints.step(is_idle=False)
    assert log.pages() > 4_000
    reader.close()
    held = log.pages()
    for _ in range(60):
        log.write(100)
        log.checkpoints.step(is_idle=False)
    assert log.pages() < held + 3_000


def test_a_disk_that_fails_in_the_thread_is_told_to_the_writer(
    log: Log, disk: SimulatedDisk
) -> None:
    log.write(REST_PAGES * 3)
    disk.fails_to_sync = True
    with pytest.raises(apsw.IOError):
        step_until_told(log)
    disk.fails_to_sync = False


def step_until_told(log: Log) -> None:
    deadline = time.monotonic() + BOUND_S
    while time.monotonic() < deadline:
        log.checkpoints.step(is_idle=False)
        time.sleep(0.005)
