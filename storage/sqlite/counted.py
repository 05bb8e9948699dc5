"""The aggregations of a search: by SQL wherever it can, else over the values of what matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apsw
import orjson

from router.envelope import Json, JsonObject
from storage.aggregate import Aggregator
from storage.aggregations import Aggregation, Values
from storage.binding import ID, bind
from storage.fields import Value
from storage.projection import project
from storage.query import Search
from storage.sqlite.catalog import Collection
from storage.sqlite.found import Counted
from storage.sqlite.grouped import Grouped, is_divisible
from storage.sqlite.matching import Matching
from storage.sqlite.pairs import IndivisibleError
from storage.sqlite.sides import UPDATED


class Counting:
    """Computes the aggregations of one search over some collections.

    Terms alone are counted along the index of their field. Of one collection most others are
    computed by SQL, in memory that grows with the buckets, not with the documents; for the
    rest, and for several collections, the values of what matches are read.

    Args:
        look: Called before each part of the work; what it raises ends it.

    Raises (when made): as `Storage.search`.
    """

    def __init__(
        self, collections: Sequence[Collection], search: Search, look: Callable[[], None]
    ) -> None:
        self._collections = collections
        self._aggregations = search.aggregations
        self._mappings = {(each.index, each.name): each.mapping for each in collections}
        self._look = look
        tallies = [each for each in search.aggregations if _is_tally(each)]
        others = [each for each in search.aggregations if not _is_tally(each)]
        self._tallying = Aggregator(tallies, self._mappings, self._shown)
        single = collections[0] if len(collections) == 1 else None
        self._divided = [each for each in others if single and is_divisible(each, single)]
        self._others = [each for each in others if each not in self._divided]
        # What can't be computed of these collections is refused before the search begins.
        self._aggregator = Aggregator(self._others, self._mappings, self._shown, look)
        self._checked = Aggregator(self._divided, self._mappings, self._shown, look)
        self._matchings = [Matching(bind(search.query, each.mapping), each) for each in collections]
        self._connection: apsw.Connection | None = None

    def compute(self, connection: apsw.Connection) -> JsonObject:
        """The results by name."""
        self._connection = connection
        found: list[Counted] = []
        results: JsonObject = {}
        tallies: dict[str, Counter[Value]] = {
            each.name: Counter() for each in self._aggregations if _is_tally(each)
        }
        for collection, matching in zip(self._collections, self._matchings, strict=True):
            size = matching.find(connection)
            for each in self._aggregations:
                if each.name in tallies and isinstance(each.kind, Values):
                    tally = tallies[each.name]
                    tally.update(_tally(connection, collection, matching, each.kind.field))
            if self._others:
                found += self._documents(connection, collection, matching, self._aggregator)
            if self._divided:
                results |= self._by_sql(connection, collection, matching, size)
        results |= self._aggregator.compute(found)
        for each in self._aggregations:
            if each.name in tallies and isinstance(each.kind, Values):
                results[each.name] = self._tallying.tallied(each.kind, tallies[each.name])
        return {each.name: results[each.name] for each in self._aggregations}

    def _by_sql(
        self, connection: apsw.Connection, collection: Collection, matching: Matching, size: int
    ) -> JsonObject:
        grouped = Grouped(collection, self._divided)
        aggregator = Aggregator(
            self._divided, self._mappings, self._shown, self._look, divider=grouped
        )
        try:
            return aggregator.compute(grouped.all(connection, matching.where, size))
        except IndivisibleError:
            documents = self._documents(connection, collection, matching, self._checked)
            return self._checked.compute([*documents])
        finally:
            grouped.forget()

    def _documents(
        self,
        connection: apsw.Connection,
        collection: Collection,
        matching: Matching,
        aggregator: Aggregator[Counted],
    ) -> Iterable[Counted]:
        documents = _matching(connection, collection, matching)
        for path in aggregator.paths:
            _fill(connection, collection, documents, path)
        return documents.values()

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


def _is_tally(aggregation: Aggregation) -> bool:
    kind = aggregation.kind
    if not isinstance(kind, Values) or aggregation.subs or kind.field in (ID, UPDATED):
        return False
    return all(order.key in ("_count", "_key") for order in kind.order)


def _tally(
    connection: apsw.Connection, collection: Collection, matching: Matching, path: str
) -> dict[Value, int]:
    """How many of the documents that match have each value of a field."""
    field = collection.field_with_values(path)
    if field is None:
        return {}
    rows: Iterable[Any] = connection.execute(
        f"SELECT d.value, count(*) FROM values_{collection.number} AS d"
        f" WHERE d.field = ? AND {matching.where} GROUP BY d.value",
        (field,),
    )
    return dict(rows)


def _matching(
    connection: apsw.Connection, collection: Collection, matching: Matching
) -> dict[int, Counted]:
    sql = f"SELECT doc, id FROM documents_{collection.number} AS d WHERE {matching.where}"
    rows: Iterable[Any] = connection.execute(sql)
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
