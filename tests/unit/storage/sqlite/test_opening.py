"""Folders and files that a store can't be opened on: one clear line, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.contract import StoreOpenError
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.opening import LOCK_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.server import ROOT
from tests.support.stores import COLLECTION, INDEX, a_write

HOLDER = """
import asyncio, sys
from router.settings import StorageSettings
from storage.sqlite.store import SqliteStorage
async def main():
    await SqliteStorage(StorageSettings(data=sys.argv[1])).open()
    print("open", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


def store_in(folder: Path) -> SqliteStorage:
    return SqliteStorage(StorageSettings(data=folder))


async def refusal(folder: Path) -> str:
    with pytest.raises(StoreOpenError) as caught:
        await store_in(folder).open()
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


async def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    storage = store_in(tmp_path / "a" / "b")
    await storage.open()
    await storage.close()
    assert (tmp_path / "a" / "b" / FILE_NAME).exists()


async def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "can't be written to" in await refusal(tmp_path / "file")


async def test_a_lock_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    assert "can't be written to" in await refusal(tmp_path)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("a letter to grandmother, " * 200)
    assert "is not a database" in await refusal(tmp_path)
    assert (tmp_path / FILE_NAME).read_text().startswith("a letter")


async def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert "can't be opened" in await refusal(tmp_path)


async def test_a_file_that_lost_its_end(tmp_path: Path) -> None:
    storage = store_in(tmp_path)
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    await storage.bulk([a_write("create", f"a{n}", {"fill": "x" * 500}) for n in range(50)])
    await storage.close()
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole[: 3 * 4096])
    assert "is damaged" in await refusal(tmp_path)


async def test_another_process_has_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        assert f"in use by process {holder.pid}" in await refusal(tmp_path)
        holder.kill()
    storage = store_in(tmp_path)  # a dead process holds nothing
    await storage.open()
    await storage.close()


async def test_a_failed_opening_lets_go_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("no database, " * 100)
    await refusal(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    storage = store_in(tmp_path)
    await storage.open()
    await storage.close()


async def test_a_closed_store_refuses_everything(tmp_path: Path) -> None:
    storage = store_in(tmp_path)
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    await storage.close()
    await storage.close()  # closing again changes nothing
    for refused in (
        storage.write(a_write("create", "a")),
        storage.bulk([a_write("create", "a")]),
        storage.get(INDEX, COLLECTION, "a"),
        storage.create_index("b"),
    ):
        with pytest.raises(RouterError) as caught:
            await refused
        assert caught.value.id == "api.process.shutting_down"
