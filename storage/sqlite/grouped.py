"""Documents divided among the buckets of aggregations by SQL, none of them held in memory.

Who is in which bucket is a table of its own for each aggregation that has others within it;
these are then computed for all its buckets at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Named
from typing import Any, Final, cast

import apsw

from storage.aggregations import (
    Aggregation,
    Dates,
    Filters,
    Kind,
    Measure,
    Ranges,
    Steps,
    Values,
)
from storage.binding import ID, bind
from storage.dividing import bounds_of
from storage.fields import Value
from storage.intervals import MAX_BUCKETS, spans_of, starts_of, too_many_buckets
from storage.measures import SCALE, Sums
from storage.sqlite.catalog import Collection
from storage.sqlite.found import Counted
from storage.sqlite.members import (
    Groups,
    Rows,
    as_documents,
    as_members,
    groups_of,
    sums_of,
)
from storage.sqlite.pairs import MOST_UNSHOWN, Allowance, Cut, IndivisibleError, Pairs
from storage.sqlite.select import Condition
from storage.sqlite.sides import UPDATED

_MOST_QUERIES: Final = 200
"""Queries of one `Filters`: SQLite takes expressions that are 1000 deep."""

_KINDS: Final = (Measure, Values, Dates, Steps, Ranges, Filters)


def is_divisible(aggregation: Aggregation, collection: Collection) -> bool:
    """Whether SQL can tell all that this aggregation and those within it want."""
    kind = aggregation.kind
    if not isinstance(kind, _KINDS):
        return False
    if isinstance(kind, Filters):
        if len(kind.queries) > _MOST_QUERIES:
            return False
    else:
        leaf = collection.mapping.leaf(kind.field)
        if kind.field in (ID, UPDATED) or (leaf is not None and leaf.kind == "geo"):
            return False
    return all(is_divisible(each, collection) for each in aggregation.subs)


class Grouped:
    """Divides what matches in one collection; see `storage.dividing.Divider`.

    Args:
        aggregations: All that are to be computed of it.
    """

    def __init__(self, collection: Collection, aggregations: Iterable[Aggregation]) -> None:
        self._collection = collection
        self._number = collection.number
        self._divided_further = {id(each.kind) for each in _every(aggregations) if each.subs}
        self._connection: apsw.Connection
        self._where = ""
        self._tables = 0
        self._allowance = Allowance()
        self._sizes = {"": 1}
        self._with_unshown: set[str] = set()
        self._groups: dict[tuple[str, int], dict[int, Groups]] = {}
        self._rest: dict[tuple[str, int], dict[int, int]] = {}
        self._sums: dict[tuple[str, str], dict[int, Sums]] = {}
        self._distinct: dict[tuple[str, str], dict[int, int]] = {}

    def all(self, connection: apsw.Connection, where: str, size: int) -> Sequence[Counted]:
        """The documents that match, to be divided on this connection.

        Args:
            where: The condition for them, over anything that has their number as `d.doc`.
        """
        self._connection, self._where = connection, where
        return as_documents("", 0, size)

    def forget(self) -> None:
        """Remove the tables."""
        for number in range(1, self._tables + 1):
            for name in ("buckets", "keys", "spans"):
                self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}_{number}")
        self._tables = 0

    # -- dividing -----------------------------------------------------------------------------

    def by_value(self, kind: Values, documents: Sequence[Counted]) -> Named[Value, Any]:
        """See `Divider`."""

        def divided(table: str) -> dict[int, Groups]:
            rows = self._rows(table, kind.field)
            pairs = self._counts(rows, Cut.of(kind))
            self._rest[table, id(kind)] = pairs.rest
            return self._filled(kind, rows, pairs)

        return self._parts(kind, documents, divided)

    def rest(self, kind: Values, documents: Sequence[Counted]) -> int:
        """See `Divider`."""
        members = as_members(documents)
        if members is None or members.bucket is None:
            return 0
        return self._rest[members.table, id(kind)].get(members.bucket, 0)

    def by_step(self, kind: Steps, documents: Sequence[Counted]) -> Named[float, Any]:
        """See `Divider`."""

        def divided(table: str) -> dict[int, Groups]:
            rows = self._rows(
                table,
                kind.field,
                key="floor((CAST(d.value AS REAL) - ?) / ?)",
                key_arguments=(kind.offset, kind.width),
                repeats=True,
            )
            return self._filled(kind, rows, self._counts(rows, Cut(kind.least)))

        return cast("Named[float, Any]", self._parts(kind, documents, divided))

    def by_date(self, kind: Dates, documents: Sequence[Counted]) -> Named[float, Any]:
        """See `Divider`. Raises: IndivisibleError."""

        def divided(table: str) -> dict[int, Groups]:
            least, greatest = self._ends(table, kind.field)
            spans = [] if least is None else spans_of(kind, least, greatest)
            if spans is None:
                raise IndivisibleError
            by_position = self._in_spans(kind, table, spans, Cut(kind.least))
            return {
                parent: {spans[cast("int", at)][0]: group for at, group in groups.items()}
                for parent, groups in by_position.items()
            }

        groups = cast("Named[float, Any]", self._parts(kind, documents, divided))
        starts: list[float] = sorted(groups)
        if not kind.least:
            starts = starts_of(kind, [int(start) for start in starts])[1]
        return {start: groups.get(start, []) for start in starts}

    def by_span(self, kind: Ranges, documents: Sequence[Counted]) -> Sequence[Any]:
        """See `Divider`."""

        def divided(table: str) -> dict[int, Groups]:
            return self._in_spans(kind, table, [*map(bounds_of, kind.spans)], Cut())

        groups = self._parts(kind, documents, divided)
        return [groups.get(at, []) for at in range(len(kind.spans))]

    def by_query(self, kind: Filters, documents: Sequence[Counted]) -> Sequence[Any]:
        """See `Divider`."""
        conditions = self._conditions(kind)
        groups = self._parts(
            kind, documents, lambda table: self._in_conditions(kind, table, conditions)
        )
        return [groups.get(at, []) for at in range(len(conditions))]

    # -- counting -----------------------------------------------------------------------------

    def count(self, field: str, documents: Sequence[Counted]) -> int:
        """See `Divider`."""
        return self.sums(field, documents).count

    def distinct(self, field: str, documents: Sequence[Counted]) -> int:
        """See `Divider`."""
        members = as_members(documents)
        if members is None or members.bucket is None:
            return 0
        known = self._distinct.get((members.table, field))
        if known is None:
            rows = self._rows(members.table, field)
            known = dict(self._each_bucket(rows, "count(DISTINCT d.value)"))
            self._distinct[members.table, field] = known
        return known.get(members.bucket, 0)

    def sums(self, field: str, documents: Sequence[Counted]) -> Sums:
        """See `Divider`."""
        members = as_members(documents)
        if members is None or members.bucket is None:
            return Sums()
        known = self._sums.get((members.table, field))
        if known is None:
            rows = self._rows(members.table, field)
            known = self._summed(rows, "total(d.value)", 1)
            if not all(math.isfinite(each.total) for each in known.values()):
                known = self._summed(rows, f"total(d.value / {SCALE})", SCALE)
            self._sums[members.table, field] = known
        return known.get(members.bucket, Sums())

    def _summed(self, rows: Rows, total: str, scale: float) -> dict[int, Sums]:
        asked = f"count(*), min(d.value), max(d.value), {total}"
        found = self._each_bucket(rows, asked)
        return {bucket: sums_of(scale, *parts) for bucket, *parts in found}

    # -- inside -------------------------------------------------------------------------------

    def _parts(
        self,
        kind: Kind,
        documents: Sequence[Counted],
        divided: Callable[[str], dict[int, Groups]],
    ) -> Groups:
        members = as_members(documents)
        if members is None or members.bucket is None:
            return {}
        at = (members.table, id(kind))
        if at not in self._groups:
            self._groups[at] = divided(members.table)
        return self._groups[at].get(members.bucket, {})

    def _rows(self, table: str, field: str, **more: Any) -> Rows:
        known = self._collection.field_with_values(field)
        number = -1 if known is None else known
        values = f"values_{self._number} AS d"
        if not table:
            return Rows(values, f"d.field = ? AND {self._where}", "0", (number,), **more)
        tables = f"{values} CROSS JOIN temp.{table} AS p"
        return Rows(tables, "d.field = ? AND p.doc = d.doc", "p.bucket", (number,), table, **more)

    def _each_bucket(self, rows: Rows, asked: str) -> Iterable[Any]:
        sql = f"SELECT {rows.bucket}, {asked} FROM {rows.tables} WHERE {rows.where}"
        grouped = "" if rows.bucket == "0" else " GROUP BY 1"
        return self._connection.execute(sql + grouped, rows.arguments)

    def _ends(self, table: str, field: str) -> tuple[Any, Any]:
        rows = self._rows(table, field)
        sql = f"SELECT min(d.value), max(d.value) FROM {rows.tables} WHERE {rows.where}"
        found: Any = self._connection.execute(sql, rows.arguments).get
        return found[0], found[1]

    def _counts(self, rows: Rows, cut: Cut) -> Pairs:
        """How many documents come into each new bucket, as far as the cut keeps it."""
        self._check_size(rows, cut)
        counted = "count(DISTINCT d.doc)" if rows.repeats else "count(*)"
        # Grouped by the key alone, rows are taken in the order of the index.
        grouped = "1, 2" if rows.table else "2"
        found = self._connection.execute(
            f"SELECT {rows.bucket}, {rows.key}, {counted} FROM {rows.tables}"
            f" WHERE {rows.where} GROUP BY {grouped}{cut.order}",
            (*rows.key_arguments, *rows.arguments),
        )
        try:
            return self._read(rows.table, found, cut)
        finally:
            found.close()  # left open, it would keep the tables from being removed

    def _read(self, table: str, found: Iterable[Any], cut: Cut) -> Pairs:
        is_shown = table not in self._with_unshown
        return self._allowance.read(found, cut, is_shown=is_shown, is_within=bool(table))

    def _check_size(self, rows: Rows, cut: Cut) -> None:
        """Refuse too many buckets of terms before all of them are counted: documents with many
        values are in as many pairs of them as the square of that."""
        may_exceed = cut.order and cut.size * self._sizes[rows.table] > MAX_BUCKETS
        if not may_exceed or cut.least > 1 or rows.table in self._with_unshown:
            return
        pairs = f"SELECT DISTINCT {rows.bucket} AS bucket, {rows.key} FROM {rows.tables}"
        found: Any = self._connection.execute(
            "SELECT sum(min(pairs, ?)) FROM (SELECT count(*) AS pairs"
            f" FROM ({pairs} WHERE {rows.where} LIMIT ?) GROUP BY bucket)",
            (cut.size, *rows.arguments, MOST_UNSHOWN),
        )
        if (found.get or 0) > MAX_BUCKETS:
            raise too_many_buckets()

    def _filled(self, kind: Kind, rows: Rows, pairs: Pairs) -> dict[int, Groups]:
        """The new buckets, made so that they can be divided further if that is wanted."""
        if id(kind) not in self._divided_further:
            return groups_of("", pairs.counts, {})
        within = [(parent, key) for parent, keys in pairs.counts.items() for key in keys]
        buckets = {pair: bucket for bucket, pair in enumerate(within)}
        table = self._table(buckets)
        self._sizes[table] = len(buckets)
        if pairs.has_unshown:
            self._with_unshown.add(table)
        self._fill(table, rows)
        return groups_of(table, pairs.counts, buckets)

    def _table(self, buckets: dict[tuple[int, Value], int]) -> str:
        self._tables += 1
        at = self._tables
        self._make(f"buckets_{at}", "doc INTEGER, bucket INTEGER, PRIMARY KEY (doc, bucket)")
        self._make(f"keys_{at}", "parent, key, bucket, PRIMARY KEY (parent, key)")
        rows = [(*pair, bucket) for pair, bucket in buckets.items()]
        self._connection.executemany(f"INSERT INTO temp.keys_{at} VALUES (?, ?, ?)", rows)
        return f"buckets_{at}"

    def _make(self, name: str, columns: str) -> None:
        # One may be left of a search that was ended.
        self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        self._connection.execute(f"CREATE TEMP TABLE {name} ({columns}) WITHOUT ROWID")

    def _fill(self, table: str, rows: Rows) -> None:
        keys = table.replace("buckets", "keys")
        # In the order of their numbers, or the table would be built all over the place.
        self._connection.execute(
            f"INSERT OR IGNORE INTO temp.{table} SELECT d.doc, k.bucket"
            f" FROM {rows.tables} CROSS JOIN temp.{keys} AS k"
            f" WHERE {rows.where} AND k.parent = {rows.bucket} AND k.key = {rows.key}"
            " ORDER BY 1",
            (*rows.arguments, *rows.key_arguments),
        )

    def _in_spans(
        self, kind: Dates | Ranges, table: str, spans: Sequence[tuple[float, float]], cut: Cut
    ) -> dict[int, Groups]:
        """The documents with values in spans, by the position of these."""
        self._tables += 1
        name = f"spans_{self._tables}"
        self._make(name, "at INTEGER PRIMARY KEY, low, high")
        numbered = [(at, *span) for at, span in enumerate(spans)]
        self._connection.executemany(f"INSERT INTO temp.{name} VALUES (?, ?, ?)", numbered)
        plain = self._rows(table, kind.field)
        rows = Rows(
            f"temp.{name} AS s CROSS JOIN {plain.tables}",
            f"{plain.where} AND d.value >= s.low AND d.value < s.high",
            plain.bucket,
            plain.arguments,
            plain.table,
            key="s.at",
            repeats=True,
        )
        return self._filled(kind, rows, self._counts(rows, cut))

    def _conditions(self, kind: Filters) -> list[tuple[str, tuple[object, ...]]]:
        bound = [bind(query, self._collection.mapping) for _, query in kind.queries]
        each = [Condition(query, self._collection) for query in bound]
        conditions = [(one.sql, tuple(one.arguments)) for one in each]
        if kind.other is not None:
            either = " OR ".join(f"({sql})" for sql, _ in conditions)
            arguments = tuple(value for _, values in conditions for value in values)
            conditions.append((f"({either}) IS NOT TRUE", arguments))
        return conditions

    def _in_conditions(
        self, kind: Kind, table: str, conditions: Sequence[tuple[str, tuple[object, ...]]]
    ) -> dict[int, Groups]:
        """The documents of conditions, by the position of these."""
        every = []
        for at, (condition, arguments) in enumerate(conditions):
            documents = f"documents_{self._number} AS d"
            rows = Rows(documents, f"{self._where} AND ({condition})", "0", arguments, key=str(at))
            if table:
                tables = f"temp.{table} AS p CROSS JOIN {documents}"
                where = f"d.doc = p.doc AND ({condition})"
                rows = Rows(tables, where, "p.bucket", arguments, table, str(at))
            every.append(rows)
        found = (
            (bucket, at, count)
            for at, rows in enumerate(every)
            for bucket, count in [*self._each_bucket(rows, "count(*)")]
        )
        groups = self._filled(kind, every[0], self._read(table, found, Cut()))
        if id(kind) in self._divided_further:
            for rows in every[1:]:
                self._fill(f"buckets_{self._tables}", rows)
        return groups


def _every(aggregations: Iterable[Aggregation]) -> Iterable[Aggregation]:
    for each in aggregations:
        yield each
        yield from _every(each.subs)
