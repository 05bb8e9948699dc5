"""The documents that aggregations are computed of, with the values that these look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import orjson

from router.envelope import Json, JsonObject
from storage.aggregate import Aggregator
from storage.binding import bind
from storage.evaluate import FieldValues
from storage.projection import project
from storage.query import Search
from storage.sqlite.catalog import Collection
from storage.sqlite.select import Condition
from storage.sqlite.sides import UPDATED


class Counted:
    """One document."""

    __slots__ = ("collection", "doc", "fields", "place")

    def __init__(self, collection: Collection, doc: int, id: str) -> None:
        self.collection = collection
        self.doc = doc
        self.place = (id, collection.index, collection.name)
        self.fields: FieldValues = {}


class Counting:
    """Computes the aggregations of one search over some collections.

    Raises (when made): as `Storage.search`.
    """

    def __init__(self, collections: Sequence[Collection], search: Search) -> None:
        self._collections = collections
        mappings = {(each.index, each.name): each.mapping for each in collections}
        self._aggregator = Aggregator(search.aggregations, mappings, self._shown)
        self._conditions = [
            Condition(bind(search.query, each.mapping), each) for each in collections
        ]
        self._connection: apsw.Connection | None = None

    def compute(self, connection: apsw.Connection) -> JsonObject:
        """The results by name."""
        self._connection = connection
        paths = self._aggregator.paths
        found: list[Counted] = []
        for collection, condition in zip(self._collections, self._conditions, strict=True):
            documents = _matching(connection, collection, condition)
            for path in paths:
                _fill(connection, collection, documents, path)
            found += documents.values()
        return self._aggregator.compute(found)

    def _shown(self, document: Counted, search: Search) -> Json:
        assert self._connection is not None
        own, index, collection = document.place
        sql = f"SELECT source FROM documents_{document.collection.number} WHERE doc = ?"
        source: Any = self._connection.execute(sql, (document.doc,)).get
        return {
            "_index": f"&{index}.{collection}",
            "_id": own,
            "_score": None if search.sort else 1.0,
            "_source": project(orjson.loads(source), search),
        }


def _matching(
    connection: apsw.Connection, collection: Collection, condition: Condition
) -> dict[int, Counted]:
    sql = f"SELECT doc, id FROM documents_{collection.number} AS d WHERE {condition.sql}"
    rows: Iterable[Any] = connection.execute(sql, condition.arguments)
    return {doc: Counted(collection, doc, own) for doc, own in rows}


def _fill(
    connection: apsw.Connection, collection: Collection, documents: dict[int, Counted], path: str
) -> None:
    rows: Iterable[Any] = ()
    field = collection.fields.get(path)
    leaf = collection.mapping.leaf(path)
    if path == UPDATED:
        sql = f"SELECT doc, updated_ms FROM documents_{collection.number}"
        rows = connection.execute(f"{sql} WHERE updated_ms IS NOT NULL")
    elif field is not None and leaf is not None and leaf.kind == "geo":
        sql = f"SELECT doc, lat, lon FROM places_{collection.number} WHERE field = ?"
        rows = ((doc, (lat, lon)) for doc, lat, lon in connection.execute(sql, (field,)))
    elif field is not None:
        sql = f"SELECT doc, value FROM values_{collection.number} WHERE field = ?"
        rows = connection.execute(sql, (field,))
    for doc, value in rows:
        document = documents.get(doc)
        if document is not None:
            document.fields.setdefault(path, []).append(value)
