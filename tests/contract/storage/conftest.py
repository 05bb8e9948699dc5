"""The storage engines, each opened empty and closed after its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.contract import Storage
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import COLLECTION, ENGINES, INDEX, new_store

MAPPING = {
    "dynamic": "false",
    "properties": {
        "model": {"type": "keyword", "fields": {"text": {"type": "text"}}},
        "size": {"type": "integer"},
        "ratio": {"type": "double"},
        "live": {"type": "boolean"},
        "seen": {"type": "date"},
        "note": {"type": "text"},
        "place": {"type": "geo_point"},
        "address": {"type": "ip"},
        "tags": {"type": "keyword"},
        "metadata": {"properties": {"city": {"type": "keyword"}, "floor": {"type": "long"}}},
        "parts": {"type": "nested", "properties": {"name": {"type": "keyword"}}},
        "blob": {"type": "binary"},
    },
}


@pytest.fixture(params=ENGINES)
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An opened engine without any index."""
    storage = new_store(request.param, tmp_path, emptied(request))
    await storage.open()
    yield storage
    await storage.close()


def emptied(request: pytest.FixtureRequest) -> str:
    """Where OpenSearch is, without any index, if this test is about it."""
    if request.param != "opensearch":
        return ""
    server: OpenSearchServer = request.getfixturevalue("opensearch")
    server.wipe()
    return server.url


@pytest.fixture
async def storage(empty: Storage) -> Storage:
    """An opened engine with one empty collection."""
    await empty.create_collection(INDEX, COLLECTION, MAPPING)
    return empty
