"""Searches of the embedded store: how long a page takes as the fleet grows.

Run: python -m bench.search [--assets 1000,10000,100000] [--rounds 5] [--out FILE]
Each search is also made once before, and its total told; medians in ms. A million assets take
about ten minutes and 2 GB: --assets 1000000.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
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
_SMALL = {"bool": {"filter": [{"term": {"model": "m7"}}, {"range": {"size": {"lt": 500}}}]}}
_DAY = {"seen": "desc"}
SEARCHES: dict[str, Any] = {
    "term, range, sorted page": {"query": _SMALL, "sort": [_DAY], "size": 25},
    "the same, two sort keys": {"query": _SMALL, "sort": [_DAY, "size"], "size": 25},
    "all, sorted page": {"sort": [_DAY], "size": 25},
    "all, sorted page behind 5 000": {"sort": [_DAY], "size": 25, "from": 5_000},
    "all, search_after in the middle": {
        "sort": [_DAY, "_id"],
        "size": 25,
        "search_after": [1_767_225_600_000 + 500_000, "a500"],
    },
    "count of half of them": {"query": {"range": {"size": {"lt": 500}}}, "size": 0},
    "geo_distance 50 km": {
        "query": {"geo_distance": {"distance": "50km", "place": {"lat": 45.0, "lon": 3.0}}}
    },
    "match of two words": {"query": {"match": {"note": "valve replaced"}}},
    "match of a common word": {"query": {"match": {"note": "pump"}}},
    "match_phrase": {"query": {"match_phrase": {"note": "replaced at night"}}},
    "terms aggregation": {"size": 0, "aggs": {"a": {"terms": {"field": "model"}}}},
    "terms aggregation of a term": {
        "size": 0,
        "query": {"term": {"model": "m7"}},
        "aggs": {"a": {"terms": {"field": "size"}}},
    },
    "average by model": {
        "size": 0,
        "aggs": {"a": {"terms": {"field": "model"}, "aggs": {"s": {"avg": {"field": "size"}}}}},
    },
}


def asset(number: int) -> dict[str, Any]:
    return {
        "model": f"m{number % 50}",
        "size": number * 7919 % 1000,
        "seen": 1_767_225_600_000 + number * 1_000,
        "place": {"lat": 40 + number * 31 % 1000 / 100, "lon": number * 17 % 1000 / 100},
        "note": f"pump {number % 300} checked" if number % 90 else "valve replaced at night",
    }


async def measure(folder: Path, assets: int, rounds: int) -> dict[str, Any]:
    storage = SqliteStorage(StorageSettings(data=folder, search_timeout_s=600))
    await storage.open()
    await storage.create_collection(*TARGET, MAPPING)
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, assets, 10_000):
        numbers = range(start, min(start + 10_000, assets))
        await storage.bulk([_write(number) for number in numbers])
    told: dict[str, Any] = {
        "bulk_per_s": round(assets / (time.perf_counter() - began)),
        "bulk_cpu_us": round((time.process_time() - cpu) / assets * 1e6, 1),
    }
    for name, body in SEARCHES.items():
        told[name] = await _median_ms(storage, body, rounds)
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


async def _median_ms(storage: SqliteStorage, body: Any, rounds: int) -> dict[str, float]:
    total = (await storage.search([TARGET], read_search(body))).total
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await storage.search([TARGET], read_search(body))
        times.append((time.perf_counter() - began) * 1e3)
    return {"ms": round(statistics.median(times), 2), "least": round(min(times), 2), "of": total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    options, _ = parser.parse_known_args()
    report: dict[str, Any] = {
        "commit": _commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_version()}",
    }
    for assets in map(int, options.assets.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            told = uvloop.run(measure(Path(folder), assets, options.rounds))
            files = sum(path.stat().st_size for path in Path(folder).iterdir())
            report[str(assets)] = {**told, "bytes_per_asset": round(files / assets)}
        print(assets, json.dumps(report[str(assets)], indent=1), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
