"""`trivium import`: the rows of a CSV file become assets, under the eyes of whoever waits."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from router.errors import RouterError
from trivium.client import ConnectionFailedError, connect, trusting
from trivium.client.assets import Imported, import_assets
from trivium.client.chunks import Row

if TYPE_CHECKING:
    from _csv import Reader

# More would hide the first ones, which say most.
_SHOWN: Final = 20


class CsvError(Exception):
    """A file that can't be read as CSV; the message is one line."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Which assets the rows become, and where. `model` is for rows that name none.

    `ca_file` None: the CAs of the system, if there is TLS at all.
    """

    index: str
    model: str | None
    host: str
    port: int
    has_tls: bool = False
    ca_file: Path | None = None


def load_csv(file: Path, to: Destination) -> int:
    """Import a file and say what became of it; returns the exit code (0 only if all is in)."""
    try:
        header, rows = read(file, to.model)
        imported = asyncio.run(_send(header, rows, to))
    except (CsvError, RouterError, ConnectionFailedError) as error:
        print(f"[X] {error}", file=sys.stderr)
        return 1
    for refusal in imported.refusals[:_SHOWN]:
        print(f"{file}:{refusal.line}: {refusal.reason}", file=sys.stderr)
    hidden = len(imported.refusals) - _SHOWN
    if hidden > 0:
        print(f"and {hidden} more", file=sys.stderr)
    print(f"{imported.stored} assets are in {to.index}, {len(imported.refusals)} rows were refused")
    return 1 if imported.refusals else 0


def read(file: Path, model: str | None) -> tuple[list[str], list[Row]]:
    """Header and rows of a file, every row of the model unless it names its own.

    Raises:
        CsvError: It can't be read, isn't UTF-8 or CSV, is empty, or no model is named at all.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            delimiter = _delimiter(text.readline())
            text.seek(0)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            header = next(reader, [])
            rows = list(_rows(reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CsvError(f"{file} can't be read: {error}") from None
    if not header:
        raise CsvError(f"{file} is empty")
    if "model" in header:
        return header, rows
    if model is None:
        raise CsvError(f"{file} has no column model; name the model of all rows with --model")
    return ["model", *header], [Row(row.line, [model, *row.cells]) for row in rows]


@contextmanager
def counting(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for the time of the block; what is yielded moves it on. Nothing where no one looks."""
    bar = Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda rows: bar.advance(task, rows)


async def _send(header: list[str], rows: list[Row], to: Destination) -> Imported:
    tls = trusting(to.ca_file) if to.has_tls else None
    async with connect("http", to.host, to.port, tls=tls) as client:
        with counting(Console(stderr=True), to.index, len(rows)) as on_progress:
            return await import_assets(client, to.index, header, rows, on_progress=on_progress)


def _rows(reader: Reader) -> Iterator[Row]:
    for cells in reader:
        if cells:
            yield Row(reader.line_num, cells)


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)
