"""Durable asset updates: the embedded store against bare apsw over the same tables.

Run: python -m bench.store [--assets 100000] [--updates 40000] [--rounds 5] [--callers 64]
Each round runs the baseline and the store, one after the other, in fresh folders; medians and
ratios go to standard output and, with --out FILE, to a JSON file.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson
import uvloop

from router.settings import StorageSettings
from storage.contract import Author, Write
from storage.mapping import Mapping
from storage.sqlite import schema
from storage.sqlite.connection import FILE_NAME, Disk, connect
from storage.sqlite.store import SqliteStorage

_FEED = (
    *("seq", "collection", "id", "version", "action", "at_ms", "bytes_before"),
    *("author", "request_id", "wire", "changes", "undo", "whole", "previous"),
)
INDEX, COLLECTION = "fleet", "assets"
MAPPING = {
    "dynamic": "false",
    "properties": {
        "model": {"type": "keyword"},
        "reference": {"type": "keyword"},
        "metadata": {
            "properties": {
                "temperature": {"type": "double"},
                "battery": {"type": "integer"},
                "city": {"type": "keyword"},
            }
        },
    },
}
AUTHOR = Author("-1", "0b6f3b0e-5a0c-4c55-9c1e-0a6f1c1e7a10", "websocket")


def asset(number: int) -> dict:
    return {
        "model": f"Model{number % 20}",
        "reference": f"ref-{number}",
        "metadata": {
            "temperature": number % 400 / 10,
            "battery": number % 100,
            "city": f"city-{number % 500}",
            "note": "what else an asset carries, unmapped " * 4,
        },
        "measures": {"position": {"lat": 43.6, "lon": 3.87, "at": 1_700_000_000_000}},
        "softTenant": ["north", "south"],
    }


def changes() -> dict:
    return {"metadata": {"temperature": random.random() * 40}}


def bare(folder: Path, settings: StorageSettings, assets: int, updates: int, group: int) -> dict:
    """The least that such updates can cost: known rows, prepared statements, no merge."""
    connection = connect(folder / FILE_NAME, Disk(), cache_mb=settings.cache_mb)
    schema.prepare(connection, folder, Disk())
    connection.execute(f"PRAGMA wal_autocheckpoint = {settings.checkpoint_pages}")
    known = fill_bare(connection, assets)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    draw = random.Random(7)
    latencies = []
    spare_the_collector()
    cpu, start = time.process_time(), time.perf_counter()
    for number in range(updates // group):
        began = time.perf_counter()
        batch = Batch()
        for seq in range(number * group + 1, (number + 1) * group + 1):
            batch.add(known, draw.randrange(assets) + 1, seq)
        batch.commit(connection)
        latencies.append(time.perf_counter() - began)
    measured = _measured(start, cpu, updates // group * group, latencies)
    connection.close()
    return measured


class Known(NamedTuple):
    """What the baseline knows of every asset before the clock starts: contents, the numbers of
    the two fields that change, and their values by document."""

    sources: list[bytes]
    fields: tuple[int, int]
    values: dict[int, list]


def fill_bare(connection: apsw.Connection, assets: int) -> Known:
    """Put the assets into the tables of collection 1."""
    mapping = Mapping.parse(INDEX, COLLECTION, MAPPING)
    stamp = {"author": "-1", "createdAt": 1_700_000_000_000, "updatedAt": None, "updater": None}
    fields: dict[str, int] = {}
    sources = []
    with connection:
        schema.create_collection_tables(connection, 1)
        for number in range(assets):
            source = {**asset(number), "_kuzzle_info": stamp}
            sources.append(orjson.dumps(source))
            connection.execute(
                "INSERT INTO documents_1 (doc, id, version, source) VALUES (?, ?, 1, ?)",
                (number + 1, f"asset-{number}", sources[-1]),
            )
            for path, _, value in mapping.rows(source):
                field = fields.setdefault(path, len(fields) + 1)
                connection.execute(
                    "INSERT INTO values_1 VALUES (?, ?, ?)", (field, value, number + 1)
                )
    numbers = (fields["metadata.temperature"], len(fields) + 1)
    found = connection.execute("SELECT value, doc FROM values_1 WHERE field = ?", (numbers[0],))
    return Known(sources, numbers, {doc: [value, None] for value, doc in found})


class Batch:
    """Updates that share a commit."""

    def __init__(self) -> None:
        self._now = int(time.time() * 1000)
        self._documents: list[tuple] = []
        self._gone: list[tuple] = []
        self._new: list[tuple] = []
        self._rows: list[tuple] = []

    def add(self, known: Known, doc: int, seq: int) -> None:
        """Give a document a temperature."""
        fresh = [random.random() * 40, self._now]
        old = known.values[doc]
        for at, field in enumerate(known.fields):
            if old[at] is not None:
                self._gone.append((field, old[at], doc))
            self._new.append((field, fresh[at], doc))
        known.values[doc] = fresh
        self._documents.append((2, known.sources[doc - 1], seq, doc))
        patch = orjson.dumps({"metadata": {"temperature": fresh[0]}})
        self._rows.append(
            (
                *(seq, 1, f"asset-{doc - 1}", 2, 1, self._now, seq * 300),
                *("-1", AUTHOR.request_id, "websocket", patch, patch, None, 0),
            )
        )

    def commit(self, connection: apsw.Connection) -> None:
        """Write and sync all of them."""
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE documents_1 SET version = ?, source = ?, seq = ?, updated_ms = 1 WHERE doc = ?",
            self._documents,
        )
        connection.executemany(
            "DELETE FROM values_1 WHERE field = ? AND value = ? AND doc = ?", self._gone
        )
        connection.executemany("INSERT OR IGNORE INTO values_1 VALUES (?, ?, ?)", self._new)
        insert_rows(connection, self._rows)
        connection.execute("COMMIT")


def insert_rows(connection: apsw.Connection, rows: list[tuple]) -> None:
    """Put rows into the changes feed, in the order of its columns up to `previous`."""
    marks = ", ".join("?" * len(_FEED))
    connection.executemany(f"INSERT INTO changes ({', '.join(_FEED)}) VALUES ({marks})", rows)


def spare_the_collector() -> None:
    """Let the garbage collector run seldom and not over what stays, for both alike."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


