"""`trivium doctor` and `trivium config` say what is wrong, in one line each."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.e2e.test_backup import trivium
from tests.support.ports import lasting_port
from tests.support.server import serving


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that nobody uses."""
    folder = tmp_path_factory.mktemp("original")
    with serving(folder):
        pass
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """The same, with settings whose port is free."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    (tmp_path / "trivium.toml").write_text(f"[server]\nport = {lasting_port()}\n")
    return tmp_path


def lines(folder: Path, *, code: int = 0) -> list[str]:
    ran = trivium("doctor", folder=folder)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


def test_a_healthy_one(folder: Path) -> None:
    told = lines(folder)
    assert all(line.startswith("ok") for line in told), told
    assert any("documents in" in line for line in told)


def test_a_router_that_runs(folder: Path) -> None:
    with serving(folder, data=folder / "data", arguments=["--config", "trivium.toml"]) as server:
        (folder / "trivium.toml").write_text(f"[server]\nport = {server.port}\n")
        assert any("is ready" in line for line in lines(folder))


def test_a_port_that_another_program_has(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (folder / "trivium.toml").write_text(f"[server]\nport = {port}\n")
        (bad,) = [line for line in lines(folder, code=1) if line.startswith("BAD")]
    assert "another program has it" in bad


def test_a_damaged_store(folder: Path) -> None:
    path = folder / "data" / "trivium.db"
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)
    path.write_bytes(content)
    (bad,) = [line for line in lines(folder, code=1) if line.startswith("BAD")]
    assert "trivium restore" in bad


def test_a_private_folder_that_others_may_look_into(folder: Path) -> None:
    (folder / "data" / "private").chmod(0o755)
    (bad,) = [line for line in lines(folder, code=1) if line.startswith("BAD")]
    assert "chmod 700" in bad


def test_a_setting_that_is_wrong(folder: Path) -> None:
    (folder / "trivium.toml").write_text("[server]\nprot = 1\n")
    assert "server.prot" in lines(folder, code=1)[0]
    ran = trivium("config", "check", folder=folder)
    assert (ran.returncode, "server.prot" in ran.stderr) == (2, True)


def test_the_settings_in_force_hide_their_secrets(folder: Path) -> None:
    (folder / "trivium.toml").write_text('[opensearch]\npassword = "hush-hush"\n')
    assert trivium("config", "check", folder=folder).returncode == 0
    told = trivium("config", "show", folder=folder).stdout
    assert "hush-hush" not in told
    assert 'password = "(set, not shown)"' in told


class Closed(BaseHTTPRequestHandler):
    """A cluster that is well, for those who name themselves."""

    def do_GET(self) -> None:
        given = self.headers["authorization"] == f"Basic {b64encode(b'ada:hush@home').decode()}"
        self.send_response(200 if given else 401)
        self.end_headers()
        self.wfile.write(b'{"status": "green"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def closed() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Closed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("way", ["url", "settings"])
def test_a_cluster_is_asked_with_the_password_which_is_not_told(
    way: str, closed: int, folder: Path
) -> None:
    more = 'username = "ada"\npassword = "hush@home"\n' if way == "settings" else ""
    user = "" if more else "ada:hush@home@"
    chosen = f'[opensearch]\nnodes = "http://{user}127.0.0.1:{closed}"\n{more}'
    with (folder / "trivium.toml").open("a") as file:
        file.write(f'[storage]\nengine = "opensearch"\n{chosen}')
    (told,) = [line for line in lines(folder) if "OpenSearch" in line]
    assert told.endswith("its health is green")
    assert not {"hush", "home"} & set(re.findall("[a-z]+", told))


def test_a_schema_that_will_be_upgraded(folder: Path) -> None:
    import apsw  # noqa: PLC0415

    connection = apsw.Connection(str(folder / "data" / "trivium.db"))
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    assert any(line.startswith("look") and "schema" in line for line in lines(folder))
