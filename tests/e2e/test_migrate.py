"""`trivium migrate`: there and back, cut and resumed, and what it refuses."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TypeVar

import pytest

from router.settings import StorageSettings
from storage.sqlite.store import SqliteStorage
from storage.transfer import Total, total
from tests.e2e.test_several_routers_users import ROOT, a_user, ask, asked, log_in, result
from tests.support.program import trivium
from tests.support.server import child_environment, serving
from tests.support.stores import COLLECTION, INDEX, a_write

T = TypeVar("T")

MANY = 6_000
KEYS = Path("private") / "keys.json"
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


def key_file(path: Path) -> dict[str, str]:
    """Settings that name the file of the signing keys."""
    return {"TRIVIUM__ACCESS__KEY_FILE": str(path)}


def logged_in(folder: Path, data: Path) -> str:
    """The token of an administrator, made on a store that had none."""
    with serving(folder, data=data) as server:
        result(server, "security:createFirstAdmin", a_user(ROOT), _id="root")
        return log_in(server, ROOT)


def speaks_for(folder: Path, data: Path, token: str, **environment: str) -> object:
    """Whom a router on that store takes the bearer of the token for; None for nobody."""
    with serving(folder, data=data, environment=environment) as server:
        answer = ask(server, asked("auth:getCurrentUser"), token)
    return answer["result"] and answer["result"]["_id"]


async def the_key_document(store: SqliteStorage) -> object:
    return (await store.mget("kuzzle", "config", ["trivium.keys"]))[0]


async def the_feed(store: SqliteStorage) -> str:
    return str(await store.changes(0, 10_000))


def secrets_of(data: Path) -> set[str]:
    keys = json.loads((data / KEYS).read_bytes())["keys"]
    return {key["secret"] for key in keys.values()}


def assert_no_secrets(done: CompletedProcess[str], secrets: set[str]) -> None:
    assert secrets
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]


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


def test_tokens_from_before_are_valid_afterwards(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    token = logged_in(tmp_path, source)
    done = trivium("migrate", f"sqlite:{source}", f"sqlite:{target}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == "1 signing key came with them: tokens stay valid"
    assert_no_secrets(done, secrets_of(source))
    assert (target / KEYS).stat().st_mode & 0o077 == 0
    assert speaks_for(tmp_path, target, token) == "root"
    assert secrets_of(target) == secrets_of(source)


def test_keys_of_a_file_of_the_settings_stay_where_they_are(tmp_path):
    file = tmp_path / "keys.json"
    assert trivium("keys", "rotate", folder=tmp_path, environment=key_file(file)).returncode == 0
    before = file.read_bytes()
    source, target = filled(tmp_path / "a", 3), f"sqlite:{tmp_path / 'b'}"
    done = trivium("migrate", source, target, environment=key_file(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == f"signing keys stay in {file}, as the settings say"
    assert file.read_bytes() == before
    assert not (tmp_path / "b" / KEYS).exists()


def test_without_keys_none_are_made(tmp_path):
    done = trivium("migrate", filled(tmp_path / "a", 3), f"sqlite:{tmp_path / 'b'}")
    assert len(done.stdout.splitlines()) == 2
    assert not (tmp_path / "a" / KEYS).exists()
    assert not (tmp_path / "b" / KEYS).exists()


def test_keys_that_cannot_be_read_are_named(tmp_path):
    source = filled(tmp_path / "a", 3)
    (tmp_path / "a" / "private").mkdir()
    (tmp_path / "a" / KEYS).write_text("{}")
    refused = trivium("migrate", source, f"sqlite:{tmp_path / 'b'}")
    assert refused.returncode == 1
    assert f"the signing keys in {tmp_path / 'a' / KEYS} can't be used" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


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

    def test_tokens_are_valid_there_and_back(self, tmp_path, opensearch):
        opensearch.wipe()
        first, last, there = tmp_path / "a", tmp_path / "b", f"opensearch:{opensearch.url}"
        token = logged_in(tmp_path, first)
        on_opensearch = {
            "TRIVIUM__STORAGE__ENGINE": "opensearch",
            "TRIVIUM__OPENSEARCH__NODES": opensearch.url,
        }
        for _ in range(2):  # the second time nothing is left to do
            done = trivium("migrate", f"sqlite:{first}", there, "--resume")
            assert done.returncode == 0, done.stderr
            assert_no_secrets(done, secrets_of(first))
        assert speaks_for(tmp_path, tmp_path / "beside", token, **on_opensearch) == "root"
        rotated = trivium("keys", "rotate", folder=tmp_path, environment=on_opensearch)
        assert rotated.returncode == 0, rotated.stderr
        done = trivium("migrate", there, f"sqlite:{last}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[2] == "2 signing keys came with them: tokens stay valid"
        assert_no_secrets(done, secrets_of(last))
        assert secrets_of(last) > secrets_of(first)
        # Where they are in a file, no document has them.
        assert within(last / "private", the_key_document) is None
        rows = within(last / "private", the_feed)
        assert "trivium.keys" in rows
        assert not [secret for secret in secrets_of(last) if secret in rows]
        assert speaks_for(tmp_path, last, token) == "root"

    def test_a_migration_that_was_killed_goes_on(self, tmp_path, opensearch):
        source, there = filled(tmp_path / "a", MANY), f"opensearch:{opensearch.url}"
        # On a busy machine it may be done before the kill.
        assert any(is_killed_on_the_way(source, opensearch) for _ in range(10))
        assert trivium("migrate", source, there).returncode == 1
        resumed = trivium("migrate", source, there, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout.startswith(f"{MANY} documents are in")


def is_killed_on_the_way(source: str, opensearch) -> bool:
    """Whether a migration into the empty server was killed before its end."""
    opensearch.wipe()
    command = [sys.executable, "-m", "trivium", "migrate", source, f"opensearch:{opensearch.url}"]
    with subprocess.Popen(command, env=child_environment()) as process:
        try:
            wait_for_documents(opensearch)
        finally:
            process.kill()
    return process.returncode == -9


def wait_for_documents(opensearch) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if opensearch.get(LOADED) is not None:
            opensearch.ask("POST", f"{LOADED}/_refresh")
            if opensearch.get(f"{LOADED}/_count")["count"]:
                return
        time.sleep(0.01)
    raise AssertionError("no document has come")
