"""Asset updates on OpenSearch: coalesced against one by one through the same client.

Run: python -m bench.opensearch [--assets 20000] [--seconds 4] [--rounds 3]
     [--callers 1 64 512] [--out FILE]
The ways take turns, round by round, so that what else the machine does concerns all of them;
medians of the rounds and the ratio to one by one go to standard output and, with --out, to a file.
Starts an OpenSearch of its own (tests/setup/opensearch fetches it). One by one is what a router
without coalescing does for each update: read, conditional write, row of the feed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from router.settings import OpenSearchSettings
from storage.contract import Write
from storage.opensearch import places
from storage.opensearch.client import Client
from storage.opensearch.faults import RefusedError
from storage.opensearch.store import OpenSearchStorage
from tests.support.opensearch import VERSION, OpenSearchServer

INDEX, COLLECTION = "fleet", "assets"
ALIAS = places.alias(places.PUBLIC.physical(INDEX, COLLECTION))
MAPPING = {
    "properties": {
        "model": {"type": "keyword"},
        "metadata": {"properties": {"battery": {"type": "integer"}, "city": {"type": "keyword"}}},
    }
}
Update = Callable[[str, int], Awaitable[object]]
Figures = dict[str, float]
Row = dict[str, object]


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def coalesced(storage: OpenSearchStorage, *, refresh: bool) -> Update:
    async def update(id: str, value: int) -> object:
        changes = {"metadata": {"battery": value}}
        place = {"index": INDEX, "collection": COLLECTION}
        return await storage.write(
            Write(verb="update", id=id, content=changes, refresh=refresh, **place)
        )

    return update


def one_by_one(client: Client) -> Update:
    async def update(id: str, value: int) -> None:
        found = await client.request("GET", ALIAS, "_doc", id)
        source = found["_source"]
        source["metadata"]["battery"] = value
        seen = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
        params = {key: str(number) for key, number in seen.items()}
        try:
            done = await client.request("PUT", ALIAS, "_doc", id, body=source, params=params)
        except RefusedError:  # another caller was faster: a conflict counts as done
            return
        row = {"index": INDEX, "id": id, "changes": {"battery": value}}
        changes = places.alias(places.PUBLIC.changes)
        await client.request("PUT", changes, "_create", f"{id}@{done['_seq_no']}", body=row)

    return update


async def measure(update: Update, args: argparse.Namespace, callers: int, pid: int) -> Figures:
    took: list[float] = []
    ends = time.monotonic() + args.seconds

    async def caller(number: int) -> None:
        draw = random.Random(number)
        while time.monotonic() < ends:
            began = time.monotonic()
            await update(f"a{draw.randrange(args.assets)}", draw.randrange(100))
            took.append(time.monotonic() - began)

    began, own, server = time.monotonic(), time.process_time(), cpu_s(pid)
    await asyncio.gather(*(caller(number) for number in range(callers)))
    seconds = time.monotonic() - began
    own, server = time.process_time() - own, cpu_s(pid) - server
    count = len(took)
    took.sort()
    return {
        "per_s": round(count / seconds),
        "p50_ms": round(took[count // 2] * 1e3, 1),
        "p99_ms": round(took[int(count * 0.99)] * 1e3, 1),
        "router_cpu_us": round(own / count * 1e6),
        "server_cpu_us": round(server / count * 1e6),
    }


async def run(args: argparse.Namespace, server: OpenSearchServer) -> list[Row]:
    storage = OpenSearchStorage(OpenSearchSettings(nodes=server.url))
    await storage.open()
    client = Client(OpenSearchSettings(nodes=server.url, connections=64))
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    for first in range(0, args.assets, 5_000):
        numbers = range(first, min(first + 5_000, args.assets))
        await storage.bulk([asset(number) for number in numbers])
    ways = {
        "coalesced": coalesced(storage, refresh=False),
        "one by one": one_by_one(client),
        "wait_for": coalesced(storage, refresh=True),
    }
    rows = [
        row for callers in args.callers for row in await compare(ways, args, callers, server.pid)
    ]
    await client.close()
    await storage.close()
    return rows


async def compare(
    ways: dict[str, Update], args: argparse.Namespace, callers: int, pid: int
) -> list[Row]:
    """Medians of each way, and how many times the updates of one by one it did."""
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, update in ways.items():
            found[name].append(await measure(update, args, callers, pid))
    rows: list[Row] = []
    for name, rounds in found.items():
        ratios = [
            own["per_s"] / base["per_s"]
            for own, base in zip(rounds, found["one by one"], strict=True)
        ]
        row: Row = {
            "way": name,
            "callers": callers,
            **{key: statistics.median(each[key] for each in rounds) for key in rounds[0]},
            "times_one_by_one": round(statistics.median(ratios), 2),
            "spread": [round(min(ratios), 2), round(max(ratios), 2)],
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def asset(number: int) -> Write:
    content = {"model": f"M{number % 20}", "metadata": {"battery": 1, "city": f"c{number % 500}"}}
    return Write(
        verb="create", index=INDEX, collection=COLLECTION, id=f"a{number}", content=content
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 64, 512])
    args = parser.parse_args()
    server = OpenSearchServer()
    try:
        server.start()
        rows = uvloop.run(run(args, server))
    finally:
        server.stop()
    if args.out is not None:
        options = {key: value for key, value in vars(args).items() if key != "out"}
        report = {**machine(), "options": options, "rows": rows}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def machine() -> dict[str, str]:
    """What was measured, and where."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    cores = f"{platform.machine()} {os.cpu_count()} cores {platform.python_version()}"
    return {"commit": asked.stdout.strip(), "machine": cores, "opensearch": VERSION}


if __name__ == "__main__":
    main()
