"""Many documents at a time: mCreate in batches of 200, and an export, against bare apsw.

Run: python -m bench.documents [--documents 20000] [--rounds 3] [--out FILE]
The router is a process of its own, asked over HTTP by one client with four requests at work. The
baseline is bare apsw in this process over the same tables: 200 documents a commit with their index
rows and feed rows; and the same documents read by id and joined to JSON lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import apsw
import orjson

from bench.store import AUTHOR, COLLECTION, INDEX, MAPPING, asset, insert_rows
from bench.wires import machine
from router.settings import StorageSettings
from storage.mapping import Mapping
from storage.sqlite import schema
from storage.sqlite.connection import FILE_NAME, Disk, connect
from tests.support.server import Server, serving

BATCH = 200
AT_WORK = 4
_MAPPING = Mapping.parse(INDEX, COLLECTION, MAPPING)
_TICKS = os.sysconf("SC_CLK_TCK")


def bare(folder: Path, count: int) -> dict[str, float]:
    """What bare apsw takes to create documents, and to export them."""
    settings = StorageSettings()
    connection = connect(folder / FILE_NAME, Disk(), cache_mb=settings.cache_mb)
    schema.prepare(connection, folder, Disk())
    connection.execute(f"PRAGMA wal_autocheckpoint = {settings.checkpoint_pages}")
    schema.create_collection_tables(connection, 1)
    watch = Watch(time.process_time)
    fields: dict[str, int] = {}
    for start in range(0, count, BATCH):
        _insert(connection, fields, range(start, min(start + BATCH, count)))
    created = watch.lap("create", count)
    size = sum(
        len(orjson.dumps({"_id": key, "body": orjson.loads(source)})) + 1
        for key, source in connection.execute("SELECT id, source FROM documents_1 ORDER BY id")
    )
    assert size
    exported = watch.lap("export", count)
    connection.close()
    return created | exported


class Watch:
    """Tells what each piece of work took: documents/s, and us of CPU for each of them."""

    def __init__(self, cpu: Callable[[], float]) -> None:
        self._cpu = cpu
        self._began = time.perf_counter(), cpu()

    def lap(self, name: str, count: int) -> dict[str, float]:
        """What was done since the last one."""
        at, cpu = self._began
        self._began = now, used = time.perf_counter(), self._cpu()
        return {f"{name}_per_s": count / (now - at), f"{name}_cpu_us": (used - cpu) / count * 1e6}


def _insert(connection: apsw.Connection, fields: dict[str, int], numbers: range) -> None:
    documents, values, rows = [], [], []
    for n in numbers:
        source = asset(n)
        text = orjson.dumps(source)
        documents.append((n + 1, f"asset-{n:07}", n + 1, text))
        for path, _, value in _MAPPING.rows(source):
            values.append((fields.setdefault(path, len(fields) + 1), value, n + 1))
        rows.append(
            (
                *(n + 1, 1, f"asset-{n:07}", 1, 0, 0, n * 300),
                *("-1", AUTHOR.request_id, "http", text, None, None, 0),
            )
        )
    with connection:
        connection.executemany(
            "INSERT INTO documents_1 (doc, id, version, seq, source) VALUES (?, ?, 1, ?, ?)",
            documents,
        )
        connection.executemany("INSERT INTO values_1 VALUES (?, ?, ?)", values)
        insert_rows(connection, rows)


async def through(server: Server, count: int) -> dict[str, float]:
    """The same through a router, with its CPU for each document and its memory."""
    url = f"{server.url}/{INDEX}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        await session.post(f"{url}/_create")
        await session.put(f"{url}/{COLLECTION}", json={"mappings": MAPPING})
        bodies = iter(
            [
                {"documents": [_document(n) for n in range(at, min(at + BATCH, count))]}
                for at in range(0, count, BATCH)
            ]
        )
        watch, lines = Watch(lambda: _cpu(server)), 0
        await asyncio.gather(*(_create(session, url, bodies) for _ in range(AT_WORK)))
        created = watch.lap("create", count)
        async with session.get(f"{url}/{COLLECTION}/_export") as answer:
            async for piece in answer.content.iter_any():
                lines += piece.count(b"\n")
        exported = watch.lap("export", count)
    assert lines == count + 1, lines
    return {**created, **exported, "peak_mb": _peak_mb(server)}


async def _create(session: aiohttp.ClientSession, url: str, bodies: Any) -> None:
    for body in bodies:
        async with session.post(f"{url}/{COLLECTION}/_mCreate", json=body) as answer:
            told = orjson.loads(await answer.read())
            assert told["status"] == 200, told
            assert not told["result"]["errors"]


def _document(n: int) -> dict[str, Any]:
    return {"_id": f"asset-{n:07}", "body": asset(n)}


def _cpu(server: Server) -> float:
    """Seconds of CPU that the router has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_mb(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(count: int) -> dict[str, dict[str, float]]:
    """One round: the baseline, then the router, each in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        base = bare(Path(folder), count)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        found = asyncio.run(through(server, count))
    ratios = {f"{name}_of_bare": found[name] / base[name] for name in base}
    return {"bare": base, "router": {**found, **ratios}}


def _middle(values: list[float]) -> dict[str, Any]:
    spread = [round(min(values), 3), round(max(values), 3)]
    return {"median": round(statistics.median(values), 3), "spread": spread}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    options, _ = parser.parse_known_args()
    rounds = []
    for _ in range(options.rounds):
        rounds.append(measure(options.documents))
        print(json.dumps(rounds[-1]), flush=True)
    report: dict[str, Any] = {"machine": machine(), "documents": options.documents}
    for part, first in rounds[0].items():
        report[part] = {name: _middle([each[part][name] for each in rounds]) for name in first}
    print(json.dumps(report, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
