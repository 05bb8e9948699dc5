"""A server that is killed, stands still or refuses writes: bounded answers, no restart needed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings
from storage.contract import Storage, StoreOpenError, Written, outcome
from storage.opensearch.store import OpenSearchStorage
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, put, refused

pytestmark = pytest.mark.needs("opensearch")

AWAY = "services.storage.unavailable"
IMPATIENT: dict[str, float] = {"patience_s": 3.0}


@pytest.fixture
def server(opensearch: OpenSearchServer) -> Iterator[OpenSearchServer]:
    """The server of all tests, which is well again after this one."""
    yield opensearch
    if not opensearch.is_running:
        opensearch.start()


async def back(storage: Storage, bound_s: float = 120.0) -> tuple[Written, int]:
    """The first write that is taken again, and how many were refused before."""
    ends = time.monotonic() + bound_s
    for refusals in itertools.count():
        answer = await outcome(storage.write(a_write("update", "one", {"back": True})))
        if isinstance(answer, Written):
            return answer, refusals
        assert answer.id == AWAY
        assert time.monotonic() < ends
    raise AssertionError


async def test_after_kill_9_no_acknowledged_write_is_lost(
    server: OpenSearchServer, open_store: Any
) -> None:
    storage = await open_store(**IMPATIENT)
    await storage.create_collection(*TARGET)
    await put(storage, "one", {"k": 0})
    acknowledged = [0]

    async def writing() -> None:
        for number in range(1, 100_000):
            answer = await outcome(storage.write(a_write("update", "one", {"k": number})))
            if isinstance(answer, RouterError):
                assert answer.id == AWAY
                return
            acknowledged[0] = answer.version

    task = asyncio.create_task(writing())
    while acknowledged[0] < 30:
        assert not task.done()
        await asyncio.sleep(0.01)
    server.kill()
    async with asyncio.timeout(60):
        await task
    with refused(AWAY):
        await storage.get(*TARGET, "one")
    server.start()
    written, refusals = await back(storage)
    # The one under way when it was killed may have been done, or not; so may those refused.
    assert 1 <= written.version - acknowledged[0] <= 2 + refusals
    rows = await storage.changes(0, 10_000)
    assert [row.version for row in rows] == list(range(1, written.version + 1))


async def test_a_server_that_stands_still_is_away_in_bounded_time(
    server: OpenSearchServer, open_store: Any
) -> None:
    storage = await open_store(**IMPATIENT, timeout_s=4)
    await storage.create_collection(*TARGET)
    await put(storage, "one", {})
    server.pause()
    try:
        async with asyncio.timeout(60):
            answers, *others = await asyncio.gather(
                storage.bulk([a_write("update", "one", {f"k{n}": n}) for n in range(50)]),
                outcome(storage.get(*TARGET, "one")),
                outcome(storage.refresh(*TARGET)),
            )
    finally:
        server.resume()
    assert {getattr(answer, "id", None) for answer in (*answers, *others)} == {AWAY}
    written, refusals = await back(storage)
    # All of the first request or nothing of it was done, and if so only once.
    assert any(1 <= written.version - before <= 1 + refusals for before in (1, 51))


async def test_writes_that_wait_are_bounded(server: OpenSearchServer, open_store: Any) -> None:
    storage = await open_store(writes_waiting=10)
    await storage.create_collection(*TARGET)
    await put(storage, "one", {})
    await storage.changes(0)
    answers = [storage.write(a_write("update", "one", {})) for _ in range(30)]
    outcomes = [await outcome(answer) for answer in answers]
    told = [getattr(each, "id", "") for each in outcomes]
    assert told == ["one"] * 10 + ["api.process.overloaded"] * 20


async def test_an_index_that_takes_no_writes_refuses_them_by_name(
    server: OpenSearchServer, open_store: Any
) -> None:
    storage = await open_store(**IMPATIENT)
    await storage.create_collection(*TARGET)
    await put(storage, "one", {})
    path = f"/{quote(f'&{INDEX}.{COLLECTION}', safe='')}/_settings"
    # What the server does to all indexes when its disk is full.
    server.ask("PUT", path, {"index.blocks.read_only_allow_delete": True})
    with refused(AWAY):
        await storage.write(a_write("update", "one", {}))
    assert (await storage.get(*TARGET, "one")).version == 1
    server.ask("PUT", path, {"index.blocks.read_only_allow_delete": None})
    written, _ = await back(storage)
    assert written.version == 2


async def test_a_start_waits_for_the_server(server: OpenSearchServer) -> None:
    server.kill()
    storage = OpenSearchStorage(OpenSearchSettings(nodes=server.url, start_timeout_s=300))
    opening = asyncio.create_task(storage.open())
    await asyncio.sleep(0.2)
    assert not opening.done()
    await asyncio.to_thread(server.start)
    await opening
    await storage.close()


async def test_a_start_gives_up_in_one_line(server: OpenSearchServer) -> None:
    storage = OpenSearchStorage(OpenSearchSettings(nodes="http://127.0.0.1:9", start_timeout_s=0))
    with pytest.raises(StoreOpenError, match=r"^OpenSearch \(http://127.0.0.1:9\): [^\n]+$"):
        await storage.open()


async def test_a_start_that_gives_up_tells_no_password() -> None:
    nodes = "http://ada:hush@127.0.0.1:9"
    storage = OpenSearchStorage(OpenSearchSettings(nodes=nodes, start_timeout_s=0))
    with pytest.raises(StoreOpenError, match=r"^OpenSearch \(http://[^\n]+$") as refusal:
        await storage.open()
    assert "hush" not in str(refusal.value)
