"""`trivium backup` of a router at work, and `trivium restore` of what it wrote."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.server import PROGRAM, Server, child_environment, serving
from tests.support.wires import HttpWire, WebSocketWire

ASSETS = 200


def trivium(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def asked(action: str, asset: str, **more: Any) -> dict[str, Any]:
    name = {"controller": "device-manager/asset", "action": action}
    return {**name, "index": "fleet", "_id": asset, **more}


async def fill(server: Server) -> None:
    wire = await WebSocketWire(server.port).open()
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    assert (await wire.ask(engine))["status"] == 200
    births = [
        asked("create", f"t{n}", body={"model": "T", "reference": str(n), "metadata": {"n": 0}})
        for n in range(ASSETS)
    ]
    assert {(await wire.ask(birth))["status"] for birth in births} == {200}
    await wire.close()


async def test_a_router_at_work_is_backed_up_and_brought_back(tmp_path: Path) -> None:
    file = tmp_path / "all.backup"
    acknowledged: list[int] = []
    with serving(tmp_path) as server:
        await fill(server)
        wire = await WebSocketWire(server.port).open()

        async def write_on() -> None:
            n = 0
            while not done.is_set():
                n += 1
                body = {"metadata": {"n": n}}
                assert (await wire.ask(asked("update", "t0", body=body)))["status"] == 200
                acknowledged.append(n)

        done = asyncio.Event()
        writing = asyncio.create_task(write_on())
        while len(acknowledged) < 20:
            await asyncio.sleep(0.01)
        before = acknowledged[-1]
        made = await asyncio.to_thread(
            trivium, "backup", str(file), "--data", str(server.data), folder=tmp_path
        )
        after = acknowledged[-1]
        done.set()
        await writing
        await wire.close()
    assert made.returncode == 0, made.stderr
    assert after > before, "nothing was written meanwhile"
    assert file.stat().st_mode & 0o777 == 0o600
    restored = tmp_path / "again"
    back = trivium("restore", str(file), "--data", str(restored), folder=tmp_path)
    assert back.returncode == 0, back.stderr
    with serving(tmp_path, data=restored) as server:
        http = await HttpWire(server.port).open()
        found = (await http.ask(asked("get", "t0")))["result"]
        # What was acknowledged before the start is in; the version goes with the content.
        assert before <= found["_source"]["metadata"]["n"] <= after + 1
        assert found["_version"] == found["_source"]["metadata"]["n"] + 1
        many = {"controller": "device-manager/asset", "action": "search", "index": "fleet"}
        assert (await http.ask({**many, "size": 1, "body": {}}))["result"]["total"] == ASSETS
        assert (await http.ask(asked("update", "t1", body={})))["result"]["_version"] == 2
        await http.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small store that nobody uses, and a backup of it."""
    folder = tmp_path_factory.mktemp("original")
    with serving(folder) as server:
        assert server.data == folder / "data"
    made = trivium("backup", "small.backup", "--data", "data", folder=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def backed_up(original: Path, tmp_path: Path) -> Path:
    """A backup; the data folder that it is of lies beside it."""
    return shutil.copytree(original, tmp_path / "copy") / "small.backup"


def test_a_restored_store_has_a_feed_of_its_own(backed_up: Path) -> None:
    folder = backed_up.parent
    assert trivium("restore", backed_up.name, "--data", "new", folder=folder).returncode == 0
    feeds = [
        apsw.Connection(str(folder / name / "trivium.db")).execute("SELECT id FROM feed").get
        for name in ("data", "new")
    ]
    assert feeds[0] != feeds[1]


class TestRefusals:
    """Each leaves everything as it was."""

    def refused(self, backed_up: Path, *words: str, says: str) -> None:
        ran = trivium(*words, folder=backed_up.parent)
        assert ran.returncode == 2
        assert says in ran.stderr
        assert ran.stderr.count("\n") == 1
        assert not (backed_up.parent / "new").exists()
        assert not list(backed_up.parent.glob(".*backup*"))

    def test_a_file_that_is_there(self, backed_up: Path) -> None:
        self.refused(backed_up, "backup", backed_up.name, "--data", "data", says="exists")

    def test_a_folder_without_a_store(self, backed_up: Path) -> None:
        self.refused(backed_up, "backup", "x", "--data", "nowhere", says="no store")

    def test_a_folder_that_is_in_use(self, backed_up: Path) -> None:
        self.refused(backed_up, "restore", backed_up.name, "--data", "data", says="isn't empty")

    def test_a_file_that_is_no_backup(self, backed_up: Path) -> None:
        (backed_up.parent / "text").write_text("no")
        self.refused(backed_up, "restore", "text", "--data", "new", says="can't be restored")
        other = backed_up.parent / "other"
        with tarfile.open(other, "w:gz") as archive:
            archive.add(backed_up, "a")
        self.refused(backed_up, "restore", "other", "--data", "new", says="no backup")

    @pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
    def test_a_file_that_is_cut(self, backed_up: Path, at: float) -> None:
        whole = backed_up.read_bytes()
        backed_up.write_bytes(whole[: int(len(whole) * at)])
        self.refused(backed_up, "restore", backed_up.name, "--data", "new", says=backed_up.name)

    def test_a_file_whose_content_was_changed(self, backed_up: Path, tmp_path: Path) -> None:
        spoilt = backed_up.parent / "spoilt"
        shutil.copy(backed_up, spoilt)
        members = {}
        with tarfile.open(backed_up) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                members[member.name] = file.read()
        with tarfile.open(spoilt, "w:gz") as archive:
            for name, content in members.items():
                path = tmp_path / "member"
                path.write_bytes(content[:-1] + b"x" if name.endswith(".db") else content)
                archive.add(path, name)
        self.refused(backed_up, "restore", "spoilt", "--data", "new", says="damaged")
