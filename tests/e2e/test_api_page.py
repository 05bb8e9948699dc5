"""The page of the API in a real browser, and what bare answers look like on the wires."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import websockets

from tests.support.server import ROOT, serving


@pytest.mark.needs("chromium", "node", "playwright-core")
def test_an_action_is_found_and_sent_by_the_page(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    with serving(tmp_path) as server:
        command = ["node", "api_page.mjs", server.url, str(tmp_path / "profile"), str(chromium)]
        ran = subprocess.run(
            command, cwd=ROOT / "tests" / "node", capture_output=True, timeout=300, check=False
        )
    assert ran.returncode == 0, ran.stderr.decode()
    seen = json.loads(ran.stdout)
    assert seen["faults"] == []
    assert seen["all"] > 60
    assert seen["routes"] == "GET /_now"
    assert seen["status"] == 200
    assert isinstance(seen["now"], int)


async def test_a_bare_answer_over_websocket_has_its_room(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        async with websockets.connect(server.websocket_url, max_size=None) as socket:
            asked = {"controller": "server", "action": "openapi", "requestId": "r1"}
            await socket.send(json.dumps(asked))
            told = json.loads(await socket.recv())
    assert (told["openapi"], told["room"]) == ("3.1.0", "r1")
    assert "requestId" not in told
