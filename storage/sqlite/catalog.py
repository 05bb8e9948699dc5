"""Which indexes and collections there are, as one immutable picture, and its rows on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import apsw
import orjson

from router.errors import RouterError
from storage.mapping import Mapping
from storage.names import incarnation
from storage.sqlite.schema import create_collection_tables, drop_collection_tables, identity

Name: TypeAlias = tuple[str, str]
"""An index and a collection in it."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection. `fields` numbers the fields that have rows in the side tables.

    No other collection of this store, nor of one that it was restored from, has the same
    `incarnation`.
    """

    number: int
    mapping: Mapping
    fields: dict[str, int]
    incarnation: str

    def field_with_values(self, path: str) -> int | None:
        """The number of a field that documents have values of; those of nested objects aren't."""
        return self.fields.get(path) if self.mapping.has_values(path) else None

    @property
    def index(self) -> str:
        """The index it is in."""
        return self.mapping.index

    @property
    def name(self) -> str:
        """Its own name."""
        return self.mapping.collection


@dataclass(frozen=True, slots=True)
class Catalog:
    """All indexes and collections at one moment."""

    indexes: frozenset[str]
    collections: dict[Name, Collection]

    def find(self, index: str, collection: str) -> Collection:
        """The collection of that name.

        Raises:
            RouterError: `services.storage.unknown_index`, `services.storage.unknown_collection`.
        """
        found = self.collections.get((index, collection))
        if found is None:
            self.check_index(index)
            raise RouterError("services.storage.unknown_collection", index, collection)
        return found

    def check_index(self, index: str) -> None:
        """Let the name of an index pass that exists.

        Raises:
            RouterError: `services.storage.unknown_index`.
        """
        if index not in self.indexes:
            raise RouterError("services.storage.unknown_index", index)

    def of_index(self, index: str) -> list[Collection]:
        """The collections of an index that exists, by name."""
        self.check_index(index)
        return sorted(
            (found for found in self.collections.values() if found.index == index),
            key=lambda found: found.name,
        )

    def with_collections(self, changed: Iterable[Collection]) -> Catalog:
        """This picture with some collections added or changed."""
        collections = dict(self.collections)
        for collection in changed:
            collections[collection.index, collection.name] = collection
        return replace(self, collections=collections)

    def without(self, gone: Iterable[Collection], indexes: Iterable[str] = ()) -> Catalog:
        """This picture without some collections and indexes."""
        names = {(collection.index, collection.name) for collection in gone}
        return Catalog(
            self.indexes.difference(indexes),
            {name: found for name, found in self.collections.items() if name not in names},
        )


def load(connection: apsw.Connection) -> Catalog:
    """The picture that the file holds."""
    indexes = frozenset(name for (name,) in connection.execute("SELECT name FROM indexes"))
    fields: dict[int, dict[str, int]] = {}
    for collection, number, path in connection.execute("SELECT * FROM fields ORDER BY number"):
        fields.setdefault(collection, {})[path] = number
    rows = connection.execute(
        "SELECT number, index_name, name, mapping FROM collections WHERE mapping IS NOT NULL"
    )
    feed = identity(connection)
    return Catalog(
        indexes,
        {
            (index, name): Collection(
                number,
                Mapping.parse(index, name, orjson.loads(form)),
                fields.get(number, {}),
                _incarnation(feed, number),
            )
            for number, index, name, form in rows
        },
    )


def insert_index(connection: apsw.Connection, index: str) -> None:
    """Write down a new index."""
    connection.execute("INSERT INTO indexes VALUES (?)", (index,))


def delete_index(connection: apsw.Connection, index: str) -> None:
    """Forget an index; its collections go by `delete_collection`."""
    connection.execute("DELETE FROM indexes WHERE name = ?", (index,))


def insert_collection(connection: apsw.Connection, mapping: Mapping) -> Collection:
    """Make a new collection with its tables."""
    connection.execute(
        "INSERT INTO collections (index_name, name, mapping) VALUES (?, ?, ?)",
        (mapping.index, mapping.collection, orjson.dumps(mapping.to_json())),
    )
    number = connection.last_insert_rowid()
    create_collection_tables(connection, number)
    return Collection(number, mapping, {}, _incarnation(identity(connection), number))


def delete_collection(connection: apsw.Connection, collection: Collection) -> None:
    """Remove a collection with its tables; its number stays known to the changes feed."""
    drop_collection_tables(connection, collection.number)
    for table in ("fields", "tombstones"):
        connection.execute(f"DELETE FROM {table} WHERE collection = ?", (collection.number,))
    connection.execute(
        "UPDATE collections SET mapping = NULL WHERE number = ?", (collection.number,)
    )


def save_collection(connection: apsw.Connection, collection: Collection) -> None:
    """Write down the mapping and the fields of a collection that is there."""
    connection.execute(
        "UPDATE collections SET mapping = ? WHERE number = ?",
        (orjson.dumps(collection.mapping.to_json()), collection.number),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO fields VALUES (?, ?, ?)",
        [(collection.number, number, path) for path, number in collection.fields.items()],
    )


def _incarnation(feed: str, number: int) -> str:
    return incarnation(f"{feed}/{number}")
