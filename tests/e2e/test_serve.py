"""`trivium serve`: how it starts, how it refuses to, how it stops."""

import json
import os
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from tests.support.cpu import cpu_seconds, libraries_alone
from tests.support.program import trivium
from tests.support.server import Server, serving

BOUND_S = 60.0

SLOW_APP = """
import asyncio
from pathlib import Path
from trivium import App

app = App()
FOLDER = Path(__file__).parent

async def wait(request):
    (FOLDER / "begun").touch()
    while not (FOLDER / "go").exists():
        await asyncio.sleep(0.005)
    return {"finished": True}

app.controller.register("slow", {"wait": wait})
"""


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def slow(tmp_path, request) -> Iterator[Server]:
    """One that gives requests at work that many seconds when it stops."""
    app = tmp_path / "slow.py"
    app.write_text(SLOW_APP)
    bound = {"TRIVIUM__SERVER__STOP_TIMEOUT_S": str(getattr(request, "param", 10 * BOUND_S))}
    with serving(tmp_path, app=app, environment=bound) as server:
        yield server


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=BOUND_S) as answer:
        return json.load(answer)


def wait_for(condition: Callable[[], bool], bound_s: float = BOUND_S) -> None:
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def is_stopping(server: Server) -> bool:
    return any(line["event"] == "stopping" for line in server.lines())


class TestStart:
    def test_in_an_empty_folder_it_serves_and_keeps_its_data_there(self, tmp_path):
        with serving(tmp_path) as server:
            assert get(f"{server.url}/_ready")["status"] == 200
            assert get(f"{server.url}/_now")["result"]["now"] > 1_700_000_000_000
        assert (tmp_path / "data").is_dir()

    def test_what_was_stored_is_there_after_a_restart(self, tmp_path):
        with serving(tmp_path) as server:
            port = str(server.port)
            assert trivium("call", "index:create", "kept", "--port", port).returncode == 0
        with serving(tmp_path) as server:
            assert "kept" in get(f"{server.url}/_list")["result"]["indexes"]

    def test_an_application_answers_on_its_own_route(self, tmp_path):
        app = tmp_path / "app.py"
        app.write_text(
            "from trivium import App\napp = App()\n"
            "app.controller.register('greeting', {'hello': lambda request: 'hi'})"
        )
        with serving(tmp_path, app=app) as server:
            assert get(f"{server.url}/_/greeting/hello")["result"] == "hi"

    def test_auto_port_takes_the_next_free_ones(self, tmp_path, busy):
        with serving(tmp_path, arguments=["--auto-port", "--port", str(busy)]) as server:
            assert server.port > busy

    def test_a_settings_file_beside_it_is_read(self, tmp_path):
        (tmp_path / "trivium.toml").write_text('[websocket]\nidle_timeout_s = "never"\n')
        refused = trivium("serve", "--port", "0", folder=tmp_path)
        assert refused.returncode == 2
        assert "websocket.idle_timeout_s" in refused.stderr

    def test_the_printed_settings_are_settings(self, tmp_path):
        printed = trivium("settings")
        assert printed.returncode == 0
        file = tmp_path / "printed.toml"
        file.write_text(printed.stdout)
        with serving(tmp_path, arguments=["--config", str(file)]) as server:
            assert get(f"{server.url}/_ready")["status"] == 200


