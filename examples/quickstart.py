"""What `make run` shows: a router with real assets, and one update over each of its wires."""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from examples.airports import load_airports
from examples.tour import show_commands, tour
from router.errors import RouterError
from trivium.cli.progress import counting
from trivium.cli.serve import Flags, prepare, serve_app
from trivium.client import ConnectionFailedError
from trivium.server import Server, StartError
from trivium.version import VERSION

FLEET: Final = Path(__file__).with_name("fleet.py")
USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, load, show, and go on serving until Ctrl-C; returns the exit code."""
    flags = _parse(arguments)
    # Its own words are the output here; requests that fail still show up.
    os.environ.setdefault("TRIVIUM__LOG__LEVEL", "warning")
    console = Console(highlight=False, soft_wrap=True)
    try:
        app, settings = prepare(FLEET, flags)
        serve_app(app, settings, functools.partial(_show, console))
    except StartError as error:
        print(f"trivium: {error}", file=sys.stderr)
        return USAGE
    except (RouterError, ConnectionFailedError, RuntimeError) as error:
        print(f"trivium: {error}", file=sys.stderr)
        return 1
    console.print(f"\nStopped. The data stays in {_place(settings.storage.data)}")
    return 0


def _parse(arguments: Sequence[str] | None) -> Flags:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, help="HTTP and WebSocket (7512)")
    parser.add_argument("--mqtt-port", type=int, help="MQTT (1883)")
    parser.add_argument("--data", type=Path, help="folder of the store (./data)")
    parser.add_argument("--auto-port", action="store_true", help="take the next free ports")
    given = parser.parse_args(arguments)
    return Flags(
        port=given.port, mqtt_port=given.mqtt_port, data=given.data, auto_port=given.auto_port
    )


async def _show(console: Console, server: Server) -> None:
    _show_address(console, server)
    loaded = await load_airports(server, functools.partial(counting, console))
    told = f"loaded in {loaded.seconds:.1f} s" if loaded.seconds else "there from an earlier run"
    console.print(f"  Assets     {loaded.count:,} airports, {told}".replace(",", " ", 1))
    await tour(server, console)
    show_commands(server, console, _trivium())
    console.print(
        "\n[bold]What this run is not:[/] safe for others to reach. It has no administrator "
        "yet, everybody may do\neverything; that is why it listens on this machine only.\n"
    )
    console.print("Serving. Ctrl-C stops it.")


def _show_address(console: Console, server: Server) -> None:
    console.print(
        f"\n[bold]Trivium {VERSION}[/], one router for HTTP, WebSocket and MQTT\n\n"
        f"  HTTP       http://{server.host}:{server.port}\n"
        f"  WebSocket  ws://{server.host}:{server.port}\n"
        f"  MQTT       mqtt://{server.host}:{server.mqtt_port}\n"
        f"  Data       {_place(server.settings.storage.data)}\n"
        f"  App        {os.path.relpath(FLEET)}"
    )


def _place(folder: Path) -> str:
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _trivium() -> list[str]:
    beside = Path(sys.executable).with_name("trivium")
    if shutil.which("trivium") == str(beside):
        return ["trivium"]
    python = os.path.relpath(sys.executable)
    return [os.path.relpath(beside)] if beside.exists() else [python, "-m", "trivium"]


if __name__ == "__main__":
    sys.exit(main())
