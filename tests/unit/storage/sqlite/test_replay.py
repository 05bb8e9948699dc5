"""Documents rebuilt although the feed was pruned to between a change and its whole copy."""

from __future__ import annotations

from pathlib import Path

import apsw

from router.settings import StorageSettings
from storage.replay import retold
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, a_write, put, refused


async def opened(folder: Path) -> SqliteStorage:
    storage = SqliteStorage(StorageSettings(data=folder))
    await storage.open()
    return storage


async def pruned(folder: Path, *, is_deleted: bool = False) -> SqliteStorage:
    """A store whose feed begins with the third of five updates of one document."""
    storage = await opened(folder)
    await storage.create_collection(INDEX, COLLECTION)
    await put(storage, "one", {"n": 0, "kept": True})
    for n in range(1, 6):
        await storage.write(a_write("update", "one", {"n": n}))
    if is_deleted:
        await storage.write(a_write("delete", "one"))
    await storage.close()
    connection = apsw.Connection(str(folder / FILE_NAME))
    connection.execute("DELETE FROM changes WHERE seq < 4")
    connection.close()
    return await opened(folder)


async def states(storage: SqliteStorage) -> list[object]:
    found = [retold(row, await storage.before(row)) for row in await storage.changes(3)]
    return [(each.previous or {})["n"] for _, each in found]


async def test_from_what_it_is_by_now(tmp_path: Path) -> None:
    storage = await pruned(tmp_path)
    assert await states(storage) == [2, 3, 4]
    await storage.close()


async def test_from_what_it_was_when_it_was_deleted(tmp_path: Path) -> None:
    storage = await pruned(tmp_path, is_deleted=True)
    assert await states(storage) == [2, 3, 4, 5]
    await storage.close()


async def test_not_once_its_collection_is_gone(tmp_path: Path) -> None:
    storage = await pruned(tmp_path)
    (first, *_) = await storage.changes(3)
    await storage.delete_collection(INDEX, COLLECTION)
    with refused("trivium.feed.gone"):
        await storage.before(first)
    await storage.close()
