"""`trivium serve --storage opensearch:URL`: the program over a server of its own."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cuts import HOST, Cuttable
from tests.support.opensearch import OpenSearchServer
from tests.support.ports import lasting_port
from tests.support.program import trivium
from tests.support.raw_http import RawClient, get
from tests.support.server import Server, serving, start
from tests.support.wires import WIRES

pytestmark = pytest.mark.needs("opensearch")


def call(server: Server, action: str, *words: str) -> str:
    ran = trivium("call", action, *words, "--port", str(server.port), "--json")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_router_finds_what_the_one_before_it_stored(
    tmp_path: Path, opensearch: OpenSearchServer
) -> None:
    opensearch.wipe()
    chosen = ("--storage", f"opensearch:{opensearch.url}")
    with serving(tmp_path, arguments=chosen) as server:
        call(server, "collection:create", "tenant", "things")
        call(server, "document:create", "tenant", "things", "--id", "one", "--body", '{"a": 1}')
    with serving(tmp_path, arguments=chosen) as server:
        told = call(server, "document:get", "tenant", "things", "one")
        with urllib.request.urlopen(f"{server.url}/_ready", timeout=BOUND_S) as ready:
            assert ready.status == 200
    assert '"a": 1' in told or '"a":1' in told
    # The embedded store was left alone; what is this router's own lives here all the same.
    assert {it.name for it in (tmp_path / "data").iterdir()} == {"audit", "mqtt-sessions"}


def test_an_engine_that_does_not_exist_is_told(tmp_path: Path) -> None:
    ran = trivium("serve", "--storage", "papyrus:scroll", folder=tmp_path)
    assert ran.returncode == 2
    assert "sqlite:FOLDER or opensearch:URL" in ran.stderr


def test_a_server_that_stays_away_is_told(tmp_path: Path) -> None:
    environment = {"TRIVIUM__OPENSEARCH__START_TIMEOUT_S": "0.5"}
    ran = trivium(
        *("serve", "--storage", "opensearch:http://127.0.0.1:9", "--port", "0", "--mqtt-port", "0"),
        folder=tmp_path,
        environment=environment,
    )
    assert ran.returncode == 2
    assert "OpenSearch (http://127.0.0.1:9)" in ran.stderr


WAITING = "waiting for the store"
BOUND_S = 90.0


@pytest.fixture
def port() -> int:
    """A port where nobody listens."""
    return lasting_port()


@pytest.fixture
def waiting(tmp_path: Path, port: int) -> Iterator[Server]:
    """A router whose store is away, but may come to that port."""
    chosen = ("--storage", f"opensearch:http://{HOST}:{port}")
    patient = {"TRIVIUM__OPENSEARCH__START_TIMEOUT_S": "600"}
    server = start(tmp_path, arguments=chosen, environment=patient, until=WAITING)
    yield server
    server.stop()


class TestAwayAtTheStart:
    async def test_it_lives_is_not_ready_and_says_so_on_every_wire(self, waiting: Server) -> None:
        client = await RawClient.connect(waiting.port)
        assert (await client.ask(get("/_live"))).status == 200
        assert (await client.ask(get("/_ready"))).status == 503
        answers = [(await client.ask(get("/_now"))).envelope]
        await client.close()
        for name in ("websocket", "mqtt-3.1.1", "mqtt-5"):
            wire = await WIRES[name](waiting.port, waiting.mqtt_port)
            answers.append(await wire.ask({"controller": "server", "action": "now"}))
            await wire.close()
        for answer in answers:
            assert answer["status"] == 503
            assert answer["error"]["id"] == "services.storage.unavailable"

    async def test_it_serves_once_the_store_is_there(
        self, waiting: Server, port: int, opensearch: OpenSearchServer
    ) -> None:
        opensearch.wipe()
        way = await Cuttable(opensearch.url).open(port)
        client = await RawClient.connect(waiting.port)
        ends = time.monotonic() + BOUND_S
        while (await client.ask(get("/_ready"))).status != 200:
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)
        answer = await client.ask(get("/_/device-manager/engines"))
        assert answer.envelope["result"] == {"engines": []}
        await client.close()
        assert await asyncio.to_thread(waiting.stop) == 0
        await way.close()

    def test_it_stops_at_once_when_told_to(self, waiting: Server) -> None:
        assert waiting.stop(bound_s=BOUND_S) == 0  # it would wait for ten minutes
