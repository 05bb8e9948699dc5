"""A full disk, and files that are locked, foreign or damaged: told clearly, nothing is lost.

`trivium doctor` finds each of them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from storage.sqlite.schema import CURRENT
from tests.fixtures.make import ask
from tests.support.program import trivium
from tests.support.server import Server, serving
from trivium.cli.doctor import examine

PLACE = {"index": "lab", "collection": "things"}
UNEXPECTED = "services.storage.unexpected_error"


def diagnosis(data: Path) -> str:
    """What doctor calls bad about a folder."""
    found = [it for it in examine(None, data) if it.verdict == "bad" and "port" not in it.about]
    return "\n".join(f"{it.about}: {it.said}" for it in found)


def prepare(server: Server, count: int) -> None:
    assert ask(server, None, "index:create", index="lab")["status"] == 200
    assert ask(server, None, "collection:create", **PLACE)["status"] == 200
    for n in range(count):
        assert create(server, f"d{n}")["status"] == 200


def create(server: Server, id: str, size: int = 3_000) -> Any:
    return ask(server, None, "document:create", {"text": "x" * size}, **PLACE, _id=id)


def get(server: Server, id: str) -> Any:
    return ask(server, None, "document:get", **PLACE, _id=id)


def refusal_to_start(folder: Path) -> str:
    ran = trivium("serve", "--port", "0", "--mqtt-port", "0", "--data", "data", folder=folder)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("\n") == 1
    return ran.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 5 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system (test_disk_failures needs none)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def enlarge(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)


class TestAFullDisk:
    def test_refuses_writes_until_there_is_room(self, small_disk: Path, tmp_path: Path) -> None:
        with serving(tmp_path, data=small_disk / "data") as server:
            prepare(server, 1)
            acknowledged = 1
            while (answer := create(server, f"d{acknowledged}", 50_000))["status"] == 200:
                acknowledged += 1
            assert acknowledged < 100
            assert answer["error"]["id"] == UNEXPECTED
            assert "disk is full" in answer["error"]["message"]
            assert "a full disk refuses every write" in diagnosis(small_disk / "data")
            # All that reads goes on.
            assert get(server, "d0")["status"] == 200
            assert ask(server, None, "document:search", {}, **PLACE)["status"] == 200
            assert ask(server, None, "server:now")["status"] == 200
            enlarge(small_disk)
            later = [create(server, f"later{n}")["status"] for n in range(5)]
            assert later[-1] == 200
            asked = {"ids": [f"d{n}" for n in range(acknowledged)]}
            assert not ask(server, None, "document:mGet", asked, **PLACE)["result"]["errors"]
        with serving(tmp_path, data=small_disk / "data") as server:
            count = ask(server, None, "document:count", {}, **PLACE)["result"]["count"]
            # The one that was refused may be there: it was never denied, only not promised.
            assert acknowledged + later.count(200) <= count <= acknowledged + 6

    def test_stops_an_import_which_goes_on_once_there_is_room(
        self, small_disk: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "many.jsonl"
        lines = [json.dumps({"_id": f"i{n}", "text": "x" * 3_000}) for n in range(1_500)]
        file.write_text("\n".join([*lines[:700], "broken", *lines[700:]]))
        with serving(tmp_path, data=small_disk / "data") as server:
            prepare(server, 0)
            run = ("import", str(file), "-i", "lab", "-c", "things", "--port", str(server.port))
            stopped = trivium(*run)
            assert stopped.returncode == 1
            assert "[X] " in stopped.stderr
            assert "disk is full" in stopped.stderr
            assert "the same command goes on at line" in stopped.stderr
            enlarge(small_disk)
            create(server, "wakes")
            done = trivium(*run)
            assert done.stdout == "1500 documents are in lab/things, 1 lines were refused\n"
            assert f"{file}:701: is not JSON" in done.stderr + stopped.stderr
            found = ask(
                server, None, "document:mGet", {"ids": [f"i{n}" for n in range(1_500)]}, **PLACE
            )
            assert {each["_version"] for each in found["result"]["successes"]} == {1}
            assert not found["result"]["errors"]


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Another program is in the middle of a transaction."""
    other = apsw.Connection(str(data / "trivium.db"))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close(force=True)


