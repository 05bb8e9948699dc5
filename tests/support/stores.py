"""Storage engines for tests, and short ways to write to them and to ask them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings, StorageSettings
from storage.contract import Author, Storage, Verb, Write, Written
from storage.dsl import read_search
from storage.memory import MemoryStorage
from storage.opensearch.store import OpenSearchStorage
from storage.sqlite.store import SqliteStorage

INDEX = "tenant-a"
COLLECTION = "assets"
TARGET = (INDEX, COLLECTION)
ADA = Author(id="ada", request_id="r1", wire="mqtt")

# The engines that the contract suite runs on.
ENGINES = [
    "memory",
    "sqlite",
    pytest.param("opensearch", marks=[pytest.mark.needs("opensearch")]),
]


def new_store(engine: str, folder: Path, url: str = "") -> Storage:
    """An engine that hasn't been opened yet, with its files, if any, in the folder; empty, but
    for that of OpenSearch, which has what the server at the URL has."""
    if engine == "memory":
        return MemoryStorage()
    if engine == "opensearch":
        return OpenSearchStorage(OpenSearchSettings(nodes=url, refresh_ms=1))
    return SqliteStorage(StorageSettings(data=folder))


def a_write(verb: Verb, id: str, content: Any = None, **more: Any) -> Write:
    """A write to the collection that the tests use, by Ada."""
    place = {"index": INDEX, "collection": COLLECTION, "author": ADA, **more}
    return Write(verb=verb, id=id, content=content or {}, **place)


async def put(storage: Storage, id: str, content: Any, **more: Any) -> Written:
    """Write a whole document, whether it exists or not."""
    return await storage.write(a_write("create_or_replace", id, content, **more))


async def found(storage: Storage, body: Any = None, *targets: tuple[str, str]) -> list[str]:
    """The ids that a search body finds once it sees every write so far; see `found_at_once`."""
    for target in targets or (TARGET,):
        await storage.refresh(*target)
    return await found_at_once(storage, body, *targets)


async def found_at_once(storage: Storage, body: Any = None, *targets: tuple[str, str]) -> list[str]:
    """The ids that a search body finds, in its order; what the engine counts agrees."""
    search = read_search({"size": 1_000, **(body or {})})
    page = await storage.search(targets or (TARGET,), search)
    assert page.total == await storage.count(targets or (TARGET,), search)
    return [hit.id for hit in page.hits]


@contextmanager
def refused(id: str, *props: Any) -> Iterator[None]:
    """The block raises this error of the catalogue; if props are given, with these."""
    with pytest.raises(RouterError) as caught:
        yield
    assert caught.value.id == id
    if props:
        assert caught.value.props == list(props)
