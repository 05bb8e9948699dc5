"""kill -9 in the middle of writes on all wires: nothing acknowledged is ever lost.

Fifteen kills by default; `TRIVIUM_KILLS=50` for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cpu import cpu_seconds, libraries_alone
from tests.support.server import Server, start
from tests.support.wires import WIRES, HttpWire, Wire

KILLS = int(os.environ.get("TRIVIUM_KILLS", "15"))
ASSETS_PER_WIRE = 8
ROUND_BOUND_S = 120.0
CALLERS = tuple(name for name in WIRES if name != "http-query")


@dataclass(slots=True)
class Ledger:
    """What the clients know: per asset the newest acknowledged version and its content."""

    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def note(self, asset: str, version: int, counter: int) -> None:
        self.total += 1
        if version > self.acknowledged.get(asset, (0, 0))[0]:
            self.acknowledged[asset] = (version, counter)


async def write_until_cut(wire: Wire, assets: list[str], ledger: Ledger) -> None:
    """Update assets as fast as answers come, until the connection is gone."""
    with contextlib.suppress(Exception):
        # Whatever a client library raises when the server is killed under it: the ledger
        # holds only what was acknowledged before.
        while True:
            await asyncio.gather(*(update(wire, asset, ledger) for asset in assets))


async def update(wire: Wire, asset: str, ledger: Ledger) -> None:
    counter = ledger.sent[asset] = ledger.sent.get(asset, 0) + 1
    answer = await wire.ask(_request("update", asset, {"metadata": {"counter": counter}}))
    assert answer["status"] == 200, answer
    ledger.note(asset, answer["result"]["_version"], counter)


async def round_of_writes(server: Server, ledger: Ledger, enough: int) -> None:
    """Kill it as soon as so many more writes were acknowledged."""
    wires = [await WIRES[name](server.port, server.mqtt_port) for name in CALLERS]
    tasks = [
        asyncio.create_task(write_until_cut(wire, _assets(name), ledger))
        for name, wire in zip(CALLERS, wires, strict=True)
    ]
    before = ledger.total
    async with asyncio.timeout(ROUND_BOUND_S):
        while ledger.total < before + enough:
            await asyncio.sleep(0.002)
    server.kill()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for wire in wires:
        with contextlib.suppress(Exception):
            await wire.close()


async def check(server: Server, ledger: Ledger) -> None:
    """Every asset is at its newest acknowledged version, or at one that was never answered."""
    wire = await HttpWire(server.port).open()
    try:
        for asset, (version, counter) in ledger.acknowledged.items():
            answer = await wire.ask(_request("get", asset))
            assert answer["status"] == 200, answer
            stored = answer["result"]
            assert stored["_version"] >= version, asset
            # Versions count writes one by one and callers write counters in order.
            assert stored["_source"]["metadata"]["counter"] >= counter, asset
            assert stored["_source"]["metadata"]["counter"] <= ledger.sent[asset], asset
            if stored["_version"] == version:
                assert stored["_source"]["metadata"]["counter"] == counter, asset
    finally:
        await wire.close()


async def test_kills_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    ledger = Ledger()
    server = start(tmp_path)
    try:
        await _prepare(server)
        took = []
        for _ in range(KILLS):
            await round_of_writes(server, ledger, enough=chance.randint(1, 120))
            server = await asyncio.to_thread(start, tmp_path)
            took.append(cpu_seconds(server.process.pid))
            await check(server, ledger)
        assert len(ledger.acknowledged) == len(CALLERS) * ASSETS_PER_WIRE
        # As CPU time, and against what its libraries alone take: the rest is the machine's.
        assert statistics.median(took) < 6 * libraries_alone()
    finally:
        server.kill()


async def _prepare(server: Server) -> None:
    wire = await HttpWire(server.port).open()
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    assert (await wire.ask(engine))["status"] == 200
    for name in CALLERS:
        for asset in _assets(name):
            body = {"model": "Truck", "reference": asset, "metadata": {"counter": 0}}
            assert (await wire.ask(_request("create", asset, body)))["status"] == 200
    await wire.close()


def _assets(name: str) -> list[str]:
    return [f"{name}-{n}" for n in range(ASSETS_PER_WIRE)]


def _request(action: str, asset: str, body: object = None) -> dict[str, object]:
    request: dict[str, object] = {
        "controller": "device-manager/asset",
        "action": action,
        "index": "fleet",
        "_id": asset,
    }
    return request if body is None else {**request, "body": body}