class TestALockedFile:
    def test_refuses_writes_for_as_long_as_it_lasts(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            prepare(server, 2)
            with locked(server.data):
                answer = create(server, "while")
                assert answer["error"]["id"] == UNEXPECTED
                assert "locked" in answer["error"]["message"]
                assert get(server, "d1")["status"] == 200
                assert "another program has locked it; stop that" in diagnosis(server.data)
            statuses = [create(server, f"after{n}")["status"] for n in range(5)]
            assert statuses[-1] == 200
            assert not diagnosis(server.data)
            assert get(server, "d0")["status"] == 200

    def test_is_told_at_the_start(self, tmp_path: Path) -> None:
        with serving(tmp_path):
            pass
        connection = apsw.Connection(str(tmp_path / "data" / "trivium.db"))
        connection.execute("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").fetchall()
        try:
            assert "database is locked" in refusal_to_start(tmp_path)
            assert "another program has locked it" in diagnosis(tmp_path / "data")
        finally:
            connection.close(force=True)
        with serving(tmp_path):
            pass


class TestAForeignFile:
    @pytest.mark.parametrize("number", [0, CURRENT])
    def test_is_told_at_the_start_and_left_alone(self, number: int, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        connection = apsw.Connection(str(data / "trivium.db"))
        connection.execute(f"CREATE TABLE theirs (a); PRAGMA user_version = {number}")
        connection.close()
        before = (data / "trivium.db").read_bytes()
        assert "is a database of another program" in refusal_to_start(tmp_path)
        assert "a database of another program; move it away" in diagnosis(data)
        kept = apsw.Connection(str(data / "trivium.db"))
        assert kept.execute("SELECT count(*) FROM theirs").get == 0
        kept.close()
        assert (data / "trivium.db").read_bytes()[100:] == before[100:]

    def test_that_is_no_database_is_told(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        (data / "trivium.db").write_text("a letter to grandmother, " * 200)
        assert "is not a database" in refusal_to_start(tmp_path)
        assert "it is not a database; move it away" in diagnosis(data)
        assert (data / "trivium.db").read_text().startswith("a letter")


class TestADamagedFile:
    def test_fails_what_touches_the_damage_and_serves_the_rest(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            prepare(server, 60)
        pages = damage(tmp_path / "data" / "trivium.db")
        assert pages > 5
        assert "it is damaged" in diagnosis(tmp_path / "data")
        assert "trivium restore" in diagnosis(tmp_path / "data")
        with serving(tmp_path) as server:
            answers = [get(server, f"d{n}") for n in range(60)]
            good = [answer for answer in answers if answer["status"] == 200]
            bad = [answer for answer in answers if answer["status"] != 200]
            assert good
            assert bad
            assert {answer["error"]["id"] for answer in bad} == {UNEXPECTED}
            assert all("Traceback" not in str(answer) for answer in bad)
            assert ask(server, None, "server:now")["status"] == 200
            assert ask(server, None, "collection:list", index="lab")["status"] == 200


def damage(path: Path) -> int:
    """Overwrite every other page of the things, not those that lead to them; how many."""
    connection = apsw.Connection(str(path))
    number = connection.execute("SELECT number FROM collections WHERE name = 'things'").get
    leaves = connection.execute(
        "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno",
        (f"documents_{number}",),
    ).fetchall()
    connection.close()
    content = bytearray(path.read_bytes())
    for (number,) in leaves[::2]:
        content[(number - 1) * 4_096 : number * 4_096] = b"\xff" * 4_096
    path.write_bytes(content)
    return len(leaves[::2])
