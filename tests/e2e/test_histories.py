"""Three routers on one OpenSearch, killed and cut off: what clients saw is linearizable.

Ten histories of 100 operations take half a minute on two busy cores. All 200 take ten minutes:

    TRIVIUM_HISTORIES=200 python -m pytest -s -o faulthandler_timeout=0 tests/e2e/test_histories.py

docs/conformance.md has the result of such a run.

An update without an answer, or with a 5xx, is one that may have taken effect at any time since or
never; it stays in its history. A read without an answer tells nothing and is counted. One that is
refused with 409 must not have taken effect, and its value must not be seen anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.settings import OpenSearchSettings
from storage.opensearch.store import OpenSearchStorage
from tests.support.cuts import Cuttable
from tests.support.linearizability import NEVER, Operation, State, violation
from tests.support.opensearch import OpenSearchServer
from tests.support.server import Server, start
from tests.support.wires import WIRES, Payload, Wire

pytestmark = [pytest.mark.needs("opensearch"), pytest.mark.slow]

HISTORIES = int(os.environ.get("TRIVIUM_HISTORIES", "10"))
OPERATIONS = 100
AT_ONCE = 6
ROUTERS = 3
# Each router has clients on two wires; together they are on all of them.
WIRES_OF = (("http", "websocket"), ("websocket", "mqtt-5"), ("mqtt-3.1.1", "http"))
OPERATIONS_A_KILL = 300
OPERATIONS_A_CUT = 40
RETRIES = 100
ANSWER_BOUND_S = 60.0
WAVE_BOUND_S = 400.0
START = State("start", 1)


class Router:
    """One router that is killed and started again, with the connections of its clients."""

    def __init__(self, folder: Path, way: Cuttable, wires: tuple[str, ...]) -> None:
        self.way = way
        self.wires: dict[str, Wire] = {}
        self.is_up = asyncio.Event()
        self.is_gone = asyncio.Event()
        self._folder = folder
        self._names = wires
        self.kills = 0
        self._server: Server | None = None

    async def start(self) -> None:
        chosen = ("--storage", f"opensearch:{self.way.url}")
        server = await asyncio.to_thread(start, self._folder, arguments=chosen)
        self._server = server
        for name in self._names:
            self.wires[name] = await WIRES[name](server.port, server.mqtt_port)
        self.is_gone = asyncio.Event()
        self.is_up.set()

    async def kill(self) -> None:
        if self._server is None:
            return
        self.is_up.clear()
        self.kills += self._server.process.poll() is None
        self._server.process.kill()
        self.is_gone.set()
        await asyncio.to_thread(self._server.kill)
        for wire in self.wires.values():
            with contextlib.suppress(Exception):  # whatever a library says of a dead peer
                await wire.close()
        self.wires.clear()

    async def ask(self, wire: str, payload: Payload) -> Payload | None:
        """The answer; None if none came."""
        await self.is_up.wait()
        asking = asyncio.ensure_future(self.wires[wire].ask(payload))
        leaving = asyncio.ensure_future(self.is_gone.wait())
        await asyncio.wait(
            {asking, leaving}, timeout=ANSWER_BOUND_S, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (asking, leaving):
            task.cancel()
        answer, _ = await asyncio.gather(asking, leaving, return_exceptions=True)
        return None if isinstance(answer, BaseException) else answer


@dataclass(slots=True)
class Histories:
    """What the clients of all assets saw.

    Attributes:
        total: Operations in the histories.
        unknown: Updates among them that may have taken effect or not.
        unread: Reads without an answer, which are in none.
        refused: Updates (asset, value) that were refused as conflicts, which are in none.
    """

    of: dict[str, list[Operation]] = field(default_factory=dict)
    total: int = 0
    unknown: int = 0
    unread: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def note(self, asset: str, operation: Operation) -> None:
        self.of[asset].append(operation)
        self.total += 1


async def read(router: Router, wire: str, asset: str, seen: Histories) -> None:
    invoked = time.monotonic()
    answer = await router.ask(wire, request("get", asset))
    returned = time.monotonic()
    seen.statuses[answer["status"] if answer else 0] += 1
    if answer is not None and answer["status"] == 200:
        stored = answer["result"]
        assert stored["_id"] == asset, answer
        value = stored["_source"]["metadata"]["value"]
        seen.note(asset, Operation("read", value, stored["_version"], invoked, returned))
    else:
        # The asset is there all the time: nothing else may be said of it.
        assert answer is None or answer["status"] == 503, answer
        seen.unread += 1


async def update(router: Router, wire: str, asset: str, value: str, seen: Histories) -> None:
    await router.is_up.wait()
    invoked = time.monotonic()
    asked = {**request("update", asset, {"metadata": {"value": value}}), "retryOnConflict": RETRIES}
    answer = await router.ask(wire, asked)
    returned = time.monotonic()
    seen.statuses[answer["status"] if answer else 0] += 1
    if answer is not None and answer["status"] == 200:
        version = answer["result"]["_version"]
        seen.note(asset, Operation("update", value, version, invoked, returned))
    elif answer is None or answer["status"] >= 500:
        seen.note(asset, Operation("update", value, None, invoked, NEVER))
        seen.unknown += 1
    else:
        # A conflict that stayed one: refused, so it must not have happened.
        assert answer["status"] == 409, answer
        seen.refused.append((asset, value))


async def client(router: Router, wire: str, asset: str, seen: Histories, name: str) -> None:
    draw = random.Random(f"{asset} {name}")
    for number in range(OPERATIONS):
        if len(seen.of[asset]) >= OPERATIONS:
            return
        await router.is_up.wait()
        if draw.random() < 0.5:
            await read(router, wire, asset, seen)
        else:
            await update(router, wire, asset, f"{asset} {name}-{number}", seen)


async def wave(routers: list[Router], assets: list[str], seen: Histories) -> None:
    """All clients on a few assets, each one operation after the other."""
    async with asyncio.timeout(WAVE_BOUND_S), asyncio.TaskGroup() as group:
        for asset in assets:
            seen.of[asset] = []
            for at, router in enumerate(routers):
                for wire in WIRES_OF[at]:
                    group.create_task(client(router, wire, asset, seen, f"{at}-{wire}"))


async def disturb(routers: list[Router], seen: Histories, is_over: asyncio.Event) -> None:
    """Kill routers and cut ways, each so many operations, until it is over."""
    async with asyncio.TaskGroup() as group:
        group.create_task(cut(routers, seen, is_over))
        group.create_task(kill(routers, seen, is_over))


async def cut(routers: list[Router], seen: Histories, is_over: asyncio.Event) -> None:
    draw, done = random.Random(5), 0
    while not is_over.is_set():
        await asyncio.sleep(0.005)
        if seen.total >= (done + 1) * OPERATIONS_A_CUT:
            done += 1
            draw.choice(routers).way.cut()


async def kill(routers: list[Router], seen: Histories, is_over: asyncio.Event) -> None:
    done = 0
    while not is_over.is_set():
        await asyncio.sleep(0.005)
        if seen.total >= (done + 1) * OPERATIONS_A_KILL:
            router = routers[done % ROUTERS]
            done += 1
            await router.kill()
            await router.start()


def request(action: str, asset: str, body: object = None) -> Payload:
    asked: Payload = {
        "controller": "device-manager/asset",
        "action": action,
        "index": "fleet",
        "_id": asset,
    }
    return asked if body is None else {**asked, "body": body}


async def prepare(router: Router, assets: list[str]) -> None:
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    answer = await router.ask("http", engine)
    assert answer is not None
    assert answer["status"] == 200, answer
    for asset in assets:
        body = {"model": "Truck", "reference": asset, "metadata": {"value": START.value}}
        answer = await router.ask("http", request("create", asset, body))
        assert answer is not None
        assert answer["status"] == 200, answer


async def run(routers: list[Router], assets: list[str], seen: Histories) -> None:
    """Every history, under disturbance; at the end each router is read once more."""
    # The others find what the first one made: here only documents have many writers.
    await routers[0].start()
    await prepare(routers[0], assets)
    for router in routers[1:]:
        await router.start()
    is_over = asyncio.Event()
    disturbing = asyncio.create_task(disturb(routers, seen, is_over))
    try:
        for at in range(0, len(assets), AT_ONCE):
            await wave(routers, assets[at : at + AT_ONCE], seen)
    finally:
        is_over.set()
        await disturbing
    for at, router in enumerate(routers):
        await router.kill()
        await router.start()
        for asset in assets:
            await read(router, WIRES_OF[at][0], asset, seen)


async def rows_of(url: str) -> Counter[tuple[str, str]]:
    """How often the changes feed tells of each value of each asset."""
    storage = OpenSearchStorage(OpenSearchSettings(nodes=url))
    await storage.open()
    told: Counter[tuple[str, str]] = Counter()
    since = 0
    while rows := await storage.changes(since, limit=1_000):
        since = rows[-1].seq
        for row in rows:
            metadata = (row.changes or {}).get("metadata")
            if row.index == "fleet" and isinstance(metadata, dict) and "value" in metadata:
                told[row.id, str(metadata["value"])] += 1
    await storage.close()
    return told


async def test_histories_are_linearizable(tmp_path: Path, opensearch: OpenSearchServer) -> None:
    opensearch.wipe()
    ways = [await Cuttable(opensearch.url).open() for _ in range(ROUTERS)]
    routers = []
    for at, way in enumerate(ways):
        folder = tmp_path / str(at)
        folder.mkdir()
        routers.append(Router(folder, way, WIRES_OF[at]))
    seen = Histories()
    assets = [f"asset-{number}" for number in range(HISTORIES)]
    try:
        await run(routers, assets, seen)
    finally:
        for router in routers:
            await router.kill()
        for way in ways:
            await way.close()
    kills, cuts = sum(router.kills for router in routers), sum(way.cuts for way in ways)
    print(f"{seen.total} operations, {kills} kills, {cuts} cuts; {seen.unknown} updates unknown,")
    print(f"{len(seen.refused)} refused; {seen.unread} reads unanswered; {dict(seen.statuses)}")
    # The last kill of each router is that of the end.
    assert kills - ROUTERS >= HISTORIES * OPERATIONS // OPERATIONS_A_KILL // 2
    assert cuts >= HISTORIES * OPERATIONS // OPERATIONS_A_CUT // 4
    assert seen.unknown + seen.unread + len(seen.refused) < seen.total // 3
    for asset, history in seen.of.items():
        assert len(history) >= OPERATIONS
        left = violation(history, START)
        assert left is None, f"{asset}: {left}\n" + "\n".join(map(str, history))
    told = await rows_of(opensearch.url)
    values = {(asset, each.value) for asset, history in seen.of.items() for each in history}
    assert [each for each in seen.refused if each in values or told[each]] == []
    acknowledged = [
        (asset, each.value)
        for asset, history in seen.of.items()
        for each in history
        if each.kind == "update" and each.returned < NEVER
    ]
    assert len(acknowledged) > HISTORIES * OPERATIONS // 4
    assert [each for each in acknowledged if told[each] != 1] == []
    assert [each for each, times in told.items() if times > 1 and each[1] != START.value] == []
