"""What a document was before a change: from rows of the feed, or from what it is by now; and that
the feed has what documents show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Change
from storage.opensearch.catalog import Collection
from storage.opensearch.lane import Tools
from storage.opensearch.reads import fetch_records
from storage.replay import backward, forward, needs_more
from storage.undo import WHOLE_EVERY, document_before


async def before(tools: Tools, change: Change) -> JsonObject | None:
    """The document before a change.

    Raises:
        RouterError: `trivium.feed.gone`: rows that tell it were pruned. Faults.
    """
    if not needs_more(change):
        return document_before(change, None)
    feed = tools.feed
    last, now = await _now(tools, change)
    if last == change.seq:
        return document_before(change, now)
    found = forward(_without_gaps(await feed.older(change, WHOLE_EVERY)))
    if found is not None:
        return found
    way = list(_without_gaps(reversed(await feed.from_there_on(change, last))))
    if not way or way[0].seq != last or way[-1].seq != change.seq:
        raise RouterError("trivium.feed.gone", change.seq)
    return backward(way, now)


async def settle(tools: Tools, collection: Collection, ids: Sequence[str]) -> None:
    """Put the rows that these documents still carry into the feed, as whoever overwrites one does:
    those of older versions are in. Raises: faults."""
    records = await fetch_records(tools.client, collection, ids)
    rows = [row for key, each in records.items() for row in tools.feed.add(collection, key, each)]
    if rows:
        await asyncio.wait(rows)


async def _now(tools: Tools, change: Change) -> tuple[int, JsonObject | None]:
    """The number of the last row of the document of a change, 0 if nothing is known of it, and
    its content."""
    collection = tools.registry.catalog.collections.get((change.index, change.collection))
    if collection is None:
        return 0, None
    record = (await fetch_records(tools.client, collection, [change.id]))[change.id]
    rows = tools.feed.add(collection, change.id, record)
    if rows:
        await asyncio.wait(rows)
    seq = await tools.feed.number(collection, change.id, record.version)
    document = record.document(change.id)
    return seq, None if document is None else document.source


def _without_gaps(rows: Iterable[Change]) -> Iterator[Change]:
    """The rows, which come newest first, up to where one is missing."""
    version = 0
    for row in rows:
        if version and row.version != version - 1:
            return
        version = row.version
        yield row
