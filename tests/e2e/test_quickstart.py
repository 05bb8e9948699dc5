"""What `make run` starts: real airports, one update over each wire, commands to go on with."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.tour import folded
from tests.support.server import ROOT, child_environment

BOUND_S = 240.0


@dataclass(frozen=True)
class Run:
    """One quickstart: its process and the file that its standard output goes to."""

    process: subprocess.Popen[bytes]
    shown: Path

    def text(self) -> str:
        return self.shown.read_text()

    def wait_until_serving(self) -> str:
        deadline = time.monotonic() + BOUND_S
        while "Ctrl-C stops it" not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.02)
        return self.text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory) -> Iterator[Callable[[], Run]]:
    folder = tmp_path_factory.mktemp("quickstart")
    runs: list[Run] = []

    def begin() -> Run:
        shown = folder / f"shown-{len(runs)}.txt"
        command = [sys.executable, "-m", "examples.quickstart", "--data", str(folder / "data")]
        with shown.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--port", "0", "--mqtt-port", "0"],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=child_environment(),
            )  # fmt: skip
        runs.append(Run(process, shown))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(120)


@pytest.fixture(scope="module")
def first(quickstart) -> Iterator[Run]:
    run = quickstart()
    run.wait_until_serving()
    yield run
    if run.process.poll() is None:
        run.stop()


def port(text: str, wire: str) -> int:
    found = re.search(rf"{wire} +\w+://127\.0\.0\.1:(\d+)", text)
    assert found is not None, text
    return int(found[1])


@pytest.mark.slow
class TestFirstRun:
    def test_it_loads_the_airports(self, first):
        assert re.search(r"Assets +28 298 airports, loaded in [\d.]+ s", first.text())

    @pytest.mark.parametrize(
        ("wire", "asset"),
        [("HTTP", "Airport-CDG"), ("WebSocket", "Airport-JFK"), ("MQTT", "Airport-HND")],
    )
    def test_each_wire_shows_its_answer_what_was_added_and_how_long_it_took(
        self, first, wire, asset
    ):
        heading = re.escape(f"  {wire}  {asset}") + r"  by [\w-]+  200 in [\d.]+ ms\n"
        section = re.split(heading, first.text())[1]
        answer = json.loads(section.split("the before pipe")[0])
        assert answer["status"] == 200
        assert answer["controller"] == "device-manager/asset"
        assert answer["result"]["_id"] == asset
        assert answer["result"]["_source"]["metadata"] == {
            "runways": "closed",
            "enrichedByBeforeAssetUpdate": True,
        }
        assert "metadata.enrichedByAfterAssetUpdate, now version 3" in section

    def test_it_says_what_this_run_is_not(self, first):
        text = first.text()
        assert "What this run is not: safe for others to reach" in text
        assert "no administrator" in text
        assert "this machine only" in text

    def test_the_update_of_the_after_pipe_is_stored(self, first):
        url = f"http://127.0.0.1:{port(first.text(), 'HTTP')}/airports/assets/Airport-CDG"
        with urllib.request.urlopen(url, timeout=120) as answer:
            metadata = json.load(answer)["result"]["_source"]["metadata"]
        assert metadata["enrichedByAfterAssetUpdate"] is True
        assert metadata["location"] == {"lat": 49.0128, "lon": 2.55}

    @pytest.mark.needs("curl", "mosquitto_rr")
    @pytest.mark.parametrize(
        ("title", "found"),
        [
            ("update over HTTP", '"runways":"open"'),
            ("update over WebSocket", '"runways": "open"'),
            ("update over MQTT", '"runways":"open"'),
            ("airports near Paris", "Airport-LBG"),
        ],
    )
    def test_its_commands_can_be_pasted(self, first, title, found):
        command = re.search(rf"  {title}\n  (.+)\n", first.text())
        assert command is not None
        ran = subprocess.run(
            shlex.split(command[1]), cwd=ROOT, env=child_environment(),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert found in ran.stdout


@pytest.mark.slow
class TestLaterRuns:
    def test_the_airports_are_there_already(self, first, quickstart):
        assert first.stop() == 0
        assert "Stopped. The data stays in" in first.text()
        again = quickstart()
        assert "28 298 airports, there from an earlier run" in again.wait_until_serving()
        assert again.stop() == 0


class TestRefusal:
    def test_a_start_that_fails_is_one_line_and_exit_code_2(self, tmp_path):
        (tmp_path / "file").touch()
        ran = subprocess.run(
            [sys.executable, "-m", "examples.quickstart", "--data", str(tmp_path / "file")],
            cwd=ROOT, env=child_environment(), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 2
        assert ran.stderr.startswith("trivium: ")
        assert ran.stderr.count("\n") == 1


class TestFolding:
    VALUE = '{"a": 1, "b": {"c": [1, 2], "d": "long enough to fold"}}'

    @pytest.mark.parametrize("width", [0, 20, 40, 200])
    def test_folded_json_says_the_same(self, width):
        assert json.loads(folded(json.loads(self.VALUE), width)) == json.loads(self.VALUE)

    def test_what_fits_stands_on_one_line(self):
        assert folded({"a": 1}, 80) == '{"a": 1}'
        assert folded({"a": 1, "b": {"c": 2}}, 16) == '{\n  "a": 1,\n  "b": {"c": 2}\n}'
