"""Run as a child: writes through the embedded store and prints each acknowledgement.

Usage: python -m tests.support.acknowledging FOLDER ROUND
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from router.settings import StorageSettings
from storage.contract import Write
from storage.sqlite.store import SqliteStorage

INDEX, COLLECTION = "fleet", "assets"
CALLERS = 16
ASSETS = 50


async def main(folder: Path, round_number: int) -> None:
    storage = SqliteStorage(StorageSettings(data=folder, checkpoint_pages=200))
    await storage.open()
    await storage.create_collection(
        INDEX, COLLECTION, {"properties": {"step": {"type": "integer"}}}
    )
    print("open", flush=True)

    async def caller(number: int) -> None:
        step = 0
        while True:  # until killed
            step += 1
            name = f"asset-{(number * 7 + step) % ASSETS}"
            content = {"step": step, "round": round_number, "fill": "x" * (step % 700)}
            write = Write(
                verb="upsert", index=INDEX, collection=COLLECTION, id=name, content=content
            )
            written = await storage.write(write)
            print(name, written.version, step, flush=True)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
