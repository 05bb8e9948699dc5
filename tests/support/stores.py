"""Storage engines for tests, and short ways to write to them and to ask them."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.contract import Author, Storage, Verb, Write, Written
from storage.dsl import read_search
from storage.memory import MemoryStorage

INDEX = "tenant-a"
COLLECTION = "assets"
TARGET = (INDEX, COLLECTION)
ADA = Author(id="ada", request_id="r1", wire="mqtt")

# The engines that the contract suite runs on; OpenSearch takes its place here.
ENGINES = ["memory"]
if importlib.util.find_spec("storage.sqlite.store") is not None:
    ENGINES.append("sqlite")


def new_store(engine: str, folder: Path) -> Storage:
    """An engine that hasn't been opened yet, with its files, if any, in the folder."""
    if engine == "memory":
        return MemoryStorage()
    from storage.sqlite.store import SqliteStorage  # noqa: PLC0415 - only where it is wanted

    return SqliteStorage(StorageSettings(data=folder))


def a_write(verb: Verb, id: str, content: Any = None, **more: Any) -> Write:
    """A write to the collection that the tests use, by Ada."""
    place = {"index": INDEX, "collection": COLLECTION, "author": ADA, **more}
    return Write(verb=verb, id=id, content=content or {}, **place)


async def put(storage: Storage, id: str, content: Any, **more: Any) -> Written:
    """Write a whole document, whether it exists or not."""
    return await storage.write(a_write("create_or_replace", id, content, **more))


async def found(storage: Storage, body: Any = None, *targets: tuple[str, str]) -> list[str]:
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


async def outcome(answer: Awaitable[Written]) -> Written | RouterError:
    """What came of a write."""
    try:
        return await answer
    except RouterError as error:
        return error
