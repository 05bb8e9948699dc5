"""The power goes at any write or sync: no acknowledged write is lost, the store opens.

`TRIVIUM_POWER_CUTS=200` cuts two hundred times, in place of as often as a run of all tests allows.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import NamedTuple

import apsw

from router.errors import RouterError
from router.settings import StorageSettings
from storage.contract import StoreOpenError, Write, Written
from storage.query import Search, Terms
from storage.sqlite.connection import FILE_NAME, Disk
from storage.sqlite.store import SqliteStorage
from tests.support.disks import SimulatedDisk

INDEX, COLLECTION = "fleet", "assets"
CUTS = int(os.environ.get("TRIVIUM_POWER_CUTS", "40"))
CALLERS = 8
ROUNDS = 60
MAPPING = {"properties": {"size": {"type": "integer"}, "name": {"type": "keyword"}}}


class Kept(NamedTuple):
    """The last acknowledged write of a document; for a delete, the document before it."""

    written: Written
    is_gone: bool


def settings_for(folder: Path) -> StorageSettings:
    # A small log, so that cuts also hit checkpoints.
    return StorageSettings(data=folder, checkpoint_pages=100, cache_mb=2)


async def write_until_dark(storage: SqliteStorage, draw: random.Random) -> dict[str, Kept]:
    """Write with several callers until a write fails; the last acknowledged write of each id."""
    acknowledged: dict[str, Kept] = {}

    async def caller(number: int) -> None:
        for step in range(ROUNDS):
            name = f"asset-{number}-{draw.randrange(6)}"
            content = {"size": step, "name": "x" * draw.randrange(1500)}
            verb = "delete" if draw.random() < 0.1 else "upsert"
            write = Write(verb=verb, index=INDEX, collection=COLLECTION, id=name, content=content)
            try:
                written = await storage.write(write)
            except RouterError as error:
                if error.id == "services.storage.not_found":
                    continue
                return
            acknowledged[name] = Kept(written, is_gone=verb == "delete")

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return acknowledged


async def cut_once(
    folder: Path, disk: SimulatedDisk, seed: int, synchronous: str
) -> tuple[int, int]:
    """Write, cut the power at a random point, open what is left; acknowledged writes and losses."""
    draw = random.Random(seed)
    before, after = folder / "before", folder / "after"
    after.mkdir(parents=True)
    storage = SqliteStorage(settings_for(before), disk=Disk(disk.name, synchronous))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    disk.operations_left = draw.randrange(1, 1500)
    acknowledged = await write_until_dark(storage, draw)
    disk.operations_left = 0
    disk.save_remains(after, draw)
    await storage.close()
    return len(acknowledged), await count_losses(after, acknowledged)


async def count_losses(folder: Path, acknowledged: dict[str, Kept]) -> int:
    """How many acknowledged writes the store in the folder doesn't know (all if it won't open)."""
    storage = SqliteStorage(settings_for(folder))
    try:
        await storage.open()
    except StoreOpenError:
        return max(1, len(acknowledged))
    try:
        return sum([not await is_kept(storage, kept) for kept in acknowledged.values()])
    except RouterError:  # unknown collection, damaged pages
        return max(1, len(acknowledged))
    finally:
        await storage.close()
        if acknowledged:
            check_file(folder / FILE_NAME)


async def is_kept(storage: SqliteStorage, kept: Kept) -> bool:
    written = kept.written
    (found,) = await storage.mget(INDEX, COLLECTION, [written.id])
    if found is None:
        return kept.is_gone
    size = found.source["size"]
    hits = await storage.search(
        [(INDEX, COLLECTION)], Search(query=Terms("size", (size,)), size=99)
    )
    is_indexed = any(hit.id == written.id for hit in hits.hits)
    # A write that was under way may be there too; an older one must not.
    is_current = found.version > written.version or found.source == written.source
    return is_indexed and is_current


def check_file(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


async def cut(folder: Path, seed: int, synchronous: str) -> tuple[int, int]:
    disk = SimulatedDisk()
    try:
        return await cut_once(folder / f"{synchronous}-{seed}", disk, seed, synchronous)
    finally:
        disk.close()


async def test_no_acknowledged_write_is_lost_when_the_power_goes(tmp_path: Path) -> None:
    seen = 0
    for seed in range(CUTS):
        acknowledged, lost = await cut(tmp_path, seed, "full")
        assert lost == 0, f"seed {seed}: {lost} of {acknowledged} lost"
        seen += acknowledged
    assert seen > CUTS, "the cuts came before anything was acknowledged"


async def test_a_store_that_does_not_sync_loses_writes(tmp_path: Path) -> None:
    """The proof that the test above can fail."""
    losses = [await cut(tmp_path, seed, "off") for seed in range(5)]
    assert any(lost for _, lost in losses)
