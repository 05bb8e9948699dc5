"""`trivium migrate`: there and back, cut and resumed, and what it refuses."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from router.settings import StorageSettings
from storage.sqlite.store import SqliteStorage
from storage.transfer import Total, total
from tests.support.program import trivium
from tests.support.server import child_environment, serving
from tests.support.stores import COLLECTION, INDEX, a_write

T = TypeVar("T")

MANY = 6_000
LOADED = f"/@%26{INDEX}.{COLLECTION}"


async def _fill(store: SqliteStorage, count: int) -> None:
    await store.create_collection(INDEX, COLLECTION, {"properties": {"n": {"type": "integer"}}})
    for start in range(0, count, 2_000):
        some = range(start, min(count, start + 2_000))
        await store.bulk([a_write("create", f"truck-{n}", {"n": n}) for n in some])
    await store.write(a_write("update", "truck-1", {"n": -1}))


def within(folder: Path, work: Callable[[SqliteStorage], Awaitable[T]]) -> T:
    """What comes of work on the store of a folder, which is closed again afterwards."""

    async def run() -> T:
        store = SqliteStorage(StorageSettings(data=folder))
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def filled(folder: Path, count: int) -> str:
    """A store with so many documents, as the command line names it."""
    within(folder, lambda store: _fill(store, count))
    return f"sqlite:{folder}"


def holds(folder: Path) -> Total:
    return within(folder, total)


def test_a_store_is_brought_into_an_empty_one(tmp_path):
    done = trivium("migrate", filled(tmp_path / "a", 1_200), f"sqlite:{tmp_path / 'b'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1200 documents are in sqlite:")
    assert holds(tmp_path / "a") == holds(tmp_path / "b")


def test_users_and_rights_come_along(tmp_path):
    source, target = filled(tmp_path / "a", 3), tmp_path / "b"
    filled(tmp_path / "a" / "private", 2)
    done = trivium("migrate", source, f"sqlite:{target}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "2 of users, rights and tokens came with them"
    assert holds(tmp_path / "a" / "private") == holds(target / "private")
    assert (target / "private").stat().st_mode & 0o077 == 0


def test_a_target_that_has_only_users_is_refused_before_anything_is_copied(tmp_path):
    source, target = filled(tmp_path / "a", 3), tmp_path / "b"
    filled(target / "private", 2)
    refused = trivium("migrate", source, f"sqlite:{target}")
    assert refused.returncode == 1
    assert refused.stderr.startswith("[X] the target is not empty")
    assert holds(target).documents == 0


def test_a_target_with_documents_is_refused(tmp_path):
    source, target = filled(tmp_path / "a", 3), filled(tmp_path / "b", 2)
    before = holds(tmp_path / "b")
    refused = trivium("migrate", source, target)
    assert refused.returncode == 1
    assert refused.stderr.startswith("[X] the target is not empty")
    assert len(refused.stderr.splitlines()) == 1
    assert holds(tmp_path / "b") == before


def test_a_difference_is_told_when_resuming_into_another_store(tmp_path):
    source, target = filled(tmp_path / "a", 3), filled(tmp_path / "b", 2)
    told = trivium("migrate", source, target, "--resume")
    assert told.returncode == 1
    assert told.stderr.startswith("[X] the stores differ")


def test_a_source_that_a_router_has_open_is_refused(tmp_path):
    with serving(tmp_path):
        refused = trivium("migrate", f"sqlite:{tmp_path / 'data'}", f"sqlite:{tmp_path / 'b'}")
    assert refused.returncode == 1
    assert "is in use by process" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("source", ["mongo:x", "sqlite:", "sqlite:nowhere", "sqlite:b"])
def test_places_that_make_no_sense_are_refused(tmp_path, source):
    refused = trivium("migrate", source, "sqlite:b", folder=tmp_path)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.needs("opensearch")
class TestOpenSearch:
    def test_there_and_back_is_the_same(self, tmp_path, opensearch):
        opensearch.wipe()
        source, there = filled(tmp_path / "a", 1_200), f"opensearch:{opensearch.url}"
        for places in ((source, there), (there, f"sqlite:{tmp_path / 'b'}")):
            done = trivium("migrate", *places)
            assert done.returncode == 0, done.stderr
        assert holds(tmp_path / "a") == holds(tmp_path / "b")

    def test_a_migration_that_was_killed_goes_on(self, tmp_path, opensearch):
        opensearch.wipe()
        source, there = filled(tmp_path / "a", MANY), f"opensearch:{opensearch.url}"
        with subprocess.Popen(
            [sys.executable, "-m", "trivium", "migrate", source, there], env=child_environment()
        ) as process:
            try:
                wait_for_documents(opensearch)
            finally:
                process.kill()
        assert process.returncode == -9
        assert trivium("migrate", source, there).returncode == 1
        resumed = trivium("migrate", source, there, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout.startswith(f"{MANY} documents are in")


def wait_for_documents(opensearch) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if opensearch.get(LOADED) is not None:
            opensearch.ask("POST", f"{LOADED}/_refresh")
            if opensearch.get(f"{LOADED}/_count")["count"]:
                return
        time.sleep(0.01)
    raise AssertionError("no document has come")
