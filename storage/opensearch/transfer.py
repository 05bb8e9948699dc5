"""Documents as they are: taken out in pages, and put in past stamps, versions and feed."""

from __future__ import annotations

from collections.abc import Sequence

from router.envelope import JsonObject
from storage.contract import Document
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, object_at, objects
from storage.opensearch.faults import RefusedError
from storage.opensearch.operations import store
from storage.opensearch.records import Record, read_record
from storage.opensearch.turn import Turn
from storage.stamps import packed


async def page(client: Client, collection: Collection, after_id: str, size: int) -> list[Document]:
    """The next documents in the order of their ids' bytes. Raises: faults."""
    body: JsonObject = {
        "size": size,
        "sort": [{collection.sort_id: "asc"}],
        "version": True,
        "seq_no_primary_term": True,
    }
    if after_id:
        body["search_after"] = [after_id]
    told = await client.request("POST", collection.alias, "_search", body=body)
    hits = objects(object_at(told, "hits").get("hits"))
    found = [(str(hit["_id"]), read_record({**hit, "found": True})) for hit in hits]
    documents = [record.document(own) for own, record in found]
    return [document for document in documents if document is not None]


async def load(client: Client, collection: Collection, documents: Sequence[Document]) -> None:
    """Put documents in verbatim, those left out whose ids are there. Raises: faults."""
    turns = []
    for document in documents:
        record = Record(version=document.version, content=packed(document.source))
        turns.append(Turn(document.id, Record(), record))
    for verdict in await store(client, collection, turns):
        if isinstance(verdict, RefusedError) and verdict.status != 409:
            raise verdict
