"""Which documents of a collection match: found once, then asked for totals, pages and groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw

from storage.query import AnyWord, Bool, MatchAll, Phrase, Prefix, Query, Range, Terms
from storage.sqlite.catalog import Collection
from storage.sqlite.select import Condition, is_set

_LOOKED_AT: Final = 5_000
"""Documents of a set that are counted to tell which of several is the smallest."""

# What an index answers without calling Python for each value.
_CHEAP: Final = (Terms, Range, Prefix, AnyWord, Phrase)


class Matching:
    """Finds the documents that match a bound query, in the table `temp.matched`.

    Attributes:
        where: The condition for them over `documents_n AS d`, once they are found.
    """

    def __init__(self, query: Query, collection: Collection) -> None:
        self._number = collection.number
        self._musts = [each for each in _musts(query) if not isinstance(each, MatchAll)]
        self._collection = collection
        self._sets = [
            (each, Condition.of_set(each, collection)) for each in self._musts if is_set(each)
        ]
        self._whole = Condition(query, collection)
        self.is_everything = not self._musts
        self.where = "1" if self.is_everything else "d.doc IN (SELECT doc FROM temp.matched)"

    def find(self, connection: apsw.Connection) -> int:
        """Find them; how many there are."""
        if self.is_everything:
            return int(connection.execute(f"SELECT count(*) FROM documents_{self._number}").get)
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS matched (doc INTEGER PRIMARY KEY)")
        connection.execute("DELETE FROM temp.matched")
        sql, arguments = self._select(connection)
        connection.execute(f"INSERT OR IGNORE INTO temp.matched {sql}", arguments)
        return int(connection.execute("SELECT count(*) FROM temp.matched").get)

    def _select(self, connection: apsw.Connection) -> tuple[str, list[object]]:
        if not self._sets or any(map(_looks_at_documents, self._musts)):
            table = f"documents_{self._number}"
            return f"SELECT d.doc FROM {table} AS d WHERE {self._whole.sql}", self._whole.arguments
        first, smallest = self._smallest(connection)
        others = tuple(each for each in self._musts if each is not first)
        rest = Condition(Bool(must=others), self._collection)
        sql = f"SELECT d.doc FROM ({smallest.sql}) AS d WHERE {rest.sql}"
        return sql, [*smallest.arguments, *rest.arguments]

    def _smallest(self, connection: apsw.Connection) -> tuple[Query, Condition]:
        cheap = [pair for pair in self._sets if isinstance(pair[0], _CHEAP)]
        if len(cheap) < 2:
            return (cheap or self._sets)[0]
        sizes = [_size(connection, condition) for _, condition in cheap]
        return cheap[sizes.index(min(sizes))]


def _size(connection: apsw.Connection, condition: Condition) -> int:
    sql = f"SELECT count(*) FROM (SELECT 1 FROM ({condition.sql}) LIMIT {_LOOKED_AT})"
    return int(connection.execute(sql, condition.arguments).get)


def _musts(query: Query) -> Iterator[Query]:
    """The queries that all must match for this one to."""
    if not isinstance(query, Bool) or is_set(query):
        yield query
        return
    for each in query.must:
        yield from _musts(each)
    if query.must_not or query.minimum:
        yield Bool(must_not=query.must_not, should=query.should, minimum=query.minimum)


def _looks_at_documents(query: Query) -> bool:
    if is_set(query):
        return False
    if isinstance(query, Bool):
        return any(map(_looks_at_documents, (*query.must, *query.must_not, *query.should)))
    return not isinstance(query, MatchAll)
