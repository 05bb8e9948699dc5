"""28 000 real airports as rows of assets (PyPI `airportsdata`, MIT)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

import airportsdata

from trivium.client import connect
from trivium.client.assets import import_assets
from trivium.client.chunks import Row
from trivium.server import Server

Counting: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

ENGINE: Final = "airports"
MODEL: Final = "Airport"

HEADER: Final = (
    "model",
    "reference",
    "metadata.name",
    "metadata.city",
    "metadata.country",
    "metadata.timezone",
    "metadata.elevation",
    "metadata.location",
    "metadata.runways",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many airports the engine holds, and the seconds it took to load them (0: were there)."""

    count: int
    seconds: float


def rows() -> list[Row]:
    """Every airport, under its IATA code where it has one, else under its ICAO code."""
    airports = airportsdata.load("ICAO").values()
    return [Row(line, _cells(airport)) for line, airport in enumerate(airports, start=2)]


async def load_airports(server: Server, counting: Counting) -> Loaded:
    """Bring the airports into their engine through `importAssets`, once.

    Args:
        counting: Shows how many rows are in (`trivium.cli.progress.counting`).
    """
    sdk = server.sdk
    if not await sdk.device_manager.engine.exists(ENGINE):
        await sdk.device_manager.engine.create(ENGINE)
    there = await sdk.document.count(ENGINE, "assets")
    everything = rows()
    if there >= len(everything):
        return Loaded(there, 0.0)
    started = time.perf_counter()
    with counting("airports", len(everything)) as on_progress:
        async with connect("http", server.host, server.port) as client:
            # An earlier run may have been stopped half way.
            imported = await import_assets(
                client, ENGINE, HEADER, everything, upsert=there > 0, on_progress=on_progress
            )
    if imported.refusals:
        raise RuntimeError(f"{len(imported.refusals)} airports refused: {imported.refusals[0]}")
    return Loaded(imported.stored, time.perf_counter() - started)


def _cells(airport: airportsdata.Airport) -> list[str]:
    location = {"lat": airport["lat"], "lon": airport["lon"]}
    return [
        MODEL,
        airport["iata"] or airport["icao"],
        airport["name"],
        airport["city"],
        airport["country"],
        airport["tz"],
        str(round(airport["elevation"])),
        json.dumps(location),
        "open",
    ]