class TestRefusal:
    """One clear line on standard error, exit code 2."""

    def refused(self, *flags: str, folder: Path, **environment: str) -> str:
        ran = trivium(
            "serve", "--port", "0", "--mqtt-port", "0", *flags,
            folder=folder, environment=environment,
        )  # fmt: skip
        assert ran.returncode == 2, ran.stderr
        assert ran.stdout == ""
        assert ran.stderr.count("\n") == 1, ran.stderr
        return ran.stderr

    @pytest.mark.parametrize("flag", ["--port", "--mqtt-port"])
    def test_a_port_in_use_is_named_with_the_ways_out(self, flag, busy, tmp_path):
        line = self.refused(flag, str(busy), folder=tmp_path)
        assert f"port {busy} of 127.0.0.1 is in use" in line
        assert f"{flag} N" in line
        assert "--auto-port" in line

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        assert "file/data" in self.refused("--data", "file/data", folder=tmp_path)

    def test_a_store_in_use_names_who_uses_it(self, tmp_path):
        with serving(tmp_path) as server:
            line = self.refused(folder=tmp_path)
        assert f"process {server.process.pid}" in line

    def test_a_wrong_variable_is_named(self, tmp_path):
        line = self.refused(folder=tmp_path, TRIVIUM__FRAME__MAX_BYTES="many")
        assert "frame.max_bytes" in line

    def test_an_unknown_variable_is_named(self, tmp_path):
        assert "frame.mx_bytes" in self.refused(folder=tmp_path, TRIVIUM__FRAME__MX_BYTES="1")

    def test_a_wrong_flag_is_named(self, tmp_path):
        assert "server.port" in self.refused("--port", "70000", folder=tmp_path)

    def test_a_settings_file_that_is_not_there_is_named(self, tmp_path):
        assert "other.toml" in self.refused("--config", "other.toml", folder=tmp_path)

    def test_an_application_that_is_not_there_is_named(self, tmp_path):
        assert "no such app file: fleet.py" in self.refused("--app", "fleet.py", folder=tmp_path)

    def test_an_error_in_an_application_is_found_by_its_line(self, tmp_path):
        (tmp_path / "fleet.py").write_text("from trivium import App\n\nraise ValueError('late')")
        line = self.refused("--app", "fleet.py", folder=tmp_path)
        assert "fleet.py:3: ValueError: late" in line

    def test_an_application_on_a_native_route_is_refused(self, tmp_path):
        (tmp_path / "fleet.py").write_text(
            "from trivium import App\napp = App()\n"
            "route = {'verb': 'get', 'path': '/_now'}\n"
            "hello = {'handler': lambda request: 1, 'http': [route]}\n"
            "app.controller.register('greeting', {'hello': hello})"
        )
        assert "/_now" in self.refused("--app", "fleet.py", folder=tmp_path)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
    def test_a_public_address_is_refused_while_there_are_no_users(self, host, tmp_path):
        line = self.refused("--host", host, folder=tmp_path)
        assert host in line
        assert "trivium admin create" in line

    def test_nothing_is_left_behind_by_a_start_that_failed(self, tmp_path, busy):
        self.refused("--mqtt-port", str(busy), folder=tmp_path)
        with serving(tmp_path) as server:
            assert get(f"{server.url}/_ready")["status"] == 200


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_when_told_and_says_so(self, number, tmp_path):
        with serving(tmp_path) as server:
            os.kill(server.process.pid, number)
            assert server.process.wait(BOUND_S) == 0
            assert server.lines()[-1]["event"] == "stopped"

    def test_what_was_let_in_is_answered_first(self, slow):
        answers = []
        caller = threading.Thread(target=lambda: answers.append(get(f"{slow.url}/_/slow/wait")))
        caller.start()
        wait_for((slow.data.parent / "begun").exists)
        os.kill(slow.process.pid, signal.SIGTERM)
        wait_for(lambda: is_stopping(slow))
        (slow.data.parent / "go").touch()
        caller.join(BOUND_S)
        assert [answer["result"] for answer in answers] == [{"finished": True}]
        assert slow.process.wait(BOUND_S) == 0

    @pytest.mark.parametrize("slow", [1], indirect=True)
    def test_a_request_without_end_is_given_up_after_the_bound(self, slow):
        with connect_websocket(slow.websocket_url) as client:
            client.send('{"controller":"slow","action":"wait"}')
            wait_for((slow.data.parent / "begun").exists)
            assert slow.stop() == 0

    def test_a_second_signal_does_not_wait(self, slow):
        with connect_websocket(slow.websocket_url) as client:
            client.send('{"controller":"slow","action":"wait"}')
            wait_for((slow.data.parent / "begun").exists)
            os.kill(slow.process.pid, signal.SIGTERM)
            wait_for(lambda: is_stopping(slow))
            os.kill(slow.process.pid, signal.SIGTERM)
            assert slow.process.wait(BOUND_S) == 128 + signal.SIGTERM

    def test_websockets_are_told_to_come_back(self, tmp_path):
        with serving(tmp_path) as server, connect_websocket(server.websocket_url) as client:
            os.kill(server.process.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=BOUND_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            assert server.process.wait(BOUND_S) == 0


class TestSpeed:
    def test_start_to_first_answer_takes_less_than_a_breath(self, tmp_path):
        def once() -> float:
            with serving(tmp_path) as server:
                return cpu_seconds(server.process.pid)

        # As CPU time and against what its libraries alone take, for the rest is the machine's;
        # and once is enough, for a neighbour slows down but speeds nothing up.
        took = []
        for _ in range(10):
            took.append((once(), libraries_alone()))
            starts, alone = zip(*took, strict=True)
            if min(starts) < 4.5 * min(alone):
                return
        raise AssertionError(f"start and libraries, in CPU seconds: {took}")


def test_the_version_is_told():
    told = trivium("--version")
    assert told.returncode == 0
    assert re.fullmatch(r"trivium \d+\.\d+\.\d+\n", told.stdout)
