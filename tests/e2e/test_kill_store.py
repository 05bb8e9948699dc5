"""kill -9 in the middle of writes: nothing acknowledged is lost, the store opens in a second."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import apsw

from router.settings import StorageSettings
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.acknowledging import COLLECTION, INDEX
from tests.support.server import ROOT, child_environment

ROUNDS = 12
OPEN_BOUND_S = 60.0


def write_until_killed(folder: Path, round_number: int, lines: int) -> dict[str, int]:
    """Let a child write, kill it after so many acknowledgements; the last version of each id."""
    command = [sys.executable, "-m", "tests.support.acknowledging", str(folder), str(round_number)]
    with subprocess.Popen(
        command, cwd=ROOT, env=child_environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        acknowledged: dict[str, int] = {}
        try:
            assert child.stdout.readline() == "open\n"
            for _ in range(lines):
                note(child.stdout.readline(), acknowledged)
        finally:
            child.kill()
        for line in child.stdout.read().splitlines(keepends=True):
            note(line, acknowledged)
    return acknowledged


def note(line: str, acknowledged: dict[str, int]) -> None:
    if not line.endswith("\n"):  # torn by the kill
        return
    name, version, _ = line.split()
    acknowledged[name] = max(acknowledged.get(name, 0), int(version))


async def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    draw = random.Random(3)
    known: dict[str, int] = {}
    for round_number in range(ROUNDS):
        fresh = write_until_killed(tmp_path, round_number, draw.randrange(1, 2500))
        assert fresh
        known.update(fresh)

        storage = SqliteStorage(StorageSettings(data=tmp_path))
        async with asyncio.timeout(OPEN_BOUND_S):
            await storage.open()
        names = sorted(known)
        found = await storage.mget(INDEX, COLLECTION, names)
        kept = {each.id: each.version for each in found if each is not None}
        lost = {name: known[name] for name in names if kept.get(name, 0) < known[name]}
        assert not lost, f"round {round_number}"
        rows = await storage.changes(0, limit=1_000_000)
        told = {(row.id, row.version) for row in rows}
        assert told >= set(known.items())
        await storage.close()
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()
