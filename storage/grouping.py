"""Aggregations of the Elasticsearch language, read into `storage.aggregations`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

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
    Span,
    Steps,
    TopHits,
    Values,
)
from storage.clauses import Clauses
from storage.query import Query, Search
from storage.refusals import malformed, unsupported
from storage.zones import read_zone

MAX_AGGREGATIONS: Final = 256
"""Aggregations of one search, those within others included."""

MAX_DEPTH: Final = 8
"""Aggregations within aggregations."""

MAX_TOP_HITS: Final = 100
"""Documents of one top_hits (`index.max_inner_result_window`)."""

MAX_SIZE: Final = 65_535
"""Buckets of one search (`search.max_buckets`)."""

ReadSearch = Callable[[JsonObject], Search]

_FOREIGN: Final = frozenset(
    (
        *("adjacency_matrix", "auto_date_histogram", "avg_bucket", "bucket_script"),
        *("bucket_selector", "bucket_sort", "children", "composite", "cumulative_sum"),
        *("date_range", "derivative", "diversified_sampler", "extended_stats"),
        *("extended_stats_bucket", "geo_bounds", "geo_centroid", "geo_distance", "geohash_grid"),
        *("geotile_grid", "global", "ip_range", "matrix_stats", "max_bucket"),
        *("median_absolute_deviation", "min_bucket", "missing", "moving_fn", "multi_terms"),
        *("nested", "parent", "percentile_ranks", "percentiles_bucket", "rare_terms"),
        *("reverse_nested", "sampler", "scripted_metric", "serial_diff", "significant_terms"),
        *(
            "significant_text",
            "stats_bucket",
            "sum_bucket",
            "top_metrics",
            "variable_width_histogram",
        ),
        *("weighted_avg", "boxplot", "string_stats", "rate", "t_test", "moving_avg"),
    )
)
_NAME: Final = re.compile(r"[^\[\]>]+")
_FIXED: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CALENDAR: Final = {
    **dict.fromkeys(("year", "1y"), "y"),
    **dict.fromkeys(("quarter", "1q"), "q"),
    **dict.fromkeys(("month", "1M"), "M"),
    **dict.fromkeys(("week", "1w"), "w"),
    **dict.fromkeys(("day", "1d"), "d"),
    **dict.fromkeys(("hour", "1h"), "h"),
    **dict.fromkeys(("minute", "1m"), "m"),
    **dict.fromkeys(("second", "1s"), "s"),
}


class Groups:
    """Reads the aggregations of one search, and counts them.

    Args:
        clauses: Of the same search, so that the bounds of queries hold over all.
        read_search: Reads what a top_hits says of its documents.
    """

    def __init__(self, clauses: Clauses, read_search: ReadSearch) -> None:
        self._clauses = clauses
        self._read_search = read_search
        self._count = 0

    def read(self, given: Json, depth: int = 0) -> tuple[Aggregation, ...]:
        """The aggregations of `{name: {type: {...}, aggs?: {...}}}`.

        Raises:
            RouterError: `services.storage.unexpected_bad_request`, `trivium.unsupported.feature`,
                and what the clauses of filters raise.
        """
        if given is None:
            return ()
        if not isinstance(given, dict):
            raise malformed("Aggregations are an object.")
        if depth > MAX_DEPTH:
            raise malformed(f"Aggregations are at most {MAX_DEPTH} deep.")
        return tuple(self._one(name, each, depth) for name, each in given.items())

    def query(self, given: Json) -> Query:
        """The query of a filter."""
        return self._clauses.read(given)

    def search(self, given: JsonObject) -> Search:
        """What a top_hits says of its documents."""
        return self._read_search(given)

    def _one(self, name: str, given: Json, depth: int) -> Aggregation:
        self._count += 1
        if self._count > MAX_AGGREGATIONS:
            raise malformed(f"A search has at most {MAX_AGGREGATIONS} aggregations.")
        if not _NAME.fullmatch(name) or not isinstance(given, dict):
            raise malformed(f'"{name}" can\'t name an aggregation, or holds none.')
        kinds = [key for key in given if key not in ("aggs", "aggregations", "meta")]
        if len(kinds) != 1:
            raise malformed(f"The aggregation {name} has {len(kinds)} types, not one.")
        if given.get("meta"):
            raise unsupported("meta of an aggregation")
        kind = self._kind(kinds[0], given[kinds[0]])
        subs = self.read(given.get("aggs", given.get("aggregations")), depth + 1)
        if subs and isinstance(kind, (Measure, Percentiles, TopHits)):
            raise malformed(f"The aggregation {name} has no buckets to aggregate.")
        if isinstance(kind, Values):
            _check_order(kind, subs)
        return Aggregation(name, kind, subs)

    def _kind(self, name: str, options: Json) -> Kind:
        if name in _FOREIGN:
            raise unsupported(f'The aggregation "{name}"')
        if name not in _READERS:
            raise malformed(f'There is no aggregation "{name}".')
        if not isinstance(options, dict):
            raise malformed(f"The content of {name} is an object.")
        if name in _MEASURES:
            return Measure(name, _field(options, name, ()))  # type: ignore[arg-type]
        return _READERS[name](self, options)


def _field(options: JsonObject, kind: str, more: tuple[str, ...]) -> str:
    """The field, where nothing stands beside it that isn't understood."""
    for key in options:
        if key not in ("field", *more):
            raise unsupported(f'"{key}" of the aggregation {kind}')
    field = options.get("field")
    if not isinstance(field, str) or not field:
        raise malformed(f"The aggregation {kind} wants the name of a field.")
    return field


