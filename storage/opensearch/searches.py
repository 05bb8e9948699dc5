"""Searches: one of the server's for each collection, put into one order here."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from router.envelope import Json, JsonObject
from storage.aggregate import Aggregator
from storage.binding import bind, bind_after, check_sort
from storage.contract import Hit, Page
from storage.evaluate import FieldValues, Sortable, field_values, in_order, sort_value
from storage.opensearch.aggregations import compile_aggregations, compile_over, shown
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, object_at, objects, refusal
from storage.opensearch.compile import compile_after, compile_query, compile_sort
from storage.opensearch.records import split
from storage.projection import project
from storage.query import Search


class Found:
    """A hit with what it is sorted by."""

    __slots__ = ("fields", "place", "source", "version")

    def __init__(self, collection: Collection, hit: JsonObject) -> None:
        index, name = collection.name
        source, hidden = split(object_at(hit, "_source"))
        self.place = (str(hit.get("_id")), index, name)
        self.source = source
        version = hidden.get("version", hit.get("_version"))
        self.version = version if isinstance(version, int) else 0
        self.fields: FieldValues = field_values(collection.mapping.rows(source))

    def hit(self, search: Search) -> Hit:
        """As the contract has it."""
        own, index, collection = self.place
        return Hit(
            index=index,
            collection=collection,
            id=own,
            source=project(self.source, search),
            version=self.version,
            sort=[sort_value(key, own, self.fields) for key in search.sort],
        )


async def page(client: Client, collections: Sequence[Collection], search: Search) -> Page:
    """The page of hits, and how many documents match. Raises: as `Storage.search`; faults."""
    is_alone = len(collections) == 1
    offset, size = search.offset, search.size
    window = (offset, size) if is_alone else (0, offset + size if size else 0)
    answers = await _ask(client, collections, search, window)
    total = sum(total_of(answer) for answer in answers)
    found = [
        Found(collection, hit)
        for collection, answer in zip(collections, answers, strict=True)
        for hit in objects(object_at(answer, "hits").get("hits"))
    ]
    if not is_alone:
        found = in_order(found, search.sort)[offset : offset + size]
    return Page(
        hits=[each.hit(search) for each in found],
        total=total,
        aggregations=await _aggregated(client, collections, search),
    )


async def _aggregated(
    client: Client, collections: Sequence[Collection], search: Search
) -> JsonObject | None:
    """The aggregations over all collections at once, if there are any. Raises: as `page`."""
    if not search.aggregations:
        return None
    mappings = {each.name: each.mapping for each in collections}
    aggregator = Aggregator[Sortable](search.aggregations, mappings, lambda *_: None)
    body: JsonObject = {
        "size": 0,
        "query": compile_over(search.query, collections),
        "aggs": compile_aggregations(search.aggregations, collections),
    }
    names = ",".join(each.alias for each in collections)
    answer = await client.request("POST", names, "_search", body=body)
    found = object_at(answer, "aggregations")
    return shown(found, search.aggregations, collections, aggregator)


async def count(client: Client, collections: Sequence[Collection], search: Search) -> int:
    """How many documents match. Raises: as `Storage.count`; faults."""
    answers = await _ask(client, collections, search, (0, 0))
    return sum(total_of(answer) for answer in answers)


async def _ask(
    client: Client, collections: Sequence[Collection], search: Search, window: tuple[int, int]
) -> list[JsonObject]:
    if not collections:
        return []
    lines = []
    for collection in collections:
        lines.append(orjson.dumps({"index": collection.alias}))
        lines.append(orjson.dumps(body_of(collection, search, window)))
    told = await client.request("POST", "_msearch", body=b"\n".join([*lines, b""]))
    answers = objects(told.get("responses"))
    for answer in answers:
        if "error" in answer:
            status = answer.get("status")
            raise refusal(status if isinstance(status, int) else 500, answer["error"])
    return answers


def body_of(collection: Collection, search: Search, window: tuple[int, int]) -> JsonObject:
    """What to ask the server; the window is `from` and `size`."""
    mapping = collection.mapping
    check_sort(search.sort, mapping)
    query = compile_query(bind(search.wanted, mapping), mapping)
    after = bind_after(search, mapping)
    body: JsonObject = {
        "query": {"bool": {"filter": [query]}},
        "from": window[0],
        "size": window[1],
        "track_total_hits": True,
        "version": True,
    }
    if window[1]:
        keys: list[Json] = compile_sort(search.sort, collection.sort_id)
        body["sort"] = keys
        if after is not None:
            body["search_after"] = compile_after(search.sort, after, mapping)
    return body


def total_of(answer: JsonObject) -> int:
    """How many documents match."""
    total = object_at(answer, "hits", "total").get("value")
    return total if isinstance(total, int) else 0
