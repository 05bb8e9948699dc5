"""Every action, and every error it can give, has one answer on every wire."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.frame import envelope, request_of
from router.envelope import Connection
from router.settings import OpenSearchSettings
from storage.opensearch.places import PRIVATE
from storage.opensearch.store import OpenSearchStorage
from tests.contract.actions import (
    admin,
    bulk,
    data,
    many,
    people,
    realtime,
    steps,
    tokens,
    unserved,
)
from tests.contract.actions.guards import GUARDS
from tests.contract.actions.refusals import REFUSALS
from tests.contract.actions.refusals_many import REFUSALS_MANY
from tests.contract.actions.steps import Step
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.opensearch import OpenSearchServer
from tests.support.wires import WIRES, Payload, Wire
from trivium.server import Server, running

PARTS = [
    steps.ROUTER,
    steps.SERVER,
    steps.AUTH,
    steps.INDEX,
    steps.COLLECTION,
    steps.DOCUMENT,
    many.MANY,
    steps.ENGINE,
    steps.ASSET,
    steps.ASSETS,
    steps.IMPORT,
    REFUSALS,
    GUARDS,
    REFUSALS_MANY,
    data.DATA,
    data.REFUSALS_DATA,
    bulk.BULK,
    bulk.REFUSALS_BULK,
    realtime.REALTIME,
    unserved.UNSERVED,
    tokens.TOKENS,
    people.PEOPLE,
    admin.ADMIN,
    steps.LEAVING,
    admin.LEAVING,
    people.LAST,
]
STORY = [step for part in PARTS for step in part]

DIFFERS_BY_NATURE = {
    "now": "the time of the answer",
    "createdAt": "the time of the write",
    "updatedAt": "the time of the write",
    "completedRequests": "counted by wire",
    "failedRequests": "counted by wire",
    "ongoingRequests": "counted by wire",
    "connections": "counted by wire",
    "timestamp": "the time of a count",
    "internalStorage": "names the engine",
    "publicStorage": "names the engine",
    "nodes": "each server has its own name",
    "activity": "each server has its own name",
    "folder": "each server has its own",
    "data": "each server has its own",
    "node": "each server has its own name; in process there is none",
    "serverInfo": "up-time and memory",
    "network": "server:metrics counts the connections of this very wire",
    "api": "server:metrics counts this very request",
    "scrollId": "made up anew",
    "size": "bytes as the engine counts them",
    "requestId": "made anew for each request",
}
"""All that may differ between two wires, or two runs: key -> why. Compared by type only."""


class InProcess:
    """The router called directly, as `app.sdk` does but with events and rights."""

    def __init__(self, server: Server) -> None:
        self._router = server.core.router

    async def ask(self, payload: Payload) -> Payload:
        payload = {"requestId": str(uuid.uuid4()), **payload}
        request = request_of(payload, Connection("suite", "internal"))
        return envelope(await self._router.dispatch(request))

    async def close(self) -> None:
        """Nothing was opened."""


def comparable(value: Any, key: str = "") -> Any:
    if key in DIFFERS_BY_NATURE:
        return type(value).__name__ if key != "node" else None
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "node"}
        return {k: comparable(v, k) for k, v in kept.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value


async def play(wire: Wire, part: Sequence[Step] = STORY) -> list[tuple[str, Any]]:
    transcript, wrong = [], []
    for step in part:
        answer = await wire.ask(dict(step.ask))
        wrong += [f"{step.about}: {reason}" for reason in faults(step, answer)]
        transcript.append((step.about, comparable(answer)))
    assert wrong == []
    return transcript


def faults(step: Step, answer: Payload) -> list[str]:
    """What is wrong with an answer; nothing when it is the documented one."""
    error = answer["error"] or {}
    if answer["status"] != step.status or (step.error and error.get("id") != step.error):
        return [f"status {answer['status']}, {error}"]
    is_refusal = step.status >= 400 or step.error is not None
    if bool(error) != is_refusal or error.get("status", step.status) != step.status:
        return [f"an error that doesn't fit the status: {error}"]
    if error and (not error["message"] or not isinstance(error["code"], int) or answer["result"]):
        return [f"an incomplete error: {answer}"]
    if not error and not step.sees(answer.get("result")):
        return [f"result {answer.get('result')}"]
    echoed = ("action", "controller", "volatile")
    return [f"{key} {answer[key]!r}" for key in echoed if answer[key] != step.ask.get(key)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any]]:
    """The story as the router tells it without any wire."""

    async def played() -> list[tuple[str, Any]]:
        settings = fleet_settings(tmp_path_factory.mktemp("told"))
        async with running(fleet_app(), settings) as server:
            return await play(InProcess(server))

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(played())


@pytest.mark.parametrize("name", WIRES)
async def test_the_story_is_the_same_on_every_wire(
    name: str, told: list[tuple[str, Any]], tmp_path: Path
) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path / "heard")) as server:
        wire = await WIRES[name](server.port, server.mqtt_port)
        try:
            heard = await play(wire)
        finally:
            await wire.close()
    for (about, expected), (_, answer) in zip(told, heard, strict=True):
        assert answer == expected, about


@pytest.mark.needs("opensearch")
async def test_the_story_is_the_same_on_opensearch(
    told: list[tuple[str, Any]], tmp_path: Path, opensearch: OpenSearchServer
) -> None:
    """Each part over the next wire: that every wire tells the whole is shown above."""
    opensearch.wipe()
    chosen = OpenSearchSettings(nodes=opensearch.url, refresh_ms=1)
    stores = OpenSearchStorage(chosen), OpenSearchStorage(chosen, scope=PRIVATE)
    async with running(fleet_app(), fleet_settings(tmp_path / "heard"), *stores) as server:
        wires = [await opened(server.port, server.mqtt_port) for opened in WIRES.values()]
        try:
            turns = zip(PARTS, cycle(wires), strict=False)
            heard = [each for part, wire in turns for each in await play(wire, part)]
        finally:
            for wire in wires:
                await wire.close()
    for (about, expected), (_, answer) in zip(told, heard, strict=True):
        assert answer == expected, about


async def test_the_story_leaves_no_action_out(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        # What is answered without the envelope is told of in tests/e2e/test_api_page.py.
        actions = [action for action in server.core.router.table if not action.is_bare]
    offered = {(action.controller, action.name) for action in actions}
    told = {(step.ask.get("controller"), step.ask.get("action")) for step in STORY}
    assert offered - told - set(ELSEWHERE) == set()


async def test_the_story_leaves_no_declared_error_out(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        declared = {
            (action.controller, action.name, error)
            for action in server.core.router.table
            if (action.controller, action.name) not in ELSEWHERE
            for error in action.errors
        }
    met = {(step.ask.get("controller"), step.ask.get("action"), step.error) for step in STORY}
    assert declared - met - set(NEEDS_A_FAULT) == set()


ELSEWHERE = {
    ("document", "export"): "tests/e2e/test_export.py, as only HTTP can answer it",
    ("realtime", "stream"): "tests/e2e/test_event_streams.py, as only HTTP can answer it",
    ("admin", "shutdown"): "tests/e2e/test_shutdown.py, as it ends the router",
}
"""Actions that don't answer alike on every wire, and where they are shown."""

