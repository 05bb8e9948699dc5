"""Aggregations in the server's own language, and its answers in ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from router.envelope import Json, JsonObject
from storage.aggregate import Aggregator
from storage.aggregations import (
    Aggregation,
    Dates,
    Filters,
    Kind,
    Measure,
    Percentiles,
    Ranges,
    Steps,
    TopHits,
    Values,
)
from storage.binding import bind
from storage.evaluate import Sortable
from storage.grouping import MAX_SIZE
from storage.opensearch.catalog import Collection
from storage.opensearch.client import object_at, objects
from storage.opensearch.compile import compile_query, compile_sort
from storage.opensearch.records import split
from storage.projection import project
from storage.query import Query, Search

_UNITS: Final = {
    "y": "year",
    "q": "quarter",
    "M": "month",
    "w": "week",
    "d": "day",
    "h": "hour",
    "m": "minute",
    "s": "second",
}


def compile_over(query: Query, collections: Sequence[Collection]) -> JsonObject:
    """A query for several collections at once, each with its own mapping."""
    parts: list[Json] = [
        {
            "bool": {
                "filter": [
                    {"term": {"_index": each.physical}},
                    compile_query(bind(query, each.mapping), each.mapping),
                ]
            }
        }
        for each in collections
    ]
    return {"bool": {"should": parts, "minimum_should_match": 1}}


def compile_aggregations(
    aggregations: Sequence[Aggregation], collections: Sequence[Collection]
) -> JsonObject:
    """The aggregations as the server reads them."""
    compiled: JsonObject = {}
    for each in aggregations:
        body = _COMPILERS[type(each.kind)](each.kind, collections)
        if each.subs:
            body["aggs"] = compile_aggregations(each.subs, collections)
        compiled[each.name] = body
    return compiled


def shown(
    answer: JsonObject,
    aggregations: Sequence[Aggregation],
    collections: Sequence[Collection],
    aggregator: Aggregator[Sortable],
) -> JsonObject:
    """The server's results without what is hidden in its documents, and with the empty buckets
    of histograms: the server isn't asked for them, since it makes any number of them."""
    names = {each.physical: each for each in collections}
    told: JsonObject = {}
    for each in aggregations:
        result = object_at(answer, each.name)
        result.pop("meta", None)  # some tell an empty one
        if isinstance(each.kind, TopHits):
            told[each.name] = _hits(result, each.kind.search, names)
        else:
            within = _within(result, each, collections, aggregator)
            is_gapless = isinstance(each.kind, (Dates, Steps)) and not each.kind.least
            told[each.name] = _gapless(within, each, aggregator) if is_gapless else within
    return told


def _gapless(
    result: JsonObject, aggregation: Aggregation, aggregator: Aggregator[Sortable]
) -> JsonObject:
    buckets = result.get("buckets")
    listed = list(buckets.values()) if isinstance(buckets, dict) else buckets
    return {**result, **aggregator.filled(aggregation, objects(listed))}


def _within(
    result: JsonObject,
    aggregation: Aggregation,
    collections: Sequence[Collection],
    aggregator: Aggregator[Sortable],
) -> JsonObject:
    if not aggregation.subs:
        return result
    buckets = result.get("buckets")
    if buckets is None:
        return {**result, **shown(result, aggregation.subs, collections, aggregator)}
    if isinstance(buckets, dict):
        named: JsonObject = {
            key: {**bucket, **shown(bucket, aggregation.subs, collections, aggregator)}
            for key, bucket in buckets.items()
            if isinstance(bucket, dict)
        }
        return {**result, "buckets": named}
    listed: list[Json] = [
        {**bucket, **shown(bucket, aggregation.subs, collections, aggregator)}
        for bucket in objects(buckets)
    ]
    return {**result, "buckets": listed}


def _hits(result: JsonObject, search: Search, names: dict[str, Collection]) -> JsonObject:
    found = object_at(result, "hits")
    hits: list[Json] = []
    for hit in objects(found.get("hits")):
        source, _ = split(object_at(hit, "_source"))
        collection = names[str(hit.get("_index"))]
        index, name = collection.name
        told: JsonObject = {**hit, "_index": f"&{index}.{name}", "_source": project(source, search)}
        told.pop("sort", None)
        hits.append(told)
    return {"hits": {**found, "hits": hits}}


def _measure(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Measure)
    return {kind.kind: {"field": kind.field}}


def _percentiles(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Percentiles)
    percents: list[Json] = list(kind.percents)
    return {"percentiles": {"field": kind.field, "percents": percents, "keyed": kind.is_keyed}}


def _top_hits(kind: Kind, collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, TopHits)
    search = kind.search
    sort = compile_sort(search.sort, collections[0].sort_id)
    return {"top_hits": {"from": search.offset, "size": search.size, "sort": sort}}


def _values(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Values)
    order: list[Json] = [{each.key: "desc" if each.descending else "asc"} for each in kind.order]
    # Each collection is a shard: what one of them counts must not be cut off before all do.
    head: JsonObject = {"field": kind.field, "size": kind.size, "shard_size": MAX_SIZE}
    return {"terms": {**head, "order": order, "min_doc_count": kind.least}}


def _dates(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Dates)
    head: JsonObject = {
        "field": kind.field,
        "min_doc_count": max(1, kind.least),
        "keyed": kind.is_keyed,
    }
    if isinstance(kind.interval, str):
        head["calendar_interval"] = _UNITS[kind.interval]
    else:
        head["fixed_interval"] = f"{kind.interval}ms"
    if kind.zone:
        head["time_zone"] = kind.zone
    if kind.format:
        head["format"] = kind.format
    return {"date_histogram": head}


def _steps(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Steps)
    head: JsonObject = {"field": kind.field, "interval": kind.width, "offset": kind.offset}
    return {"histogram": {**head, "min_doc_count": max(1, kind.least), "keyed": kind.is_keyed}}


def _ranges(kind: Kind, _collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Ranges)
    spans: list[Json] = []
    for span in kind.spans:
        bounds = {"from": span.low, "to": span.high}
        spans.append(
            {"key": span.key, **{side: each for side, each in bounds.items() if each is not None}}
        )
    return {"range": {"field": kind.field, "ranges": spans, "keyed": kind.is_keyed}}


def _filters(kind: Kind, collections: Sequence[Collection]) -> JsonObject:
    assert isinstance(kind, Filters)
    queries: JsonObject = {name: compile_over(each, collections) for name, each in kind.queries}
    if kind.shape == "one":
        return {"filter": queries[""]}
    filters: Json = queries if kind.shape == "named" else list(queries.values())
    if kind.other is None:
        return {"filters": {"filters": filters}}
    return {"filters": {"filters": filters, "other_bucket_key": kind.other}}


_COMPILERS: Final[dict[type[Kind], Callable[[Kind, Sequence[Collection]], JsonObject]]] = {
    Measure: _measure,
    Percentiles: _percentiles,
    TopHits: _top_hits,
    Values: _values,
    Dates: _dates,
    Steps: _steps,
    Ranges: _ranges,
    Filters: _filters,
}
