"""admin:shutdown ends the program as a signal does: answered first, nothing at work is lost."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_serve import SLOW_APP, get, wait_for
from tests.support.server import STOP_BOUND_S, serving
from tests.support.wires import WIRES

SHUTDOWN = {"controller": "admin", "action": "shutdown"}


@pytest.mark.parametrize("name", ["http", "websocket", "mqtt-5"])
async def test_it_answers_and_ends(name: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        wire = await WIRES[name](server.port, server.mqtt_port)
        answer = await wire.ask(dict(SHUTDOWN))
        await wire.close()
        assert answer["result"] == {"acknowledge": True}
        assert server.process.wait(STOP_BOUND_S) == 0
        events = [line["event"] for line in server.lines()]
        assert events.index("stopping") < events.index("stopped")


def test_what_is_at_work_is_finished_first(tmp_path: Path) -> None:
    app = tmp_path / "slow.py"
    app.write_text(SLOW_APP)
    said: list[Any] = []
    patient = {"TRIVIUM__SERVER__STOP_TIMEOUT_S": "600"}
    with serving(tmp_path, app=app, environment=patient) as server:
        slow = threading.Thread(target=lambda: said.append(get(f"{server.url}/_/slow/wait")))
        slow.start()
        wait_for((tmp_path / "begun").exists)
        asked = urllib.request.Request(f"{server.url}/admin/_shutdown/", method="POST")
        with urllib.request.urlopen(asked, timeout=STOP_BOUND_S) as answer:
            assert json.load(answer)["status"] == 200
        wait_for(lambda: any(line["event"] == "stopping" for line in server.lines()))
        assert server.process.poll() is None
        (tmp_path / "go").touch()
        slow.join(STOP_BOUND_S)
        assert server.process.wait(STOP_BOUND_S) == 0
    assert said[0]["result"] == {"finished": True}
