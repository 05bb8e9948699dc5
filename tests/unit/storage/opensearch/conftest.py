"""Stores over the real server, as many as a test likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from router.settings import OpenSearchSettings
from storage.opensearch.client import Client
from storage.opensearch.store import OpenSearchStorage
from tests.support.opensearch import OpenSearchServer

Open = Callable[..., Awaitable[OpenSearchStorage]]


@pytest.fixture
async def open_store(opensearch: OpenSearchServer) -> AsyncIterator[Open]:
    """Opens one more store on the server, which was empty before the first; closes them all."""
    opensearch.wipe()
    opened: list[OpenSearchStorage] = []

    async def open_one(
        connect: Callable[[OpenSearchSettings], Client] = Client, **settings: Any
    ) -> OpenSearchStorage:
        chosen = OpenSearchSettings(nodes=opensearch.url, **{"refresh_ms": 1, **settings})
        storage = OpenSearchStorage(chosen, connect=connect)
        await storage.open()
        opened.append(storage)
        return storage

    yield open_one
    for storage in opened:
        await storage.close()
