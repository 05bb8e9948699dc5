"""One asset updated over each wire by a client of its own, and what came of it, on the terminal."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from examples.airports import ENGINE, MODEL
from router.envelope import Json
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

CHANGES: Final[dict[str, Json]] = {"metadata": {"runways": "closed"}}

WIDTH: Final = 90
"""Columns of an answer; terminals are rarely narrower."""

DEFAULT_PORT: Final = 7512


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
        answer: Any = await client.query({**_update(key), "body": CHANGES})
        took_ms = (time.perf_counter() - started) * 1000
    if answer["status"] != 200:
        raise RuntimeError(f"{stop.wire}: {answer['error']}")
    stored: Any = await server.sdk.document.get(ENGINE, "assets", key)
    console.print(
        f"\n  [bold cyan]{stop.wire}[/]  {key}  [dim]by {stop.client}[/]  "
        f"[green]{answer['status']}[/] in [bold]{took_ms:.1f} ms[/]"
    )
    text = Text("    " + folded(_shown(answer), WIDTH).replace("\n", "\n    "))
    JSONHighlighter().highlight(text)
    console.print(text)
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


def show_commands(server: Server, console: Console, trivium: Sequence[str]) -> None:
    """Commands to go on by hand, for this server's address and ports; each can be pasted.

    Args:
        trivium: The words that start the command line.
    """
    console.print("\n[bold]Go on by hand[/]")
    for title, words in _commands(server, trivium).items():
        console.print(f"\n  [dim]{title}[/]")
        console.print(f"  {shlex.join(words)}", markup=False)


def _commands(server: Server, trivium: Sequence[str]) -> dict[str, list[str]]:
    update, open_again = "device-manager/asset:update", _compact({"metadata": {"runways": "open"}})
    request = {**_update(f"{MODEL}-HND"), "body": {"metadata": {"runways": "open"}}}
    near = {"geo_distance": {"distance": "30km", "metadata.location": {"lat": 48.86, "lon": 2.35}}}
    host, port, mqtt_port = server.host, server.port, str(server.mqtt_port)
    call, where = [*trivium, "call"], [] if port == DEFAULT_PORT else ["--port", str(port)]
    url = f"http://{host}:{port}/_/device-manager/{ENGINE}/assets/{MODEL}-CDG"
    json_type = "Content-Type: application/json"
    topics = ["-t", "Kuzzle/request", "-e", "Kuzzle/response"]
    return {
        "update over HTTP": ["curl", "-X", "PUT", url, "-H", json_type, "-d", open_again],
        "update over WebSocket": [
            *call, update, ENGINE, "--id", f"{MODEL}-JFK", "--body", open_again, *where,
        ],
        "update over MQTT": [
            "mosquitto_rr", "-h", host, "-p", mqtt_port, *topics, "-m", _compact(request),
        ],
        "airports near Paris": [
            *call, "document:search", ENGINE, "assets", "--body", _compact({"query": near}), *where,
        ],
    }  # fmt: skip


def _update(key: str) -> dict[str, Json]:
    return {
        "controller": "device-manager/asset",
        "action": "update",
        "index": ENGINE,
        "_id": key,
    }


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def folded(value: Json, width: int, indent: str = "") -> str:
    """JSON text in which whatever fits into a line stands on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= width or not isinstance(value, dict):
        return line
    inner = indent + "  "
    fields = [
        f"{inner}{json.dumps(key)}: {folded(field, width - len(key) - 5, inner)}"
        for key, field in value.items()
    ]
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"
