"""A register of users over each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from access.register import Register, make_register
from storage.contract import Storage
from storage.memory import MemoryStorage
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import ENGINES, new_store

KNOWN = {"document": ("get", "update"), "own/things": ("run",)}


@pytest.fixture(params=ENGINES)
async def private(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An opened engine without any index."""
    url = ""
    if request.param == "opensearch":
        server: OpenSearchServer = request.getfixturevalue("opensearch")
        server.wipe()
        url = server.url
    storage = new_store(request.param, tmp_path, url)
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
def new_register(private: Storage) -> Callable[[], Register]:
    """Makes one more router's register over the same store; not prepared yet."""
    return lambda: make_register(private, MemoryStorage(), lambda: KNOWN)


@pytest.fixture
async def register(new_register: Callable[[], Register]) -> AsyncIterator[Register]:
    """A register, prepared."""
    made = new_register()
    await made.prepare()
    yield made
    made.close()
