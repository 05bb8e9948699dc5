"""The engines that keep their feed on disk: it is pruned by age and size, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings, StorageSettings
from storage.contract import Change, Storage
from storage.opensearch.store import OpenSearchStorage
from storage.sqlite.store import SqliteStorage
from tests.contract.storage.conftest import emptied
from tests.support.stores import COLLECTION, INDEX, a_write, put, refused

ENGINES = ["sqlite", pytest.param("opensearch", marks=[pytest.mark.needs("opensearch")])]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BOUND_S = 60.0


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


Open = Callable[..., Awaitable[Storage]]


@pytest.fixture(params=ENGINES)
async def reopened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Open, Watch]]:
    """Opens the same store again and again, each time with other settings."""
    url, watch = emptied(request), Watch()
    opened: list[Storage] = []

    async def reopen(**bounds: object) -> Storage:
        if opened:
            await opened.pop().close()
        opened.append(a_store(tmp_path, url, watch, bounds))
        await opened[0].open()
        if not opened[0].has_index(INDEX):
            await opened[0].create_collection(INDEX, COLLECTION)
        return opened[0]

    yield reopen, watch
    await opened.pop().close()


def a_store(folder: Path, url: str, watch: Watch, bounds: dict[str, object]) -> Storage:
    if not url:
        embedded = StorageSettings.model_validate({"data": folder, **bounds})
        return SqliteStorage(embedded, read_ms=watch)
    chosen = OpenSearchSettings.model_validate({"nodes": url, "refresh_ms": 1, **bounds})
    return OpenSearchStorage(chosen, read_ms=watch)


async def gone(storage: Storage, since: int) -> None:
    """Return once the rows after a position are no longer complete."""
    ends = asyncio.get_running_loop().time() + BOUND_S
    while not await is_gone(storage, since):
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.02)


async def is_gone(storage: Storage, since: int) -> bool:
    try:
        await storage.changes(since)
    except RouterError as error:
        return error.id == "trivium.feed.gone"
    return False


async def newest(storage: Storage) -> Change:
    return (await storage.changes(0))[-1]


async def test_rows_that_are_too_old_go(reopened: tuple[Open, Watch]) -> None:
    reopen, watch = reopened
    storage = await reopen(feed_days=2)
    await put(storage, "a", {})
    first = (await newest(storage)).seq
    watch.now_ms += DAY_MS
    storage = await reopen(feed_days=2)
    await put(storage, "b", {})
    assert [row.id for row in await storage.changes(0)] == ["a", "b"]
    watch.now_ms += DAY_MS + HOUR_MS
    storage = await reopen(feed_days=2)
    await put(storage, "c", {})
    await gone(storage, 0)
    assert [row.id for row in await storage.changes(first)] == ["b", "c"]
    # What was pruned is not told again when its document is overwritten.
    assert (await put(storage, "a", {})).version == 2
    assert [row.id for row in await storage.changes(first)] == ["b", "c", "a"]


async def test_rows_that_are_too_many_go(reopened: tuple[Open, Watch]) -> None:
    reopen, watch = reopened
    storage = await reopen(feed_mb=8)
    fill = "x" * 20_000
    writes = [a_write("create", f"a{number}", {"fill": fill}) for number in range(150)]
    assert [each for each in await storage.bulk(writes) if isinstance(each, RouterError)] == []
    rows = await storage.changes(0)
    assert len(rows) == 150
    watch.now_ms += HOUR_MS  # so that every router knows them to be in the feed
    storage = await reopen(feed_mb=1)
    await put(storage, "new", {})
    await gone(storage, rows[90].seq)
    kept = [row.id for row in await storage.changes(rows[115].seq)]
    assert kept == [*(f"a{number}" for number in range(116, 150)), "new"]


async def test_the_newest_row_stays_and_positions_go_on(reopened: tuple[Open, Watch]) -> None:
    reopen, watch = reopened
    storage = await reopen(feed_days=1)
    for name in ("a", "b"):
        await put(storage, name, {})
    newest_seq = (await newest(storage)).seq
    watch.now_ms += 30 * DAY_MS
    storage = await reopen(feed_days=1)
    await gone(storage, 0)
    assert await storage.changes(newest_seq) == []
    await put(storage, "c", {})
    (row,) = await storage.changes(newest_seq)
    assert row.id == "c"
    assert row.seq > newest_seq


async def test_a_position_ahead_is_gone(reopened: tuple[Open, Watch]) -> None:
    storage = await reopened[0]()
    with refused("trivium.feed.gone", 5):
        await storage.changes(5)