def _natural(options: JsonObject, key: str, default: int, low: int = 0) -> int:
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MAX_SIZE:
        raise malformed(f"{key} is a whole number from {low} to {MAX_SIZE}.")
    return value


def _amount(value: Json, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise malformed(f"{what} is a number.")
    try:
        return float(value)
    except OverflowError:
        raise malformed(f"{what} is a number.") from None


def _flag(options: JsonObject, key: str, default: bool) -> bool:
    value = options.get(key, default)
    if not isinstance(value, bool):
        raise malformed(f"{key} is true or false.")
    return value


def _terms(_groups: Groups, options: JsonObject) -> Kind:
    more = ("size", "order", "min_doc_count", "shard_size", "execution_hint", "collect_mode")
    field = _field(options, "terms", (*more, "show_term_doc_count_error"))
    if options.get("show_term_doc_count_error"):
        raise unsupported("show_term_doc_count_error")
    least = _natural(options, "min_doc_count", 1)
    if not least:
        raise unsupported("min_doc_count 0 of the aggregation terms")
    order = _orders(options.get("order"))
    return Values(field, _natural(options, "size", 10, 1), order, least)


def _orders(given: Json) -> tuple[Order, ...]:
    items = given if isinstance(given, list) else [given]
    found = [
        Order({"_term": "_key"}.get(key, key), descending=_is_descending(way))
        for item in items
        if isinstance(item, dict)
        for key, way in item.items()
    ]
    if given is not None and (not found or not all(isinstance(item, dict) for item in items)):
        raise malformed("The order of buckets is an object, or a list of them.")
    return tuple(found) or Values.__struct_defaults__[1]


def _is_descending(way: Json) -> bool:
    if way not in ("asc", "desc"):
        raise malformed("Buckets are in the order asc or desc.")
    return way == "desc"


def _check_order(kind: Values, subs: tuple[Aggregation, ...]) -> None:
    measures = {sub.name: sub.kind for sub in subs}
    for order in kind.order:
        name, _, part = order.key.partition(".")
        measure = measures.get(name)
        if order.key in ("_count", "_key"):
            continue
        if not isinstance(measure, Measure):
            raise malformed(f'There is no number "{order.key}" to sort buckets by.')
        parts = ("count", "min", "max", "avg", "sum") if measure.kind == "stats" else ("", "value")
        if part not in parts:
            raise malformed(f'There is no number "{order.key}" to sort buckets by.')


def _date_histogram(_groups: Groups, options: JsonObject) -> Kind:
    intervals = ("calendar_interval", "fixed_interval", "interval")
    more = ("time_zone", "min_doc_count", "keyed", "format")
    field = _field(options, "date_histogram", (*intervals, *more))
    given = [(key, options[key]) for key in intervals if key in options]
    if len(given) != 1:
        raise malformed("A date_histogram wants one interval.")
    key, text = given[0]
    interval = _interval(key, text)
    zone = options.get("time_zone", "")
    written = options.get("format", "")
    if not isinstance(zone, str) or not isinstance(written, str):
        raise malformed("time_zone and format are texts.")
    read_zone(zone)
    least = _natural(options, "min_doc_count", 0)
    return Dates(field, interval, zone, least, _flag(options, "keyed", False), written)


def _interval(key: str, text: Json) -> str | int:
    if not isinstance(text, str):
        raise malformed("An interval is a text such as month or 90m.")
    if key != "fixed_interval" and text in _CALENDAR:
        return _CALENDAR[text]
    found = _FIXED.fullmatch(text)
    if key == "calendar_interval" or found is None or int(found[1]) == 0:
        raise malformed(f'There is no {key} "{text}".')
    return int(found[1]) * _UNIT_MS[found[2]]


def _histogram(_groups: Groups, options: JsonObject) -> Kind:
    field = _field(options, "histogram", ("interval", "offset", "min_doc_count", "keyed"))
    width = _amount(options.get("interval"), "The interval of a histogram")
    if not 0 < width < 1e308:
        raise malformed("The interval of a histogram is above 0.")
    offset = _amount(options.get("offset", 0), "The offset of a histogram")
    least = _natural(options, "min_doc_count", 0)
    return Steps(field, width, offset % width, least, _flag(options, "keyed", False))


def _range(_groups: Groups, options: JsonObject) -> Kind:
    field = _field(options, "range", ("ranges", "keyed"))
    ranges = options.get("ranges")
    if not isinstance(ranges, list) or not 0 < len(ranges) <= MAX_AGGREGATIONS:
        raise malformed(f"The aggregation range wants 1 to {MAX_AGGREGATIONS} ranges.")
    spans = sorted((_span(each) for each in ranges), key=_by_bounds)
    return Ranges(field, tuple(spans), _flag(options, "keyed", False))


def _span(given: Json) -> Span:
    if not isinstance(given, dict) or not set(given) <= {"from", "to", "key"}:
        raise malformed("A range has from, to and perhaps a key.")
    low, high = (
        None if given.get(side) is None else _amount(given[side], "A bound")
        for side in ("from", "to")
    )
    key = given.get("key")
    shown = f"{'*' if low is None else low}-{'*' if high is None else high}"
    return Span(key if isinstance(key, str) else shown, low, high)


def _by_bounds(span: Span) -> tuple[float, float]:
    low = float("-inf") if span.low is None else span.low
    return low, float("inf") if span.high is None else span.high


def _filter(groups: Groups, options: JsonObject) -> Kind:
    return Filters((("", groups.query(options)),), "one")


def _filters(groups: Groups, options: JsonObject) -> Kind:
    for key in options:
        if key not in ("filters", "other_bucket", "other_bucket_key"):
            raise unsupported(f'"{key}" of the aggregation filters')
    given = options.get("filters")
    name = options.get("other_bucket_key")
    has_other = _flag(options, "other_bucket", name is not None)
    other = (name if isinstance(name, str) else "_other_") if has_other else None
    if isinstance(given, dict) and given:
        named = sorted(given.items())
        return Filters(tuple((key, groups.query(each)) for key, each in named), "named", other)
    if isinstance(given, list) and given:
        return Filters(
            tuple((str(at), groups.query(q)) for at, q in enumerate(given)), "list", other
        )
    raise malformed("The aggregation filters wants some.")


def _percentiles(_groups: Groups, options: JsonObject) -> Kind:
    field = _field(options, "percentiles", ("percents", "keyed"))
    keyed = _flag(options, "keyed", True)
    given = options.get("percents")
    if given is None:
        return Percentiles(field, is_keyed=keyed)
    if not isinstance(given, list) or not 0 < len(given) <= MAX_AGGREGATIONS:
        raise malformed("percents is an array of numbers.")
    percents = tuple(sorted(_amount(each, "A percent") for each in given))
    if not 0 <= percents[0] <= percents[-1] <= 100:
        raise malformed("Percents are from 0 to 100.")
    return Percentiles(field, percents, keyed)


def _top_hits(groups: Groups, options: JsonObject) -> Kind:
    for key in options:
        if key not in ("from", "size", "sort", "_source"):
            raise unsupported(f'"{key}" of the aggregation top_hits')
    search = groups.search({"size": 3, **options})
    if search.offset + search.size > MAX_TOP_HITS:
        raise malformed(f"top_hits shows at most {MAX_TOP_HITS} documents.")
    return TopHits(search)


def _measure(_groups: Groups, _options: JsonObject) -> Kind:
    raise AssertionError("read by its name")


_MEASURES: Final = frozenset(("min", "max", "avg", "sum", "stats", "value_count", "cardinality"))
_READERS: Final[dict[str, Callable[[Groups, JsonObject], Kind]]] = {
    **dict.fromkeys(_MEASURES, _measure),
    "terms": _terms,
    "date_histogram": _date_histogram,
    "histogram": _histogram,
    "range": _range,
    "filter": _filter,
    "filters": _filters,
    "percentiles": _percentiles,
    "top_hits": _top_hits,
}
