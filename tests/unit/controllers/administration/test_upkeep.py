"""admin: what is done once at a time, what dumps hold, what caches are read anew."""

from __future__ import annotations

import asyncio
import json
import linecache
import stat
from pathlib import Path
from typing import Any

import pytest

from access.places import INDEX, USERS
from router.errors import RouterError
from router.settings import Settings, load
from storage.contract import Write
from tests.support.inprocess import in_process
from tests.support.people import add_user
from tests.support.requests import request
from trivium import App
from trivium.server import Server, running

LOCKED = "api.process.action_locked"


def settings(folder: Path, **more: object) -> Settings:
    chosen = {"server.port": 0, "mqtt.port": 0, "storage.data": folder, **more}
    return load(None, {}, chosen)


async def ask(server: Server, name: str, **arguments: object) -> Any:
    return await server.core.router.dispatch(request(f"admin:{name}", **arguments))


def dumps(folder: Path) -> list[Path]:
    return sorted((folder / "dumps").iterdir())


@pytest.mark.parametrize("name", ["resetDatabase", "resetSecurity", "dump"])
async def test_it_runs_once_at_a_time(name: str, tmp_path: Path) -> None:
    async with running(App(), settings(tmp_path)) as server:
        answers = await asyncio.gather(ask(server, name), ask(server, name))
        assert sorted(answer.status for answer in answers) == [200, 412]
        (refused,) = [answer.error for answer in answers if answer.error]
        assert refused["id"] == LOCKED
        # Whoever comes later is let in again.
        assert (await ask(server, name)).status == 200


async def test_a_dump_tells_what_is_being_done_and_no_secret(tmp_path: Path) -> None:
    chosen = settings(tmp_path, **{"opensearch.password": "planted-secret"})
    async with running(App(), chosen) as server:
        linecache.clearcache()
        assert (await ask(server, "dump", suffix="why_not-1")).result == {"acknowledge": True}
        # Others aren't kept waiting while source files are read.
        assert not any(name.endswith("upkeep.py") for name in linecache.cache)
        (path,) = dumps(tmp_path)
    assert path.name.endswith("-why_not-1.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "planted-secret" not in text
    told = json.loads(text)
    assert told["settings"]["opensearch"]["password"] == "(set, not shown)"
    assert told["statistics"][0]["ongoingRequests"] == {"websocket": 1}
    assert any("upkeep.py" in line for task in told["tasks"] for line in task["stack"])
    assert any(thread["name"] == "MainThread" for thread in told["threads"])


async def test_only_the_newest_dumps_are_kept(tmp_path: Path) -> None:
    async with running(App(), settings(tmp_path, **{"dump.kept": 2})) as server:
        for number in range(4):
            assert (await ask(server, "dump", suffix=f"n{number}")).status == 200
    assert [path.stem.rpartition("-")[2] for path in dumps(tmp_path)] == ["n2", "n3"]


async def test_a_folder_that_takes_no_dump_is_said(tmp_path: Path) -> None:
    (tmp_path / "dumps").write_text("a file")
    async with running(App(), settings(tmp_path)) as server:
        answer = await ask(server, "dump")
    assert answer.error is not None
    assert answer.error["id"] == "core.fatal.service_unavailable"


@pytest.mark.parametrize("suffix", ["../x", "/etc/x", "", ".", "a b", "a" * 65, "ä"])
async def test_a_suffix_names_no_other_folder(suffix: str, tmp_path: Path) -> None:
    async with running(App(), settings(tmp_path)) as server:
        answer = await ask(server, "dump", suffix=suffix)
        made = list((tmp_path / "dumps").glob("**/*")) if suffix else []
    assert (answer.status == 200) is (suffix == "")
    assert made == []


async def test_a_reset_of_caches_reads_anew_what_was_changed_behind_the_router(
    tmp_path: Path,
) -> None:
    async with running(App(), settings(tmp_path)) as server:
        core = server.core
        await add_user(core, "ada", {"username": "ada", "password": "a long password"}, "default")
        account = await core.register.directory.account("ada")
        assert account is not None
        assert account.profile_ids == ("default",)
        changes: Any = {"profileIds": ["admin"]}
        write = Write(verb="update", index=INDEX, collection=USERS, id="ada", content=changes)
        await core.private.write(write)
        token = await core.entrance.papers.tokens.issue("ada", 60_000)
        assert (await ask(server, "resetCache", database="internalCache")).status == 200
        account = await core.register.directory.account("ada")
        assert account is not None
        assert account.profile_ids == ("admin",)
        # A login goes on.
        assert await core.entrance.papers.tokens.verify(token.text) is not None


async def test_the_second_who_asks_for_the_end_is_told_that_it_is_near(tmp_path: Path) -> None:
    async with running(App(), settings(tmp_path)) as server:
        assert (await ask(server, "shutdown")).result == {"acknowledge": True}
        assert server.core.leaving.is_set()
        again = await ask(server, "shutdown")
        assert again.error is not None
        assert again.error["id"] == LOCKED


async def test_an_index_that_somebody_else_deletes_meanwhile_is_no_fault() -> None:
    async with in_process() as router:
        await router.result("index:create", index="one")
        storage, listed = router.storage, router.storage.indexes
        storage.indexes = lambda: [*listed(), "gone"]
        assert await router.result("admin:resetDatabase") == {"acknowledge": True}
        storage.indexes = listed
        assert storage.indexes() == ["device-manager"]
        with pytest.raises(RouterError):
            await storage.delete_index("one")
