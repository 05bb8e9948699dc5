"""One asset updated over each wire by a client of its own, and what came of it, on the terminal."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.json import JSON
from rich.padding import Padding
from rich.table import Table

from examples.airports import ENGINE, MODEL
from trivium.client import Protocol, connect
from trivium.server import Server


@dataclass(frozen=True, slots=True)
class Stop:
    """One wire of the tour: the asset that is updated over it, with which client."""

    protocol: Protocol
    wire: str
    client: str
    code: str


STOPS: Final = (
    Stop("http", "HTTP", "aiohttp", "CDG"),
    Stop("ws", "WebSocket", "websockets", "JFK"),
    Stop("mqtt", "MQTT", "paho-mqtt", "HND"),
)

CHANGES: Final = {"metadata": {"runways": "closed"}}


async def tour(server: Server, console: Console) -> None:
    """Update CDG, JFK and HND, one over each wire, and show the answers.

    Raises:
        RuntimeError: An answer isn't what it should be.
    """
    console.print("\n[bold]One update over each wire[/]")
    for stop in STOPS:
        await _visit(stop, server, console)


async def _visit(stop: Stop, server: Server, console: Console) -> None:
    key = f"{MODEL}-{stop.code}"
    port = server.mqtt_port if stop.protocol == "mqtt" else server.port
    async with connect(stop.protocol, server.host, port) as client:
        started = time.perf_counter()
        answer: Any = await client.query(
            {
                "controller": "device-manager/asset",
                "action": "update",
                "index": ENGINE,
                "_id": key,
                "body": CHANGES,
            }
        )
        took_ms = (time.perf_counter() - started) * 1000
    if answer["status"] != 200:
        raise RuntimeError(f"{stop.wire}: {answer['error']}")
    stored: Any = await server.sdk.document.get(ENGINE, "assets", key)
    console.print(
        f"\n  [bold cyan]{stop.wire}[/]  {key}  [dim]by {stop.client}[/]  "
        f"[green]{answer['status']}[/] in [bold]{took_ms:.1f} ms[/]"
    )
    console.print(Padding(JSON(json.dumps(_shown(answer)), indent=2), (0, 0, 0, 4)))
    _show_added(answer, stored, console)


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    keys = ("status", "error", "index", "controller", "action", "requestId", "result")
    return {key: answer.get(key) for key in keys}


def _show_added(answer: dict[str, Any], stored: dict[str, Any], console: Console) -> None:
    written, now = answer["result"]["_source"]["metadata"], stored["_source"]["metadata"]
    if not (written.get("enrichedByBeforeAssetUpdate") and now.get("enrichedByAfterAssetUpdate")):
        raise RuntimeError("the pipes of examples/fleet.py did not run")
    console.print(
        "    [dim]the before pipe added[/] metadata.enrichedByBeforeAssetUpdate\n"
        "    [dim]the after pipe wrote again:[/] metadata.enrichedByAfterAssetUpdate, "
        f"now version {stored['_version']}"
    )


def show_commands(server: Server, console: Console, trivium: str) -> None:
    """Commands to go on by hand, for this server's address and ports."""
    body = json.dumps({"metadata": {"runways": "open"}})
    request = {
        "controller": "device-manager/asset",
        "action": "update",
        "index": ENGINE,
        "_id": f"{MODEL}-HND",
        "body": {"metadata": {"runways": "open"}},
    }
    near = {"geo_distance": {"distance": "30km", "metadata.location": {"lat": 48.86, "lon": 2.35}}}
    host, port = server.host, server.port
    call = f"{trivium} call" + ("" if port == 7512 else f" --port {port}")
    words = call.split()
    lines = {
        "curl": [
            "curl", "-X", "PUT", f"http://{host}:{port}/_/device-manager/{ENGINE}/assets/{MODEL}-CDG",
            "-H", "Content-Type: application/json", "-d", body,
        ],
        "MQTT": [
            "mosquitto_rr", "-h", host, "-p", str(server.mqtt_port),
            "-t", "Kuzzle/request", "-e", "Kuzzle/response", "-m", json.dumps(request),
        ],
        "trivium": [
            words[0], words[1], "device-manager/asset:update", ENGINE, "--id", f"{MODEL}-JFK",
            "--body", body, *words[2:],
        ],
        "search": [
            words[0], words[1], "document:search", ENGINE, "assets",
            "--body", json.dumps({"query": near}), *words[2:],
        ],
    }  # fmt: skip
    console.print("\n[bold]Go on by hand[/]\n")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 2))
    for name, words in lines.items():
        table.add_row(f"[dim]{name}[/]", shlex.join(words))
    console.print(table)
