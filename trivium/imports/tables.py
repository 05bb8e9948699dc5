"""A CSV file: its header, its rows, and what their cells are as documents."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from controllers import embedded
from controllers.cells import Convert, converter
from router.envelope import Json, JsonObject
from trivium.imports.source import Broken, Cells, Entry, LongLineError, Mark, SourceError, next_line

_DELIMITERS: Final = ",;\t"
_OBJECT: Final = "[OBJECT]"
"""What an export writes in place of an object, as the peer's does."""


class Table(NamedTuple):
    """How a file is divided, the names of its columns, and where its rows begin."""

    delimiter: str
    header: list[str]
    start: Mark


def table(file: BinaryIO) -> Table:
    """How the file begins. Raises: SourceError."""
    try:
        line, _ = next_line(file, Mark())
        text = line.decode("utf-8-sig")
        delimiter = max(_DELIMITERS, key=text.count)
        first = next(rows(file, delimiter, Mark()), None)
    except ValueError as error:
        raise SourceError(f"{file.name} can't be read: {error}") from None
    if isinstance(first, Broken):
        raise SourceError(f"{file.name} can't be read: {first.reason}")
    if first is None:
        raise SourceError(f"{file.name} is empty")
    return Table(delimiter, first.cells, first.end)


def rows(file: BinaryIO, delimiter: str, start: Mark) -> Iterator[Cells | Broken]:
    """The rows from a mark on; empty lines are passed over.

    After one that is no CSV, as a quote in it never ends, the next is looked for in the line
    below its first.
    """
    mark = start
    while True:
        lines = _Lines(file, mark)
        try:
            for cells in csv.reader(lines, delimiter=delimiter, strict=True):
                if cells:
                    yield Cells(mark, lines.mark, cells)
                mark = lines.next_row()
            return
        except LongLineError as error:
            broken = Broken(mark, error.end, str(error))
        except UnicodeDecodeError:
            broken = Broken(mark, lines.first_end, "is not UTF-8")
        except csv.Error as error:
            broken = Broken(mark, lines.first_end, f"is not CSV: {error}")
        yield broken
        mark = broken.end


class _Lines:
    """Text lines for a CSV reader, which takes several for a row with line ends in it."""

    def __init__(self, file: BinaryIO, mark: Mark) -> None:
        self._file = file
        self._taken = 0
        self.mark = mark
        self.first_end = mark

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        is_start = self.mark.offset == 0
        line, self.mark = next_line(self._file, self.mark)
        if not line:
            raise StopIteration
        if not self._taken:
            self.first_end = self.mark
        self._taken += 1
        return line.decode("utf-8-sig" if is_start else "utf-8")

    def next_row(self) -> Mark:
        """Where the row that was read ends, and another begins."""
        self._taken = 0
        return self.mark


def reading(table: Table, mapping: JsonObject) -> Callable[[Cells], Entry | Broken]:
    """What makes a document of a row: the column `_id` names it, the others are dotted paths.

    An empty cell leaves its field out.

    Args:
        mapping: The `properties` that say how cells are read; where they say nothing, numbers,
            true and false, arrays and objects are read as JSON, and the rest is text.

    Raises:
        SourceError: Columns that contradict each other.
    """
    columns = _columns(table.header, mapping)

    def read(row: Cells) -> Entry | Broken:
        if len(row.cells) != len(columns):
            reason = f"has {len(row.cells)} cells where the header has {len(columns)}"
            return Broken(row.start, row.end, reason)
        document: JsonObject = {}
        body: JsonObject = {}
        for (name, path, convert), cell in zip(columns, row.cells, strict=True):
            if not cell:
                continue
            if name == "_id":
                document["_id"] = cell
                continue
            try:
                _put(body, path, _value(cell, convert))
            except ValueError as error:
                return Broken(row.start, row.end, f"{name}: {error}")
        return Entry(row.start, row.end, {**document, "body": body})

    return read


def _columns(header: list[str], mapping: JsonObject) -> list[tuple[str, list[str], Convert]]:
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        raise SourceError("the header has a column twice")
    for name in names:
        if not all(name.split(".")):
            raise SourceError(f'the header has a column "{name}", which names no field')
        above = next((each for each in names if name.startswith(f"{each}.")), None)
        if above is not None:
            raise SourceError(f"the column {name} lies within the column {above}")
    paths = [name.split(".") for name in names]
    return [
        (name, path, converter(mapping, tuple(path), _guess))
        for name, path in zip(names, paths, strict=True)
    ]


def _value(cell: str, convert: Convert) -> Json:
    if cell == _OBJECT:
        raise ValueError("an object, which the export left out; export JSON lines instead")
    if cell.startswith("["):
        # An array has the type of its values; text may begin so, too.
        try:
            return embedded.parse(cell)
        except ValueError:
            pass
    return convert(cell)


def _guess(cell: str) -> Json:
    if cell[0] in "-0123456789{" or cell in ("true", "false"):
        try:
            return embedded.parse(cell)
        except ValueError:
            pass
    return cell


def _put(body: JsonObject, path: list[str], value: Json) -> None:
    into = body
    for key in path[:-1]:
        below = into.setdefault(key, {})
        assert isinstance(below, dict)  # as no column lies within another
        into = below
    into[path[-1]] = value
