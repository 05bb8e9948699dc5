"""What an import is, by its file and what is wanted: how it is read, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from router.envelope import JsonObject
from trivium.client.exchange import Client
from trivium.imports import json_lines, tables
from trivium.imports.destinations import Assets, Destination, Documents, answer
from trivium.imports.json_lines import Head
from trivium.imports.run import Reading
from trivium.imports.source import Broken, Mark, Record, SourceError
from trivium.imports.tables import Table

_MODEL: Final = "model"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says: None where it leaves it to the file.

    Without a collection the rows of a table become assets, of `model` where no column says it.
    """

    index: str | None = None
    collection: str | None = None
    model: str | None = None


class Plan(Protocol):
    """An import of one kind. `into` says in words where it leads, `start` where it begins."""

    @property
    def into(self) -> str:
        """Where it leads, in words."""

    @property
    def start(self) -> Mark:
        """Where the records begin."""

    async def reading(self, client: Client) -> Reading:
        """How the file is read. Raises: SourceError, RouterError, ConnectionFailedError."""

    def destination(self, client: Client, key: str) -> Destination:
        """Who takes the records in."""


def plan(file: BinaryIO, wanted: Wanted) -> Plan:
    """What the import of a file is. Raises: SourceError."""
    if _holds_json(file):
        head = json_lines.head(file)
        index, collection = wanted.index or head.index, wanted.collection or head.collection
        if index is None or collection is None:
            raise SourceError(f"{file.name} doesn't say where it belongs: use -i and -c")
        return Lines(file, index, collection, head)
    if wanted.index is None:
        raise SourceError(f"{file.name} doesn't say where it belongs: use -i, and -c for documents")
    table = tables.table(file)
    if wanted.collection is not None:
        return Rows(file, wanted.index, wanted.collection, table)
    model = None if _MODEL in table.header else wanted.model
    if model is None and _MODEL not in table.header:
        raise SourceError(
            f"{file.name} has no column model; name the model of all rows with --model"
        )
    return AssetRows(file, wanted.index, table, model)


@dataclass(frozen=True, slots=True)
class Lines:
    """JSON lines that become documents."""

    file: BinaryIO
    index: str
    collection: str
    head: Head

    @property
    def into(self) -> str:
        """Where it leads, in words."""
        return f"{self.index}/{self.collection}"

    @property
    def start(self) -> Mark:
        """Behind the first line of an export."""
        return self.head.start

    async def reading(self, client: Client) -> Reading:  # noqa: ARG002 - as every plan
        """Lines need nobody to be read."""
        return lambda mark: json_lines.entries(self.file, mark, are_wrapped=self.head.has_line)

    def destination(self, client: Client, key: str) -> Destination:
        """The collection."""
        return Documents(client, self.index, self.collection, key)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that become documents."""

    file: BinaryIO
    index: str
    collection: str
    table: Table

    @property
    def into(self) -> str:
        """Where it leads, in words."""
        return f"{self.index}/{self.collection}"

    @property
    def start(self) -> Mark:
        """Behind the header."""
        return self.table.start

    async def reading(self, client: Client) -> Reading:
        """By the mapping of the collection."""
        place: JsonObject = {"index": self.index, "collection": self.collection}
        mapping = await answer(client, "collection", "getMapping", place)
        properties = mapping.get("properties") if isinstance(mapping, dict) else None
        read = tables.reading(self.table, properties if isinstance(properties, dict) else {})

        def entries(mark: Mark) -> Iterator[Record | Broken]:
            for row in tables.rows(self.file, self.table.delimiter, mark):
                yield row if isinstance(row, Broken) else read(row)

        return entries

    def destination(self, client: Client, key: str) -> Destination:
        """The collection."""
        return Documents(client, self.index, self.collection, key)


@dataclass(frozen=True, slots=True)
class AssetRows:
    """Rows of a table that become assets of an engine; the router reads their cells."""

    file: BinaryIO
    engine: str
    table: Table
    model: str | None

    @property
    def into(self) -> str:
        """Where it leads, in words."""
        return self.engine if self.model is None else f"{self.engine} (model {self.model})"

    @property
    def start(self) -> Mark:
        """Behind the header."""
        return self.table.start

    async def reading(self, client: Client) -> Reading:  # noqa: ARG002 - as every plan
        """Rows as they are written."""
        return lambda mark: tables.rows(self.file, self.table.delimiter, mark)

    def destination(self, client: Client, key: str) -> Destination:  # noqa: ARG002 - as every plan
        """The engine."""
        return Assets(client, self.engine, self.table.header, self.model)


def _holds_json(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))
