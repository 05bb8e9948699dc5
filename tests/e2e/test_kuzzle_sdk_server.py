"""kuzzle-sdk, unchanged: server and admin; every method of its controllers is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_kuzzle_sdk import NODE, run
from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import running

pytestmark = pytest.mark.needs("node", "kuzzle-sdk")

FRAME = ["completedRequests", "connections", "failedRequests", "ongoingRequests", "timestamp"]
SERVICES = ["internalCache", "internalStorage", "memoryStorage", "publicStorage"]
DONE = {"acknowledge": True}
SAID = {
    "now": True,
    "adminExists": False,
    "info": ["string", "number", SERVICES],
    "capabilities": [["limits", "plugins", "routes", "services", "version"], 200],
    "getConfig": [10_000, False],
    "getAllStats": 1,
    "getStats": 1,
    "getStats of before": 0,
    "getStats refused": {"id": "api.assert.invalid_argument", "status": 400},
    "healthCheck": "green",
    "metrics": 1,
    "cluster": 1,
    "nodeVersion": True,
    "loadMappings": DONE,
    "loadFixtures": DONE,
    "loaded": 2,
    "collection.update": ["n", "name"],
    "collection.delete": False,
    "refreshIndexCache": None,
    "resetCache": DONE,
    "resetCache refused": {"id": "services.cache.database_not_found", "status": 404},
    "dump": DONE,
    "resetDatabase": DONE,
    "indexes": [],
    "shutdown": DONE,
    "done": None,
}
OVER_WEBSOCKET = {
    "ms.get": {"id": "trivium.unsupported.feature", "status": 501},
    "debug.enable": {
        "id": "core.debugger.native_debug_protocol_usage_denied",
        "status": 412,
    },
}
PROGRAMS = ("sdk_program.mjs", "data_program.mjs", "server_program.mjs")


@pytest.mark.parametrize(("protocol", "wire"), [("ws", "websocket"), ("http", "http")])
async def test_a_program_works_unchanged(protocol: str, wire: str, tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        said = await run("server_program.mjs", protocol, str(server.port))
        assert server.core.leaving.is_set()
    expected = {**SAID, **(OVER_WEBSOCKET if protocol == "ws" else {})}
    assert {step: said.get(step) for step in expected} == expected
    assert said["getLastStats"] == [FRAME, [wire]]


@pytest.mark.parametrize("protocol", ["ws", "http"])
async def test_every_method_of_the_sdk_is_called_by_some_program(
    protocol: str, tmp_path: Path
) -> None:
    methods: set[str] = set()
    called: set[str] = set()
    for program in PROGRAMS:
        async with running(fleet_app(), fleet_settings(tmp_path / program)) as server:
            watched = ("--import", str(NODE / "calls.mjs"))
            said = await run(program, protocol, str(server.port), flags=watched)
        methods |= {*said["methods"]}
        called |= {*said["called"]}
    assert len(methods) > 50
    assert methods - called == set()
