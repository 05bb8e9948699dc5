"""A disk that fills up or fails to sync: writes fail by id, the store reopens, nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import orjson
import pytest
from structlog.testing import capture_logs

from router.errors import RouterError
from router.settings import StorageSettings
from storage.contract import Written, outcome
from storage.query import Search
from storage.sqlite.connection import FILE_NAME, Disk
from storage.sqlite.store import SqliteStorage
from tests.support.disks import SimulatedDisk
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write

REOPEN_BOUND_S = 60.0
UNEXPECTED = "services.storage.unexpected_error"


@pytest.fixture
def disk() -> Iterator[SimulatedDisk]:
    simulated = SimulatedDisk()
    yield simulated
    simulated.close()


@pytest.fixture
async def storage(disk: SimulatedDisk, tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(StorageSettings(data=tmp_path), disk=Disk(disk.name))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, {"properties": {"n": {"type": "integer"}}})
    await storage.write(a_write("create", "kept", {"n": 1}))
    yield storage
    await storage.close()


async def written_again(storage: SqliteStorage, id: str) -> Written:
    """Write until the store takes it, at most so long."""
    deadline = time.monotonic() + REOPEN_BOUND_S
    while True:
        result = await outcome(storage.write(a_write("upsert", id, {"n": 2})))
        if isinstance(result, Written):
            return result
        assert result.id == UNEXPECTED
        assert time.monotonic() < deadline, result.message
        await asyncio.sleep(0.02)


class TestAFullDisk:
    async def test_every_write_of_the_batch_fails(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        disk.is_full = True
        writes = [storage.write(a_write("create", f"a{n}", {"f": "x" * 9000})) for n in range(20)]
        outcomes = [await outcome(write) for write in writes]
        assert {each.id for each in outcomes} == {UNEXPECTED}
        assert (await storage.get(INDEX, COLLECTION, "kept")).source["n"] == 1

    async def test_writes_go_on_once_there_is_room(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        disk.is_full = True
        await outcome(storage.write(a_write("create", "lost", {"f": "x" * 90_000})))
        disk.is_full = False
        await written_again(storage, "new")
        assert (await written_again(storage, "kept")).version >= 2
        page = await storage.search([TARGET], Search())
        assert sorted(hit.id for hit in page.hits) == ["kept", "new"]

    async def test_a_change_of_the_catalog_fails_by_id(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        disk.is_full = True
        with pytest.raises(RouterError) as caught:
            await storage.create_collection(INDEX, "more")
        assert caught.value.id == UNEXPECTED
        assert not storage.has_collection(INDEX, "more")


class TestAFailedSync:
    async def test_what_was_not_acknowledged_fails_and_the_rest_is_kept(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        disk.fails_to_sync = True
        writes = [storage.write(a_write("update", "kept", {"n": n})) for n in range(5)]
        assert {(await outcome(write)).id for write in writes} == {UNEXPECTED}
        assert (await storage.get(INDEX, COLLECTION, "kept")).source["n"] == 1
        disk.fails_to_sync = False
        assert (await written_again(storage, "kept")).source["n"] == 2

    async def test_writes_are_refused_until_the_store_could_reopen(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        disk.operations_left = 0
        assert (await outcome(storage.write(a_write("update", "kept", {"n": 5})))).id == UNEXPECTED
        refused = await outcome(storage.write(a_write("update", "kept", {"n": 6})))
        assert "not open" in refused.message
        with pytest.raises(RouterError, match="not open"):
            await storage.create_index("other")
        disk.operations_left = None
        await written_again(storage, "kept")

    async def test_the_log_says_when_it_failed_and_when_it_is_back(
        self, storage: SqliteStorage, disk: SimulatedDisk
    ) -> None:
        with capture_logs() as lines:
            disk.fails_to_sync = True
            await outcome(storage.write(a_write("update", "kept", {"n": 5})))
            disk.fails_to_sync = False
            await written_again(storage, "kept")
        told = [line["event"] for line in lines]
        assert told[0].startswith("store failed")
        assert told[-1] == "store has reopened"

    async def test_what_was_acknowledged_is_there_after_a_restart(
        self, storage: SqliteStorage, disk: SimulatedDisk, tmp_path: Path
    ) -> None:
        disk.fails_to_sync = True
        await outcome(storage.write(a_write("update", "kept", {"n": 9})))
        disk.fails_to_sync = False
        written = await written_again(storage, "kept")
        await storage.close()
        assert (tmp_path / FILE_NAME).exists()
        again = SqliteStorage(StorageSettings(data=tmp_path))
        await again.open()
        assert (await again.get(INDEX, COLLECTION, "kept")).version == written.version
        assert len(await again.changes(0)) == written.version
        await again.close()


class TestAFileThatIsDamagedMeanwhile:
    async def test_writes_are_answered_until_it_is_mended(
        self, storage: SqliteStorage, disk: SimulatedDisk, tmp_path: Path
    ) -> None:
        disk.operations_left = 0
        assert isinstance(await outcome(storage.write(a_write("create", "lost"))), RouterError)
        sound = storage.mapping(INDEX, COLLECTION)
        put_mapping(tmp_path, b"{damaged")
        disk.operations_left = None
        for _ in range(3):
            await asyncio.sleep(0.3)  # past the next attempt to reopen
            result = await asyncio.wait_for(outcome(storage.write(a_write("create", "lost"))), 60)
            assert isinstance(result, RouterError)
            assert result.id == UNEXPECTED
        put_mapping(tmp_path, orjson.dumps(sound))
        assert (await written_again(storage, "kept")).version >= 2


def put_mapping(folder: Path, form: bytes) -> None:
    """Alter the file behind the store's back."""
    connection = apsw.Connection(str(folder / FILE_NAME))
    connection.set_busy_timeout(5_000)
    with connection:
        connection.execute("UPDATE collections SET mapping = ?", (form,))
    connection.close()
