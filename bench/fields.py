"""What mapped fields cost durable asset updates: none, 5, 20, and texts among them.

Run: python -m bench.fields [--assets 20000] [--updates 20000] [--rounds 3] [--out FILE]
Each update changes one field, mapped where any is, by 64 callers that wait for their answers; the
shapes take turns within a round. Medians of CPU per update, all threads, and of updates a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from router.settings import StorageSettings
from storage.contract import Author, Write
from storage.sqlite.store import SqliteStorage

INDEX, COLLECTION = "fleet", "assets"
AUTHOR = Author("-1", "0b6f3b0e-5a0c-4c55-9c1e-0a6f1c1e7a10", "websocket")
CALLERS = 64
WORDS = [f"word{number}" for number in range(2_000)]
SHAPES: dict[str, tuple[int, str]] = {
    "0 mapped": (0, "double"),
    "5 mapped": (5, "double"),
    "20 mapped": (20, "double"),
    "5 texts of 10 words": (5, "text"),
}


def mapping(count: int, kind: str) -> dict[str, Any]:
    fields = {f"f{number}": {"type": kind} for number in range(count)}
    return {"properties": {"metadata": {"properties": fields}}}


def value(kind: str) -> Any:
    return random.random() if kind == "double" else " ".join(random.choices(WORDS, k=10))


def write(verb: Any, number: int, content: Any) -> Write:
    return Write(
        verb=verb,
        index=INDEX,
        collection=COLLECTION,
        id=f"asset-{number}",
        content={"metadata": content},
        author=AUTHOR,
    )


async def measure(folder: Path, shape: str, assets: int, updates: int) -> dict[str, float]:
    count, kind = SHAPES[shape]
    storage = SqliteStorage(StorageSettings(data=folder))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, mapping(count, kind))
    contents = ({f"f{at}": value(kind) for at in range(20)} for _ in range(assets))
    await storage.bulk([write("create", at, each) for at, each in enumerate(contents)])

    async def caller() -> None:
        for _ in range(updates // CALLERS):
            change = {"f0": value(kind)}
            await storage.write(write("update", random.randrange(assets), change))

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    burnt, took = time.process_time() - cpu, time.perf_counter() - began
    done = updates // CALLERS * CALLERS
    await storage.close()
    return {"cpu_us": round(burnt / done * 1e6, 1), "per_s": round(done / took)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, default=20_000)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    options, _ = parser.parse_known_args()
    rounds: dict[str, list[dict[str, float]]] = {shape: [] for shape in SHAPES}
    for _ in range(options.rounds):
        for shape, told in rounds.items():
            with tempfile.TemporaryDirectory() as folder:
                arguments = (Path(folder), shape, options.assets, options.updates)
                told.append(uvloop.run(measure(*arguments)))
    report = {
        shape: {key: statistics.median(each[key] for each in told) for key in told[0]}
        for shape, told in rounds.items()
    }
    print(json.dumps(report, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