PIPE = "plugin.runtime.unexpected_error"
LOCKED = "api.process.action_locked"
NEEDS_A_FAULT: dict[tuple[str, str, str], str] = {
    **tokens.NEEDS_A_USER,
    ("device-manager/asset", "update", PIPE): "tests/unit/controllers, a pipe that fails",
    ("device-manager/asset", "upsert", PIPE): "tests/unit/controllers",
    ("device-manager/assets", "update", PIPE): "tests/unit/controllers",
    ("device-manager/assets", "upsert", PIPE): "tests/unit/controllers",
    ("document", "search", "trivium.search.too_long_a_scroll"): "tests/unit/controllers",
    ("document", "search", "trivium.search.too_many_scrolls"): "tests/unit/controllers",
    ("index", "list", "api.assert.invalid_type"): "not over HTTP, where a flag is on when present",
    **dict.fromkeys(
        [
            ("realtime", "subscribe", "core.realtime.too_many_rooms"),
            ("realtime", "join", "core.realtime.too_many_rooms"),
            ("realtime", "join", "trivium.feed.too_many_readers"),
            ("realtime", "subscribe", "trivium.feed.too_many_readers"),
            ("realtime", "join", "trivium.unsupported.feature"),
            ("realtime", "subscribe", "trivium.unsupported.feature"),
            ("realtime", "unsubscribe", "core.realtime.not_subscribed"),
        ],
        "tests/unit/controllers/test_realtime.py: not every wire can subscribe",
    ),
    **people.NEEDS_A_LOGIN,
    **dict.fromkeys(
        [
            *(("admin", name, LOCKED) for name in ("dump", "resetDatabase", "resetSecurity")),
            ("admin", "dump", "core.fatal.service_unavailable"),
        ],
        "tests/unit/controllers/administration",
    ),
    ("server", "healthCheck", "core.fatal.service_unavailable"): "tests/unit/controllers",
}
"""Errors that no request alone brings about, and where they are shown."""
