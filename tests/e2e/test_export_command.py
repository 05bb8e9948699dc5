"""`trivium export`: whole files or none, what a query finds, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage.contract import Hit
from storage.query import Search
from tests.e2e.test_export import DOCUMENTS, PLACE, CountingStorage, fill, lab
from tests.support.people import ROOT, peopled
from tests.support.program import trivium
from tests.support.server import child_environment
from trivium.cli.export import Counter
from trivium.server import Server

WHERE = ("export", *PLACE.values())


async def run(server: Server, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, while the router serves in this process."""
    more = ("--port", str(server.port))
    return await asyncio.to_thread(trivium, *words, *more, environment=environment)


async def exported(server: Server, *words: str) -> str:
    ran = await run(server, *WHERE, *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


class TestWhatIsWritten:
    async def test_to_standard_output_is_json_lines(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, storage):
            await fill(storage, DOCUMENTS)
            head, *lines = (await exported(server)).splitlines()
        assert json.loads(head) == {"type": "collection", **PLACE}
        assert [json.loads(line)["_id"] for line in lines] == ["a", "b", "c"]

    async def test_to_a_file_gets_the_form_of_its_name(self, tmp_path: Path) -> None:
        file = tmp_path / "things.csv"
        async with lab(tmp_path) as (server, storage):
            await fill(storage, DOCUMENTS)
            ran = await run(server, *WHERE, str(file), "--fields", "n, name")
        assert (ran.returncode, ran.stdout) == (0, "")
        assert ran.stderr == f"3 documents of lab/things are in {file}\n"
        rows = list(csv.reader(io.StringIO(file.read_text())))
        assert rows[:3] == [
            ["_id", "n", "name"],
            ["a", "1", 'say "hi", you'],
            ["b", "2", "line\nbreak"],
        ]

    @pytest.mark.parametrize(
        "words",
        [
            ("--query", '{"range": {"n": {"gte": 2}}}'),
            ("--query", '{"range": {"n": {"gte": 2}}}', "--lang", "koncorde"),
        ],
    )
    async def test_is_what_a_query_finds(self, words: tuple[str, ...], tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, storage):
            await fill(storage, DOCUMENTS)
            _, *lines = (await exported(server, *words)).splitlines()
        assert [json.loads(line)["_id"] for line in lines] == ["b", "c"]

    async def test_may_be_cut_short_by_who_reads(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, storage):
            await fill(storage, {f"d{n}": {"text": "x" * 1_000} for n in range(2_000)})
            command = [sys.executable, "-m", "trivium", *WHERE, "--port", str(server.port)]
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=child_environment(),
            )
            assert process.stdout is not None
            assert process.stderr is not None
            await process.stdout.readline()
            process.stdout._transport.close()  # type: ignore[attr-defined]
            said = await asyncio.wait_for(process.stderr.read(), 120)
            assert (await process.wait(), said) == (0, b"")

    async def test_a_user_who_may_is_asked_for(self, tmp_path: Path) -> None:
        login = {"KUZZLE_USERNAME": ROOT["username"], "KUZZLE_PASSWORD": ROOT["password"]}
        async with peopled() as server:
            await server.core.storage.create_collection(*PLACE.values(), {})
            stranger = await run(server, *WHERE)
            known = await run(server, *WHERE, **login)
        assert (stranger.returncode, stranger.stdout) == (1, "")
        assert known.returncode == 0, known.stderr


class TestWhatGoesWrong:
    """One line says so, the exit code is 1, and no file is left that looks whole."""

    @staticmethod
    def refused(ran: subprocess.CompletedProcess[str], says: str, folder: Path) -> None:
        assert ran.returncode == 1
        assert ran.stderr.count("\n") == 1
        assert says in ran.stderr
        assert not list(folder.glob("*.jsonl*"))

    async def test_a_query_that_makes_no_sense(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, _):
            ran = await run(server, *WHERE, str(tmp_path / "a.jsonl"), "--query", '{"equals": {}}')
        self.refused(ran, "equals", tmp_path)

    async def test_a_collection_that_is_not_there(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, _):
            ran = await run(server, "export", "lab", "none", str(tmp_path / "a.jsonl"))
        self.refused(ran, "none", tmp_path)

    async def test_a_file_that_is_there_already(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("mine")
        async with lab(tmp_path) as (server, _):
            ran = await run(server, *WHERE, str(tmp_path / "a.txt"))
        self.refused(ran, "exists", tmp_path)
        assert (tmp_path / "a.txt").read_text() == "mine"

    @pytest.mark.parametrize("form", ["jsonl", "csv"])
    async def test_an_error_in_the_middle(self, form: str, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, storage):
            await fill(storage, {f"d{n:04}": {"n": n} for n in range(3_000)})
            with failing_later(storage):
                file = tmp_path / f"a.{form}"
                ran = await run(server, *WHERE, str(file))
        self.refused(ran, "no collection", tmp_path)
        assert not file.exists()

    async def test_a_router_that_goes_in_the_middle(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as (server, storage):
            await fill(storage, {f"d{n:04}": {"n": n} for n in range(3_000)})
            with failing_later(storage, lambda: cut(server)):
                ran = await run(server, *WHERE, str(tmp_path / "a.jsonl"))
        self.refused(ran, "no answer over HTTP", tmp_path)

    def test_nobody_at_the_port(self, tmp_path: Path) -> None:
        ran = trivium(*WHERE, str(tmp_path / "a.jsonl"), "--port", "9")
        self.refused(ran, "no answer over HTTP", tmp_path)

    def test_a_query_that_is_no_json(self) -> None:
        ran = trivium(*WHERE, "--query", "{a")
        assert (ran.returncode, "not JSON" in ran.stderr) == (2, True)


@contextmanager
def failing_later(storage: CountingStorage, also: Any = None) -> Iterator[None]:
    """The collection goes after the first page of a scan."""
    original = storage.scan

    async def scan(index: str, collection: str, search: Search, after_id: str = "") -> list[Hit]:
        if after_id and also is not None:
            also()
        elif after_id:
            await storage.delete_collection(*PLACE.values())
        return await original(index, collection, search, after_id)

    storage.scan = scan  # type: ignore[method-assign]
    yield


def cut(server: Server) -> None:
    for connection in list(server.wires.http._connections):
        connection.transport.abort()


class TestCounting:
    TEXT = b'_id,a\nx,"1\n2 ""\n"" 3"\ny,\n'

    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_rows_of_csv_however_they_are_cut(self, size: int) -> None:
        counter = Counter("csv")
        seen = sum(counter.see(self.TEXT[at : at + size]) for at in range(0, len(self.TEXT), size))
        assert (seen, counter.documents) == (2, 2)
