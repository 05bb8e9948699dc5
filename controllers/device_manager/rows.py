"""Assets as CSV text: one row each, columns by the header, values by the metadata's mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

import msgspec

from controllers.cells import Convert, converter
from router.envelope import Json, JsonObject
from router.errors import RouterError

_OWN: Final = ("model", "reference", "type", "_id")
_DELIMITERS: Final = ",;\t"
_PREFIX: Final = "metadata."


class Row(msgspec.Struct, frozen=True):
    """One asset. `id` and `type` are None where the row has none."""

    line: int
    model: str
    reference: str
    type: str | None
    id: str | None
    metadata: JsonObject


class BadRow(msgspec.Struct, frozen=True):
    """One row that is no asset, and why."""

    line: int
    reason: str


class _Column(msgspec.Struct, frozen=True):
    name: str
    path: tuple[str, ...]
    convert: Convert


def read(text: str, mapping: JsonObject) -> Iterator[Row | BadRow]:
    """Read CSV text row by row.

    The first line names the columns: `model` and `reference`, perhaps `type` and `_id`, and
    `metadata.<path>`. They are divided by commas, semicolons or tabs. An empty cell leaves its
    field out. `line` is the number of the row's last line, the header's being 1.

    Args:
        mapping: The `properties` of the metadata: numbers, booleans and dates are read as the
            field's type says, objects as JSON; what isn't mapped stays text.

    Raises:
        RouterError: `api.assert.invalid_argument` for a header that can't be understood, before
            the first row.
    """
    text = text.removeprefix("\ufeff")
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _bad_header(str(error)) from None
    return _rows(reader, _columns(names, mapping))


def _rows(reader: Iterator[list[str]], columns: list[_Column]) -> Iterator[Row | BadRow]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(_line(reader), str(error))
            continue
        if cells:
            yield _row(_line(reader), cells, columns)


def _line(reader: Iterator[list[str]]) -> int:
    number: int = getattr(reader, "line_num", 0)
    return number


def _row(line: int, cells: list[str], columns: list[_Column]) -> Row | BadRow:
    if len(cells) != len(columns):
        return BadRow(line, f"has {len(cells)} cells where the header has {len(columns)}")
    own: dict[str, str] = {}
    metadata: JsonObject = {}
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        if not column.path:
            own[column.name] = cell
            continue
        try:
            value = column.convert(cell)
        except ValueError as error:
            return BadRow(line, f"{column.name}: {error}")
        _put(metadata, column.path, value)
    missing = [name for name in ("model", "reference") if name not in own]
    if missing:
        return BadRow(line, f"has no {' and no '.join(missing)}")
    return Row(line, own["model"], own["reference"], own.get("type"), own.get("_id"), metadata)


def _columns(names: list[str], mapping: JsonObject) -> list[_Column]:
    for name in ("model", "reference"):
        if name not in names:
            raise _bad_header(f"the column {name} is missing")
    columns: list[_Column] = []
    paths: set[tuple[str, ...]] = set()
    for name in names:
        path = tuple(name.removeprefix(_PREFIX).split(".")) if name.startswith(_PREFIX) else ()
        if not all(path) or (not path and name not in _OWN):
            raise _bad_header(f'"{name}" is neither one of {", ".join(_OWN)} nor metadata.<path>')
        columns.append(_Column(name, path, converter(mapping, path)))
        paths.add(path)
    if len(set(names)) < len(names):
        raise _bad_header("a column is there twice")
    for path in paths:
        if any(path[:length] in paths for length in range(1, len(path))):
            raise _bad_header(f"metadata.{'.'.join(path)} lies within another column")
    return columns


def _bad_header(reason: str) -> RouterError:
    return RouterError(
        "api.assert.invalid_argument",
        "body.csv",
        f"a first line with model, reference and perhaps type, _id, metadata.<path> ({reason})",
    )


def _put(metadata: JsonObject, path: tuple[str, ...], value: Json) -> None:
    into = metadata
    for key in path[:-1]:
        below = into.setdefault(key, {})
        assert isinstance(below, dict)  # as no column lies within another
        into = below
    into[path[-1]] = value
