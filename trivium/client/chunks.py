"""CSV text cut into pieces that fit into one request, each with the header of the whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

# Small enough for a bar that moves, far below the 1 MB of a request however it is escaped.
CHUNK_BYTES: Final = 128 * 1024


class Row(NamedTuple):
    """One row of a file and the number of its last line there, the header's being 1."""

    line: int
    cells: Sequence[str]


class Chunk(NamedTuple):
    """A piece of a file: text with a header.

    `origin` tells for the last line of each row in the text where in the file that row ends.
    """

    text: str
    rows: int
    origin: dict[int, int]


def cut(
    header: Sequence[str], rows: Iterable[Row], max_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """The rows in pieces of at most so many bytes; a single longer row is a piece of its own."""
    head = _line(header)
    text, size, number, origin = [head], len(head.encode()), head.count("\n"), dict[int, int]()
    for row in rows:
        line = _line(row.cells)
        length = len(line.encode())
        if origin and size + length > max_bytes:
            yield Chunk("".join(text), len(origin), origin)
            text, size, number, origin = [head], len(head.encode()), head.count("\n"), {}
        text.append(line)
        size += length
        number += line.count("\n")
        origin[number] = row.line
    if origin:
        yield Chunk("".join(text), len(origin), origin)


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
