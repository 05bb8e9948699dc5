"""Searches of the embedded store: how long a page takes as the fleet grows.

Run: python -m bench.search [--assets 1000,10000,100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from router.settings import StorageSettings
from storage.contract import Author, Write
from storage.dsl import read_search
from storage.sqlite.store import SqliteStorage

TARGET = ("fleet", "assets")
MAPPING: dict[str, Any] = {
    "properties": {
        "model": {"type": "keyword"},
        "size": {"type": "integer"},
        "seen": {"type": "date"},
        "place": {"type": "geo_point"},
        "note": {"type": "text"},
    }
}
SEARCHES: dict[str, Any] = {
    "term, range, sorted page": {
        "query": {
            "bool": {"filter": [{"term": {"model": "m7"}}, {"range": {"size": {"lt": 500}}}]}
        },
        "sort": [{"seen": "desc"}],
        "size": 25,
    },
    "geo_distance 50 km": {
        "query": {"geo_distance": {"distance": "50km", "place": {"lat": 45.0, "lon": 3.0}}}
    },
    "match of two words": {"query": {"match": {"note": "valve replaced"}}},
    "terms aggregation": {"size": 0, "aggs": {"a": {"terms": {"field": "model"}}}},
}


def asset(number: int) -> dict[str, Any]:
    return {
        "model": f"m{number % 50}",
        "size": number * 7919 % 1000,
        "seen": 1_767_225_600_000 + number * 1_000,
        "place": {"lat": 40 + number * 31 % 1000 / 100, "lon": number * 17 % 1000 / 100},
        "note": f"pump {number % 300} checked" if number % 90 else "valve replaced at night",
    }


async def measure(assets: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteStorage(StorageSettings(data=Path(folder), search_timeout_s=600))
        await storage.open()
        await storage.create_collection(*TARGET, MAPPING)
        for start in range(0, assets, 10_000):
            numbers = range(start, min(start + 10_000, assets))
            await storage.bulk([_write(number) for number in numbers])
        told = {name: await _median_ms(storage, body, rounds) for name, body in SEARCHES.items()}
        await storage.close()
        return told


def _write(number: int) -> Write:
    return Write(
        verb="create",
        index=TARGET[0],
        collection=TARGET[1],
        id=f"a{number}",
        content=asset(number),
        author=Author("-1"),
    )


async def _median_ms(storage: SqliteStorage, body: Any, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await storage.search([TARGET], read_search(body))
        times.append((time.perf_counter() - began) * 1e3)
    return round(statistics.median(times), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for assets in map(int, options.assets.split(",")):
        print(assets, json.dumps(uvloop.run(measure(assets, options.rounds))), flush=True)


if __name__ == "__main__":
    main()
