"""All that a store holds as it is: taken out in pages, and put in past stamps and versions."""

from __future__ import annotations

from collections.abc import Sequence

from router.envelope import JsonObject
from storage.contract import Document
from storage.opensearch import places
from storage.opensearch.catalog import Collection, Name
from storage.opensearch.client import Client, object_at, objects, refusal
from storage.opensearch.faults import RefusedError
from storage.opensearch.operations import empty_grave, store
from storage.opensearch.reads import fetch_records
from storage.opensearch.records import Record, read_record
from storage.opensearch.registry import Registry
from storage.opensearch.turn import Turn
from storage.stamps import packed
from storage.transfer import Grave


async def page(registry: Registry, name: Name, after_id: str, size: int) -> list[Document]:
    """The next documents in the order of their ids' bytes. Raises: faults."""
    client, collection = registry.client, await registry.find(name)
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


async def load(registry: Registry, name: Name, documents: Sequence[Document]) -> None:
    """Put documents in verbatim, those left out whose ids are there. Raises: faults."""
    client, collection = registry.client, await registry.find(name)
    turns = []
    for document in documents:
        record = Record(version=document.version, content=packed(document.source))
        turns.append(Turn(document.id, Record(), record))
    for verdict in await store(client, collection, turns):
        if isinstance(verdict, RefusedError) and verdict.status != 409:
            raise verdict


async def graves(registry: Registry, name: Name, after_id: str, size: int) -> list[Grave]:
    """The next versions of deleted documents, in the order of their ids' bytes. Raises: faults."""
    client, collection = registry.client, await registry.find(name)
    if not after_id:
        await client.request("POST", collection.scope.graves, "_refresh")
    while ids := await _buried(client, collection, after_id, size):
        found = await fetch_records(client, collection, ids)
        gone = {key: record.version for key, record in found.items() if record.content is None}
        # The tombstone of a document that was made again stays as well.
        if gone:
            return [Grave(key, gone[key]) for key in ids if key in gone]
        after_id = ids[-1]
    return []


async def _buried(client: Client, collection: Collection, after_id: str, size: int) -> list[str]:
    body: JsonObject = {
        "size": size,
        "sort": [{"id": "asc"}],
        "query": {"term": {"uuid": collection.uuid}},
        "_source": ["id"],
    }
    if after_id:
        body["search_after"] = [after_id]
    alias = places.alias(collection.scope.graves)
    told = await client.request("POST", alias, "_search", body=body)
    hits = objects(object_at(told, "hits").get("hits"))
    return [str(object_at(hit, "_source").get("id")) for hit in hits]


async def bury(registry: Registry, name: Name, graves: Sequence[Grave]) -> None:
    """Know the versions of documents that are gone. Raises: faults."""
    client, collection = registry.client, await registry.find(name)
    lines = [empty_grave(collection, key, Record(version=version)) for key, version in graves]
    for answer in await client.bulk(lines):
        status = answer.get("status")
        if status not in (201, 409):  # 409: it is there already
            raise refusal(status if isinstance(status, int) else 500, answer.get("error"))
