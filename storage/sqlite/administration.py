"""Changes of the catalog, each the body of one transaction of the writer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import apsw
import orjson

from router.envelope import JsonObject
from router.errors import RouterError
from storage import names
from storage.mapping import Mapping, changed_rows
from storage.sqlite import catalog as catalogs
from storage.sqlite.catalog import Catalog, Collection
from storage.sqlite.sides import SideChanges

_CHUNK = 1_000  # documents that are indexed anew at a time


def create_index(connection: apsw.Connection, catalog: Catalog, index: str) -> Catalog:
    """Make an index.

    Raises:
        RouterError: `index_already_exists`, `invalid_index_name`.
    """
    names.check_index(index)
    if index in catalog.indexes:
        raise RouterError("services.storage.index_already_exists", "public", index)
    catalogs.insert_index(connection, index)
    return Catalog(catalog.indexes | {index}, catalog.collections)


def delete_index(connection: apsw.Connection, catalog: Catalog, index: str) -> Catalog:
    """Remove an index and everything in it."""
    collections = catalog.of_index(index)
    for collection in collections:
        catalogs.delete_collection(connection, collection)
    catalogs.delete_index(connection, index)
    return catalog.without(collections, [index])


def create_collection(
    connection: apsw.Connection,
    catalog: Catalog,
    name: tuple[str, str],
    declared: JsonObject | None,
) -> Catalog:
    """Make a collection, and its index; add to the mapping of one that exists."""
    if name in catalog.collections:
        return catalog if declared is None else update_mapping(connection, catalog, name, declared)
    index, collection = name
    if index not in catalog.indexes:
        catalog = create_index(connection, catalog, index)
    names.check_collection(collection)
    mapping = Mapping.parse(index, collection, declared)
    return catalog.with_collections([catalogs.insert_collection(connection, mapping)])


def delete_collection(
    connection: apsw.Connection, catalog: Catalog, name: tuple[str, str]
) -> Catalog:
    """Remove a collection and its documents."""
    collection = catalog.find(*name)
    catalogs.delete_collection(connection, collection)
    return catalog.without([collection])


def truncate(connection: apsw.Connection, catalog: Catalog, name: tuple[str, str]) -> Catalog:
    """Put an empty collection of the same mapping in the place of one."""
    collection = catalog.find(*name)
    catalogs.delete_collection(connection, collection)
    made = catalogs.insert_collection(connection, collection.mapping)
    return catalog.with_collections([made])


def update_mapping(
    connection: apsw.Connection, catalog: Catalog, name: tuple[str, str], declared: JsonObject
) -> Catalog:
    """Add to a mapping, and index what is stored under the new fields."""
    before = catalog.find(*name)
    mapping = before.mapping.extended(declared)
    if mapping is before.mapping:
        return catalog
    after = _reindex(connection, before, replace(before, mapping=mapping))
    catalogs.save_collection(connection, after)
    return catalog.with_collections([after])


def _reindex(connection: apsw.Connection, before: Collection, after: Collection) -> Collection:
    """Bring the side rows of all documents from one mapping to the other.

    Where the new one takes fields as they come, it learns those of the stored documents first:
    each row that a mapping gives must be in the side tables, or updates would leave some out.
    """
    mapping = after.mapping
    for documents in _pages(connection, after.number):
        for _, source in documents:
            mapping = _learnt(mapping, source)
    sides = SideChanges(after.fields)
    for documents in _pages(connection, after.number):
        for doc, source in documents:
            rows = mapping.rows(source)
            gone, new = changed_rows(before.mapping.rows(source), rows)
            sides.add(doc, gone, new, partial(list, rows))
        sides.flush(connection, after.number)
        sides = SideChanges(sides.fields)
    return replace(after, mapping=mapping, fields=sides.fields)


def _pages(connection: apsw.Connection, number: int) -> Iterator[list[tuple[int, JsonObject]]]:
    last = 0
    while True:
        rows: list[Any] = connection.execute(
            f"SELECT doc, source FROM documents_{number} WHERE doc > ? ORDER BY doc LIMIT ?",
            (last, _CHUNK),
        ).fetchall()
        if not rows:
            return
        yield [(doc, orjson.loads(text)) for doc, text in rows]
        last = rows[-1][0]


def _learnt(mapping: Mapping, source: JsonObject) -> Mapping:
    try:
        return mapping.check(source) or mapping
    except RouterError:  # older than the field that it doesn't fit; it stays as it is
        return mapping
