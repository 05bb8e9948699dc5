"""A store's file, copied while it is open, checked, looked at, and made another."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.settings import StorageSettings
from storage.contract import StoreOpenError
from storage.sqlite.backups import become_another, check, copy
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.inspection import facts, library_version
from storage.sqlite.schema import CURRENT
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, put


async def test_a_copy_of_an_open_store_is_a_store_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copied = tmp_path / "copy" / FILE_NAME
    storage = SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    await put(storage, "one", {"size": 1})
    pages: list[tuple[int, int]] = []
    copy(tmp_path / FILE_NAME, copied, lambda done, all_: pages.append((done, all_)))
    feed = storage.feed
    await storage.close()
    assert pages[-1][0] == pages[-1][1] > 0
    assert check(copied) is None
    become_another(copied)
    again = SqliteStorage(StorageSettings(data=copied.parent))
    await again.open()
    assert again.feed != feed
    assert (await again.get(*TARGET, "one")).source["size"] == 1
    await again.close()


async def test_a_store_at_a_glance(tmp_path: Path) -> None:
    storage = SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    for name in ("one", "two"):
        await put(storage, name, {})
    known = facts(tmp_path / FILE_NAME)
    await storage.close()
    assert (known.schema, known.newest_schema) == (CURRENT, CURRENT)
    assert (known.indexes, known.collections, known.documents) == (1, 1, 2)
    assert known.feed_rows == 2
    assert 0 <= known.feed_hours < 1
    assert known.file_bytes > 0
    assert library_version()[0] == "3"


def test_what_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "text"
    fault = check(path)
    assert fault is not None
    assert "can't be read" in fault.said
    path.write_text("no database, but as long as a header of one would be" * 20)
    assert check(path)
    with pytest.raises(StoreOpenError):
        facts(path)
    with pytest.raises(StoreOpenError):
        copy(path, tmp_path / "copy")
    with pytest.raises(StoreOpenError):
        become_another(path)
