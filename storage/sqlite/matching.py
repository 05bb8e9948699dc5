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

    What the index alone can tell is asked of it set by set, the smallest first, so that no more
    than the documents of that one are ever held; see `storage.sqlite.select.is_set`.

    Attributes:
        where: The condition for them over `documents_n AS d`, once they are found.
    """

    def __init__(self, query: Query, collection: Collection) -> None:
        musts = [each for each in _musts(query) if not isinstance(each, MatchAll)]
        self._number = collection.number
        self._sets = [(m, Condition.of_set(m, collection)) for m in musts if is_set(m)]
        nots = [_excluded(each) for each in musts]
        self._nots = [Condition.of_set(each, collection) for each in nots if each is not None]
        rest = [m for m, no in zip(musts, nots, strict=True) if no is None and not is_set(m)]
        self._rest = Condition(Bool(must=tuple(rest)), collection)
        self._has_rest = bool(rest)
        self._needs_documents = not self._sets or any(map(_looks_at_documents, rest))
        self._whole = Condition(query, collection)
        self._is_everything = not musts
        self.where = "1" if self._is_everything else "d.doc IN (SELECT doc FROM temp.matched)"

    def find(self, connection: apsw.Connection) -> int:
        """Find them; how many there are."""
        if self._is_everything:
            return int(connection.execute(f"SELECT count(*) FROM documents_{self._number}").get)
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS matched (doc INTEGER PRIMARY KEY)")
        connection.execute("DELETE FROM temp.matched")
        if self._needs_documents:
            sql = f"SELECT d.doc FROM documents_{self._number} AS d WHERE {self._whole.sql}"
            connection.execute(f"INSERT INTO temp.matched {sql}", self._whole.arguments)
        else:
            self._narrow(connection)
        return int(connection.execute("SELECT count(*) FROM temp.matched").get)

    def _narrow(self, connection: apsw.Connection) -> None:
        first, *others = self._by_size(connection)
        # In the order of their numbers, or the table would be built all over the place.
        sql = f"INSERT OR IGNORE INTO temp.matched {first.sql} ORDER BY doc"
        connection.execute(sql, first.arguments)
        for sign, conditions in (("NOT IN", others), ("IN", self._nots)):
            for each in conditions:
                connection.execute(
                    f"DELETE FROM temp.matched WHERE doc {sign} (SELECT s.doc FROM ({each.sql})"
                    " AS s WHERE +s.doc IN (SELECT doc FROM temp.matched))",
                    each.arguments,
                )
        if self._has_rest:
            sql = f"DELETE FROM temp.matched AS d WHERE NOT ({self._rest.sql})"
            connection.execute(sql, self._rest.arguments)

    def _by_size(self, connection: apsw.Connection) -> list[Condition]:
        """The sets, the smallest first, those that aren't looked at last."""
        sizes = {
            at: _size(connection, condition)
            for at, (query, condition) in enumerate(self._sets)
            if len(self._sets) > 1 and isinstance(query, _CHEAP)
        }
        ranked = sorted(range(len(self._sets)), key=lambda at: sizes.get(at, _LOOKED_AT + 1))
        return [self._sets[at][1] for at in ranked]


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
    for each in query.must_not:
        yield Bool(must_not=(each,))
    if query.minimum:
        yield Bool(should=query.should, minimum=query.minimum)


def _excluded(query: Query) -> Query | None:
    """The set that must not hold a document, if that is all that is asked."""
    if isinstance(query, Bool) and not query.must and not query.minimum:
        return query.must_not[0] if len(query.must_not) == 1 and is_set(query.must_not[0]) else None
    return None


def _looks_at_documents(query: Query) -> bool:
    if is_set(query):
        return False
    if isinstance(query, Bool):
        return any(map(_looks_at_documents, (*query.must, *query.must_not, *query.should)))
    return not isinstance(query, MatchAll)