async def store(
    folder: Path, settings: StorageSettings, assets: int, updates: int, callers: int
) -> dict:
    """The same through the store, by so many callers that each wait for their answer."""
    storage = SqliteStorage(settings.model_copy(update={"data": folder}))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    began = time.perf_counter()
    await storage.bulk([_write("create", n, asset(n)) for n in range(assets)])
    loaded = time.perf_counter() - began
    spare_the_collector()
    draw = random.Random(7)
    latencies: list[float] = []

    async def caller(count: int) -> None:
        for _ in range(count):
            number = draw.randrange(assets)
            began = time.perf_counter()
            await storage.write(_write("update", number, changes()))
            latencies.append(time.perf_counter() - began)

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(updates // callers) for _ in range(callers)))
    measured = _measured(start, cpu, updates // callers * callers, latencies)
    await storage.close()
    return {**measured, "bulk_per_s": round(assets / loaded)}


def _write(verb: str, number: int, content: dict) -> Write:
    return Write(
        verb=verb,
        index=INDEX,
        collection=COLLECTION,
        id=f"asset-{number}",
        content=content,
        author=AUTHOR,
    )


def _measured(start: float, cpu: float, count: int, latencies: list[float]) -> dict:
    took, burnt = time.perf_counter() - start, time.process_time() - cpu
    latencies.sort()
    return {
        "per_s": round(count / took),
        "cpu_us": round(burnt / count * 1e6, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
        "max_ms": round(latencies[-1] * 1e3, 2),
    }


def _fsync_ms(folder: Path) -> float:
    times = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 16_384)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e3, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--updates", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=None, help="On the disk to be measured.")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    settings = StorageSettings()
    rounds: dict[str, list[dict]] = {"bare": [], "store": []}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        fsync_ms = _fsync_ms(Path(folder))
        for _ in range(options.rounds):
            for name, results in rounds.items():
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    arguments = (Path(place), settings, options.assets, options.updates)
                    if name == "bare":
                        measured = bare(*arguments, options.callers)
                    else:
                        measured = uvloop.run(store(*arguments, options.callers))
                    results.append(measured)
                    print(name, measured, flush=True)
    report = _report(rounds, options, fsync_ms)
    print(json.dumps(report, indent=1))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")


def _report(
    rounds: dict[str, list[dict]], options: argparse.Namespace, fsync_ms: float
) -> dict[str, object]:
    """Medians and spreads of all rounds, and the store's share of the baseline's rate."""
    report: dict = {
        "commit": _commit(),
        "machine": " ".join(
            (platform.machine(), f"{os.cpu_count()} cores", platform.python_version())
        ),
        "fsync_ms": fsync_ms,
        "assets": options.assets,
        "callers": options.callers,
        **{
            name: {
                key: {
                    "median": statistics.median(each[key] for each in measured),
                    "spread": [min(e[key] for e in measured), max(e[key] for e in measured)],
                }
                for key in measured[0]
            }
            for name, measured in rounds.items()
        },
    }
    report["ratio"] = round(
        report["store"]["per_s"]["median"] / report["bare"]["per_s"]["median"], 2
    )
    return report


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


if __name__ == "__main__":
    main()
