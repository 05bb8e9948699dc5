"""Aggregations computed over the index rows of documents, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Named
from typing import Final, Generic, cast

from router.envelope import Json, JsonObject
from storage.aggregations import (
    Aggregation,
    Dates,
    Filters,
    Kind,
    Measure,
    Order,
    Percentiles,
    Ranges,
    Steps,
    TopHits,
    Values,
    searches_of,
)
from storage.binding import bind, check_sort
from storage.dividing import Divider, Found, Held, Place, ranked
from storage.evaluate import fields_of, in_order
from storage.fields import Value
from storage.formats import KeyFormat, key_format, key_of
from storage.intervals import (
    MAX_BUCKETS,
    check_ends,
    starts_of,
    steps_between,
    too_many_buckets,
)
from storage.mapping import Mapping
from storage.measures import MEASURES, number_of, percentile, stats, written
from storage.plan import Leaf
from storage.query import Query, Search
from storage.refusals import malformed

_NUMERIC: Final = ("number", "date", "boolean")
_KINDS: Final[dict[type, tuple[str, ...]]] = {
    Percentiles: _NUMERIC,
    Dates: ("date",),
    Steps: ("number",),
    Ranges: ("number",),
    Values: (*_NUMERIC, "keyword", "ip"),
}
_COUNTED: Final = (*_NUMERIC, "keyword", "ip", "geo")


class Aggregator(Generic[Found]):
    """Computes the aggregations of one search.

    Args:
        mappings: Of all collections that are searched.
        show: A hit of a top_hits as results show it.
        look: Called before each part of the work; what it raises ends it.
        divider: Of the documents that `compute` is given; by default these are held.

    Raises (when made):
        RouterError: `services.storage.unexpected_bad_request` for a field that an aggregation
            can't be computed of, and what binding the queries of filters raises.
    """

    def __init__(
        self,
        aggregations: Sequence[Aggregation],
        mappings: Named[Place, Mapping],
        show: Callable[[Found, Search], Json],
        look: Callable[[], None] = lambda: None,
        divider: Divider[Found] | None = None,
    ) -> None:
        self._aggregations = aggregations
        self._look = look
        self._mappings = mappings
        self._show = show
        self._leaves: dict[str, Leaf | None] = {}
        self._bound: dict[tuple[int, Place], Query] = {}
        self._held = Held[Found](mappings, self._bound, look)
        self._divider = divider or self._held
        self._buckets = 0
        for each in aggregations:
            self._check(each)

    def compute(self, documents: Sequence[Found]) -> JsonObject:
        """The result of each aggregation by its name.

        Raises:
            RouterError: `services.storage.unexpected_bad_request` for more than `MAX_BUCKETS`.
        """
        self._buckets = 0
        return self._all(self._aggregations, documents)

    @property
    def paths(self) -> set[str]:
        """The fields whose values are looked at; all others may be left out of documents."""
        found = {path for path in self._leaves if self._leaves[path] is not None}
        for query in self._bound.values():
            found |= fields_of(query)
        for search in searches_of(self._aggregations):
            found |= {key.field for key in search.sort}
        return found

    # -- what can be computed -----------------------------------------------------------------

    def _check(self, aggregation: Aggregation) -> None:
        kind = aggregation.kind
        if isinstance(kind, Filters):
            for _, query in kind.queries:
                for place, mapping in self._mappings.items():
                    self._bound[id(query), place] = bind(query, mapping)
        elif isinstance(kind, TopHits):
            for mapping in self._mappings.values():
                check_sort(kind.search.sort, mapping)
        else:
            self._check_field(kind)
        for sub in aggregation.subs:
            self._check(sub)

    def _check_field(self, kind: Measure | Percentiles | Values | Dates | Steps | Ranges) -> None:
        leaf = self._leaf(kind.field)
        if leaf is None:
            return
        counts = isinstance(kind, Measure) and kind.kind in ("value_count", "cardinality")
        fit = _COUNTED if counts else _KINDS.get(type(kind), _NUMERIC)
        if leaf.kind not in fit:
            raise malformed(f'The field "{kind.field}" of type {leaf.type} has none of that.')
        key_format(leaf, kind.format if isinstance(kind, Dates) else "")

    def _leaf(self, field: str) -> Leaf | None:
        if field not in self._leaves:
            leaves = [mapping.leaf(field) for mapping in self._mappings.values()]
            found = [leaf for leaf in leaves if leaf is not None and not leaf.is_hidden]
            if len({leaf.kind for leaf in found}) > 1:
                raise malformed(f'The field "{field}" is of different types in these collections.')
            self._leaves[field] = found[0] if found else None
        return self._leaves[field]

    # -- computing ----------------------------------------------------------------------------

    def _all(self, aggregations: Sequence[Aggregation], documents: Sequence[Found]) -> JsonObject:
        return {each.name: self._one(each, documents) for each in aggregations}

    def _one(self, aggregation: Aggregation, documents: Sequence[Found]) -> Json:
        self._look()
        kind = aggregation.kind
        if isinstance(kind, Measure):
            return written(self._measure(kind, documents))
        if isinstance(kind, Percentiles):
            return self._percentiles(kind, documents)
        if isinstance(kind, TopHits):
            return self._top_hits(kind, documents)
        return _BUCKETS[type(kind)](self, kind, aggregation.subs, documents)

    def _bucket(
        self, head: JsonObject, documents: Sequence[Found], subs: Sequence[Aggregation]
    ) -> JsonObject:
        self._buckets += 1
        if self._buckets > MAX_BUCKETS:
            raise too_many_buckets()
        return {**head, "doc_count": len(documents), **self._all(subs, documents)}

    def _measure(self, kind: Measure, documents: Sequence[Found]) -> JsonObject:
        if kind.kind == "value_count":
            return {"value": self._divider.count(kind.field, documents)}
        if kind.kind == "cardinality":
            return {"value": self._divider.distinct(kind.field, documents)}
        sums = self._divider.sums(kind.field, documents)
        shown = key_format(self._leaf(kind.field))
        if kind.kind == "stats":
            return stats(sums, shown)
        value = MEASURES[kind.kind](sums)
        return {"value": value, **shown.told(value, "value_as_string")}

    def _percentiles(self, kind: Percentiles, documents: Sequence[Found]) -> JsonObject:
        numbers = sorted(self._held.numbers(kind.field, documents))
        shown = key_format(self._leaf(kind.field))
        pairs = [(percent, percentile(numbers, percent)) for percent in kind.percents]
        if not kind.is_keyed:
            return {
                "values": [
                    {"key": percent, "value": value, **shown.told(value, "value_as_string")}
                    for percent, value in pairs
                ]
            }
        values: JsonObject = {}
        for percent, value in pairs:
            values[str(percent)] = value
            values.update(shown.told(value, f"{percent}_as_string"))
        return {"values": values}

    def _top_hits(self, kind: TopHits, documents: Sequence[Found]) -> JsonObject:
        search = kind.search
        chosen = in_order(documents, search.sort)[search.offset : search.offset + search.size]
        return {
            "hits": {
                "total": {"value": len(documents), "relation": "eq"},
                "max_score": None if search.sort or not documents else 1.0,
                "hits": [self._show(each, search) for each in chosen],
            }
        }

    def _values(
        self, kind: Values, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> JsonObject:
        groups = self._divider.by_value(kind, documents)
        rest = self._divider.rest(kind, documents)
        return self._grouped_by_value(kind, subs, groups, rest)

    def tallied(self, kind: Values, counts: Named[Value, int]) -> JsonObject:
        """The result of a terms aggregation without sub-aggregations, where it is known how
        many documents have each value."""
        groups = {value: cast("Sequence[Found]", range(count)) for value, count in counts.items()}
        return self._grouped_by_value(kind, (), groups)

    def _grouped_by_value(
        self,
        kind: Values,
        subs: Sequence[Aggregation],
        groups: Named[Value, Sequence[Found]],
        rest: int = 0,
    ) -> JsonObject:
        kept = {key: each for key, each in groups.items() if len(each) >= kind.least}
        leaf = self._leaf(kind.field)
        head = key_format(leaf)
        order = self._ranked(kind, subs, kept)
        buckets: list[Json] = [
            self._bucket(key_of(leaf, key, head), kept[key], subs) for key in order[: kind.size]
        ]
        others = rest + sum(len(kept[key]) for key in order[kind.size :])
        return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": buckets}

    def _ranked(
        self, kind: Values, subs: Sequence[Aggregation], groups: Named[Value, Sequence[Found]]
    ) -> list[Value]:
        return ranked(kind.order, groups, lambda by, key: self._rank(by, subs, groups[key]))

    def _rank(
        self, order: Order, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> tuple[bool, float]:
        """A number to sort by; what has none comes last, whichever the order."""
        name, _, part = order.key.partition(".")
        measure = next(sub.kind for sub in subs if sub.name == name)
        assert isinstance(measure, Measure)
        value = self._measure(measure, documents).get(part or "value")
        if value is None and (part or measure.kind) in ("min", "max"):
            value = math.inf if (part or measure.kind) == "min" else -math.inf
        if not isinstance(value, (int, float)):
            return True, 0.0
        return False, -value if order.descending else float(value)

    def _dates(
        self, kind: Dates, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> JsonObject:
        head = key_format(self._leaf(kind.field), kind.format, kind.zone)
        return self._stepped(kind, subs, self._divider.by_date(kind, documents), head)

    def _steps(
        self, kind: Steps, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> JsonObject:
        groups = self._divider.by_step(kind, documents)
        steps: list[float] = sorted(groups)
        if steps and not kind.least:
            steps = steps_between(steps[0], steps[-1])
        keyed = {step * kind.width + kind.offset: groups.get(step, []) for step in steps}
        check_ends(*steps[:1], *steps[-1:], *keyed)
        return self._stepped(kind, subs, keyed, key_format(None))

    def filled(self, aggregation: Aggregation, buckets: Sequence[JsonObject]) -> JsonObject:
        """The buckets of a `Dates` or `Steps` with the empty ones between them."""
        kind = aggregation.kind
        assert isinstance(kind, (Dates, Steps))
        known = {number_of(bucket["key"]): bucket for bucket in buckets}  # type: ignore[arg-type]
        starts = sorted(known)
        shown = key_format(None)
        if isinstance(kind, Dates):
            shown = key_format(self._leaf(kind.field), kind.format, kind.zone)
            starts = starts_of(kind, [int(start) for start in starts])[1]
        elif starts:
            first, last = ((start - kind.offset) / kind.width for start in (starts[0], starts[-1]))
            steps = steps_between(first, last)
            starts = [step * kind.width + kind.offset for step in steps]
        told = [self._step(start, shown, (), aggregation.subs) for start in starts]
        whole = [(name, known.get(number_of(each["key"]), each)) for name, each in told]  # type: ignore[arg-type]
        return _listed(whole, is_keyed=kind.is_keyed)

    def _stepped(
        self,
        kind: Dates | Steps,
        subs: Sequence[Aggregation],
        groups: Named[float, Sequence[Found]],
        shown: KeyFormat,
    ) -> JsonObject:
        buckets = [
            self._step(start, shown, group, subs)
            for start, group in groups.items()
            if len(group) >= kind.least
        ]
        return _listed(buckets, is_keyed=kind.is_keyed)

    def _step(
        self,
        start: float,
        shown: KeyFormat,
        documents: Sequence[Found],
        subs: Sequence[Aggregation],
    ) -> tuple[str, JsonObject]:
        head: JsonObject = {**shown.told(start, "key_as_string"), "key": start}
        name = str(head.get("key_as_string", start))
        return name, self._bucket(head, documents, subs)

    def _ranges(
        self, kind: Ranges, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> JsonObject:
        buckets: list[tuple[str, JsonObject]] = []
        inside = self._divider.by_span(kind, documents)
        for span, group in zip(kind.spans, inside, strict=True):
            head: JsonObject = {} if kind.is_keyed else {"key": span.key}
            if span.low is not None:
                head["from"] = span.low
            if span.high is not None:
                head["to"] = span.high
            buckets.append((span.key, self._bucket(head, group, subs)))
        return _listed(buckets, is_keyed=kind.is_keyed)

    def _filters(
        self, kind: Filters, subs: Sequence[Aggregation], documents: Sequence[Found]
    ) -> JsonObject:
        names = [name for name, _ in kind.queries]
        if kind.other is not None:
            names.append(kind.other)
        groups = self._divider.by_query(kind, documents)
        buckets = [
            (name, self._bucket({}, group, subs)) for name, group in zip(names, groups, strict=True)
        ]
        if kind.shape == "one":
            return buckets[0][1]
        return _listed(buckets, is_keyed=kind.shape == "named")


def _listed(buckets: Sequence[tuple[str, JsonObject]], *, is_keyed: bool) -> JsonObject:
    if is_keyed:
        return {"buckets": dict(buckets)}
    return {"buckets": [bucket for _, bucket in buckets]}


_BUCKETS: Final[dict[type[Kind], Callable[..., JsonObject]]] = {
    Values: Aggregator._values,
    Dates: Aggregator._dates,
    Steps: Aggregator._steps,
    Ranges: Aggregator._ranges,
    Filters: Aggregator._filters,
}
