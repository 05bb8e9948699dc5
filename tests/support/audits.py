"""Writers of audits whose clock a test moves, and a look at what they wrote."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from access.audit.entry import Entry, Head, own, unseal
from access.audit.segments import lines, segments
from access.audit.verify import Fault, Heads, Verdict, verify
from access.audit.writer import Bounds, Writer

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


def writer_of(
    folder: Path, clock: Clock, *, days: int = 90, total: int = 1 << 30, file: int = 1 << 20
) -> Writer:
    """A writer that is not open yet."""
    return Writer(folder, Bounds(days, total, file), clock)


def add(writer: Writer, clock: Clock, count: int = 1) -> None:
    """Write so many entries, one by one."""
    for number in range(count):
        writer.append([own(f"act{number}", at=clock())])


def entry(**fields: object) -> Entry:
    """An entry with these fields, the others as of some login."""
    given: dict[str, object] = {
        "action": "login",
        "address": "127.0.0.1",
        "at": 1_772_366_400_000,
        "by": "token",
        "client": "",
        "collection": "assets",
        "connection": "c1",
        "controller": "auth",
        "error": None,
        "id": "Truck-1",
        "index": "fleet",
        "kuid": "ada",
        "outcome": "allowed",
        "requestId": "r1",
        "status": 200,
        "wire": "http",
    }
    return Entry(**{**given, **fields})  # type: ignore[arg-type]


def entries(folder: Path) -> list[Entry]:
    """Every entry of a folder, the oldest first."""
    found = [unseal(line) for part in segments(folder) for line in lines(part.path)]
    assert None not in found
    return [it.entry for it in found if it is not None]


def verdict(folder: Path, *heads: Head | str) -> Verdict:
    """What the chain of a folder is worth."""
    return verify(folder, Heads(str(head) for head in heads))


def assert_whole(folder: Path, *heads: Head | str) -> int:
    """How many entries there are, all of them true."""
    found = verdict(folder, *heads)
    assert found.fault is None
    return found.entries


def fault(folder: Path, *heads: Head | str) -> Fault:
    """What is wrong with a chain that isn't whole."""
    found = verdict(folder, *heads).fault
    assert found is not None
    return found


@contextlib.contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the kernel refuse what would make a file longer than that, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
