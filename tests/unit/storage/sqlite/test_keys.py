"""Idempotency keys in the file: how long they stay, and what a restart and a repeat find."""

from __future__ import annotations

from pathlib import Path

import apsw

from router.once import Once, Remembered
from router.settings import StorageSettings
from storage.contract import Write
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, a_write

HOUR_MS = 3_600_000


class Watch:
    """A clock that a test sets."""

    now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


async def opened(folder: Path, watch: Watch) -> SqliteStorage:
    storage = SqliteStorage(StorageSettings(data=folder), read_ms=watch, keys_kept_hours=2)
    await storage.open()
    if not storage.has_index(INDEX):
        await storage.create_collection(INDEX, COLLECTION)
    return storage


def keyed(key: str) -> Write:
    return a_write("create_or_replace", "one", {"n": 1}, once=Once(key, "f"))


async def test_a_key_is_remembered_for_its_hours_and_no_longer(tmp_path: Path) -> None:
    watch = Watch()
    storage = await opened(tmp_path, watch)
    await storage.write(keyed("old"))
    watch.now_ms += 2 * HOUR_MS
    assert (await storage.write(keyed("old"))).repeats == {"n": 1}
    watch.now_ms += 1
    assert await storage.recall("old") is None
    # Forgotten, its name is free.
    assert (await storage.write(keyed("old"))).version == 2
    await storage.close()


async def test_keys_that_are_too_old_leave_the_file(tmp_path: Path) -> None:
    watch = Watch()
    storage = await opened(tmp_path, watch)
    await storage.bulk([keyed(f"old{n}") for n in range(100)])
    watch.now_ms += 3 * HOUR_MS
    for n in range(60):
        await storage.write(keyed(f"new{n}"))
    await storage.close()
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    kept = [key for (key,) in connection.execute("SELECT key FROM keys ORDER BY number")]
    connection.close()
    assert kept == [f"new{n}" for n in range(60)]


async def test_a_restart_knows_what_was_written_and_what_was_answered(tmp_path: Path) -> None:
    watch = Watch()
    storage = await opened(tmp_path, watch)
    await storage.write(keyed("written"))
    await storage.write(keyed("answered"))
    await storage.conclude("answered", {"status": 200})
    await storage.close()
    storage = await opened(tmp_path, watch)
    assert await storage.recall("written") == Remembered("f")
    assert await storage.recall("answered") == Remembered("f", {"status": 200})
    assert (await storage.write(keyed("written"))).version == 1
    await storage.close()
