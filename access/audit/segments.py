"""The files of a chain: their names, and their lines from either end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"audit-(\d{12,})-(\d{4}-\d\d-\d\d)\.jsonl")
_BLOCK: Final = 1 << 20


class Segment(NamedTuple):
    """One file: the number of its first entry and the day (UTC) it was begun."""

    first: int
    day: date
    path: Path


def segment(folder: Path, first: int, day: date) -> Segment:
    """The file that begins with the entry `first`; names sort as entries do."""
    return Segment(first, day, folder / f"audit-{first:012d}-{day.isoformat()}.jsonl")


def segments(folder: Path) -> list[Segment]:
    """The files of a chain, oldest first; an empty list where there is none."""
    found = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name is not None:
                with suppress(ValueError):
                    found.append(Segment(int(name[1]), date.fromisoformat(name[2]), path))
    return sorted(found)


def lines(path: Path) -> Iterator[bytes]:
    """The lines from first to last, ends included; the last one is torn if it has none."""
    with path.open("rb") as file:
        yield from file


def first_line(path: Path) -> bytes:
    """The first line, empty for an empty file or one that was pruned meanwhile."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        return file.readline()
    return b""


def whole_bytes(path: Path, *, block: int = _BLOCK) -> int:
    """Bytes up to the end of the last whole line; what follows was torn by a crash."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - block)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def blocks_backwards(path: Path, *, block: int = _BLOCK) -> Iterator[bytes]:
    """Runs of whole lines, about a megabyte each, the last run first.

    A torn last line is left out. A file that was pruned meanwhile has none.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        end, rest = whole_bytes(path, block=block), b""
        while end:
            start = max(0, end - block)
            file.seek(start)
            run = file.read(end - start) + rest
            cut = 0 if start == 0 else run.find(b"\n") + 1 or len(run)
            rest, whole = run[:cut], run[cut:]
            if whole:
                yield whole
            end = start
