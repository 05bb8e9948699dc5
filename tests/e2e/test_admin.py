"""`trivium admin create` and `trivium keys rotate`, as an operator types them."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from access.users import NewUser
from storage.contract import Author
from tests.support.people import login, settings
from tests.support.program import trivium
from tests.support.server import child_environment
from tests.support.wires import HttpWire
from trivium import App
from trivium.server import Server, running

PASSWORD = "a long password"
ROOT = {"username": "root", "password": PASSWORD}
NOW = {"controller": "server", "action": "now"}


def serving(data: Path) -> Any:
    return running(App(), settings(**{"storage.data": data}))


async def ask(server: Server, payload: dict[str, Any]) -> dict[str, Any]:
    wire = await HttpWire(server.port, routes=False).open()
    try:
        return await wire.ask(payload)
    finally:
        await wire.close()


class TestAdmin:
    async def test_afterwards_the_router_asks_who_one_is(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        made = trivium("admin", "create", "root", "--data", str(data), stdin=f"{PASSWORD}\n")
        assert made.returncode == 0, made.stderr
        assert PASSWORD not in made.stdout + made.stderr
        async with serving(data) as server:
            assert (await ask(server, NOW))["error"]["id"] == "security.rights.unauthorized"
            token = (await ask(server, login(ROOT)))["result"]
            assert token["_id"] == "root"
            assert (await ask(server, {**NOW, "jwt": token["jwt"]}))["status"] == 200
            in_use = trivium("admin", "create", "x", "--data", str(data), stdin=f"{PASSWORD}\n")
            assert in_use.returncode == 2
            assert len(in_use.stderr.splitlines()) == 1

    def test_there_is_one_first_administrator(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(f"{PASSWORD}\nmore\n")
        command = ("admin", "create", "root", "--password-file", str(file), "--data")
        assert trivium(*command, str(tmp_path / "data")).returncode == 0
        again = trivium(*command, str(tmp_path / "data"))
        assert again.returncode == 2
        assert again.stderr == "trivium: there is an administrator already\n"

    @pytest.mark.parametrize("stdin", ["", "\n", "short\n"])
    def test_a_password_that_is_too_short_leaves_nothing_behind(
        self, tmp_path: Path, stdin: str
    ) -> None:
        data = tmp_path / "data"
        refused = trivium("admin", "create", "root", "--data", str(data), stdin=stdin)
        assert (refused.returncode, data.exists()) == (2, False)
        assert "8 characters" in refused.stderr

    def test_a_password_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        refused = trivium("admin", "create", "root", "--password-file", "nowhere", folder=tmp_path)
        assert refused.returncode == 2
        assert "nowhere" in refused.stderr

    def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(self, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "trivium", "admin", "create", "root", "--data", str(tmp_path)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=child_environment(None),
            start_new_session=True,
        )
        os.close(theirs)
        shown = b""
        for prompt in (b"Password: ", b"Once more: "):
            while prompt not in shown:
                shown += os.read(ours, 1_024)
            os.write(ours, f"{PASSWORD}\n".encode())
        assert process.wait(120) == 0
        os.close(ours)
        assert PASSWORD.encode() not in shown


class TestKeys:
    async def test_tokens_from_before_go_on(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as server:
            keys = server.core.entrance.papers.tokens
            await server.core.register.users.create(admin(), as_first_admin=True)
            old = await keys.issue("root", 3_600_000)
            rotated = trivium("keys", "rotate", "--data", str(tmp_path))
            assert rotated.returncode == 0, rotated.stderr
            assert "2 keys verify" in rotated.stdout
            new = await keys.issue("root", 3_600_000)
            assert new.text.split(".")[0] != old.text.split(".")[0]
        async with serving(tmp_path) as server:
            for token in (old, new):
                assert (await ask(server, {**NOW, "jwt": token.text}))["status"] == 200

    def test_the_file_is_the_owners(self, tmp_path: Path) -> None:
        assert trivium("keys", "rotate", "--data", str(tmp_path)).returncode == 0
        file = tmp_path / "private" / "keys.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        secrets = [key["secret"] for key in json.loads(file.read_text())["keys"].values()]
        assert len(secrets) == 2


def admin() -> NewUser:
    return NewUser("root", {"profileIds": ["admin"]}, {}, Author())
