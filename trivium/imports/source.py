"""The lines of a file with their places in it, so that an import can begin at any of them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, TypeAlias

from router.envelope import JsonObject

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

MAX_LINE_BYTES: Final = 16 * 1_048_576
"""Longest line that is read at all; a router takes 1 MB in one request unless it is told else."""

_PIECE: Final = 1_048_576


class SourceError(Exception):
    """A file that can't be imported at all; the message is one line."""


class Mark(NamedTuple):
    """A place between two lines: bytes before it, and the number of the line behind it."""

    offset: int = 0
    line: int = 1


class Broken(NamedTuple):
    """What is no record: where it begins, where the next may begin, and why it is none."""

    start: Mark
    end: Mark
    reason: str


class Entry(NamedTuple):
    """A document of a file: `{_id?, body}`."""

    start: Mark
    end: Mark
    document: JsonObject


class Cells(NamedTuple):
    """A row of a table as it is written."""

    start: Mark
    end: Mark
    cells: list[str]


Record: TypeAlias = Entry | Cells


class LongLineError(ValueError):
    """A line is longer than is read; `end` is the place behind it."""

    def __init__(self, end: Mark) -> None:
        self.end = end
        super().__init__(f"is longer than {MAX_LINE_BYTES // 1_048_576} MB")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file for reading, held against another import of it.

    Raises:
        SourceError: It can't be read, or is being imported.
    """
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SourceError(f"{path} is being imported by another process") from None
            yield file
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}") from None


def next_line(file: BinaryIO, mark: Mark) -> tuple[bytes, Mark]:
    """The line behind a mark and the mark behind that; an empty one is the end of the file.

    Raises:
        LongLineError: It is too long; nothing of it is kept.
    """
    file.seek(mark.offset)
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) <= MAX_LINE_BYTES:
        return line, Mark(mark.offset + len(line), mark.line + 1)
    while piece := file.readline(_PIECE):
        if piece.endswith(b"\n"):
            break
    raise LongLineError(Mark(file.tell(), mark.line + 1))


def absorb(whole: Hash, file: BinaryIO, start: int, until: int) -> None:
    """Let a hash take in the bytes between two places of a file, as far as there are any."""
    file.seek(start)
    left = until - start
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        whole.update(piece)
        left -= len(piece)
