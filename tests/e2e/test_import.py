"""`trivium import`: whole files, cut and killed ones, broken lines, and who may."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from tests.support.program import trivium
from tests.support.server import Server, child_environment, serving, start
from trivium.imports.journal import Journal, Progress
from trivium.imports.run import BATCH_BYTES

COUNT = 4_000
NEVER = sys.maxsize
BOUND_S = 120.0


class Stored(NamedTuple):
    """What a collection holds: documents, and the highest of their versions."""

    count: int
    version: int


def stored(server: Server, index: str, collection: str) -> Stored:
    """Read from the file itself, whether the router runs or not."""
    connection = apsw.Connection(str(server.data / "trivium.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        number = connection.execute(
            "SELECT number FROM collections WHERE (index_name, name) = (?, ?)", (index, collection)
        ).get
        told = f"SELECT count(*), coalesce(max(version), 0) FROM documents_{number}"
        return Stored(*connection.execute(told).get)
    finally:
        connection.close()


def call(server: Server, name: str, *place: str, body: Any = None) -> Any:
    controller, _, action = name.partition(":")
    named = dict(zip(("index", "collection", "_id"), place, strict=False))
    request = {"controller": controller, "action": action, **named, "body": body}
    asked = urllib.request.Request(
        f"{server.url}/_query",
        data=json.dumps(request).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=BOUND_S) as answer:
        return json.load(answer).get("result")


def words(file: Path, port: int, *more: str) -> list[str]:
    return ["import", str(file), "--port", str(port), *more]


def imported(file: Path, server: Server, *more: str, code: int = 0) -> tuple[str, list[str]]:
    """What an import that ends with this exit code prints, to standard output and error."""
    ran = trivium(*words(file, server.port, *more))
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout, ran.stderr.splitlines()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A new collection, as flags name it."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50]
    mapping = {"properties": {"n": {"type": "integer"}, "name": {"type": "keyword"}}}
    call(server, "index:exists", "lab") or call(server, "index:create", "lab")
    call(server, "collection:create", "lab", name, body={"mappings": mapping})
    return ("-i", "lab", "-c", name)


def many(file: Path) -> Path:
    """Documents, every other one without an id."""
    with file.open("w") as out:
        for n in range(COUNT):
            key = {"_id": f"d{n}"} if n % 2 else {}
            out.write(json.dumps({**key, "body": {"n": n, "text": "x" * 150}}) + "\n")
    return file


def at(file: Path) -> int:
    """Bytes of a file that are imported, as its journal has it."""
    try:
        return int(json.loads(Path(f"{file}.progress").read_bytes())["offset"])
    except FileNotFoundError:
        return 0


def begin(file: Path, port: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trivium", *words(file, port, *more)]
    return subprocess.Popen(
        command,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_past(file: Path, offset: int, process: subprocess.Popen[str]) -> None:
    """Until more than this is imported, or the import is at its end."""
    deadline = time.monotonic() + BOUND_S
    while at(file) <= offset and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestAnExport:
    def test_comes_back_as_it_was(self, server: Server, place: tuple[str, ...], tmp_path: Path):
        odd = {"_id": "é/1", "body": {"name": 'a "b"\n', "n": None, "deep": {"x": [1, {}]}}}
        stamp = {"author": "ada", "createdAt": 1, "updater": None, "updatedAt": None}
        old = {"_id": "old", "body": {"n": 1, "_kuzzle_info": stamp}}
        first = tmp_path / "first.jsonl"
        first.write_text("".join(json.dumps(each) + "\n" for each in (odd, old)))
        told, _ = imported(first, server, *place)
        assert told == f"2 documents are in lab/{place[3]}, 0 lines were refused\n"
        out = tmp_path / "out.jsonl"
        ran = trivium("export", "lab", place[3], str(out), "--port", str(server.port))
        assert ran.returncode == 0, ran.stderr
        head, *lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert head == {"type": "collection", "index": "lab", "collection": place[3]}
        assert sorted(lines, key=lambda each: each["_id"]) == [old, odd]
        call(server, "collection:truncate", "lab", place[3])
        # The file says itself where it belongs.
        imported(out, server)
        again = call(server, "document:get", "lab", place[3], "old")
        assert again["_source"] == old["body"]

    def test_as_csv_comes_back_by_the_mapping(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = tmp_path / "in.csv"
        file.write_text('_id,n,name\na,1,12\nb,,"x\ny"\nc,high,z\n')
        told, errors = imported(file, server, *place, code=1)
        assert told.startswith("2 documents")
        assert errors == [f'{file}:5: n: "high" is not a whole number']
        out = tmp_path / "out.csv"
        ran = trivium("export", "lab", place[3], str(out), "--port", str(server.port))
        assert ran.returncode == 0, ran.stderr
        assert out.read_text() == '_id,n,name\na,1,12\nb,,"x\ny"\n'


class TestBrokenLines:
    TEXT = (
        '{"_id": "a", "n": 1}\n'
        "no json\n"
        '{"_id": "b", "n": 2}\n'
        '{"_id": "deep", "n": ' + "[" * 100 + "]" * 100 + "}\n"
        '{"_id": "large", "text": "' + "x" * 2_000_000 + '"}\n'
        '{"_id": "wrong", "n": "many"}\n'
        '{"_id": "c", "n": 3}\n'
    )

    def test_are_named_and_the_others_are_in(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = tmp_path / "some.jsonl"
        file.write_text(self.TEXT)
        told, errors = imported(file, server, *place, code=1)
        assert told == f"3 documents are in lab/{place[3]}, 4 lines were refused\n"
        assert sorted(line.split(": ")[0] for line in errors) == [
            f"{file}:{n}" for n in (2, 4, 5, 6)
        ]
        assert stored(server, "lab", place[3]) == (3, 1)
        assert not Path(f"{file}.progress").exists()

    def test_let_nothing_in_where_it_is_strict(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = tmp_path / "some.jsonl"
        file.write_text(self.TEXT)
        _, errors = imported(file, server, *place, "--strict", code=1)
        assert errors[0].startswith(f"{file}:2: is not JSON")
        assert errors[-1] == "[X] 1 lines aren't fit; nothing was imported"
        assert stored(server, "lab", place[3]).count == 0

    def test_that_the_router_refuses_stop_a_strict_import_which_goes_on_once_mended(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = tmp_path / "some.jsonl"
        file.write_text('{"_id": "a", "n": 1}\n{"_id": "b", "n": "many"}\n')
        _, errors = imported(file, server, *place, "--strict", code=1)
        assert errors[0].startswith(f"{file}:2: ")
        assert errors[-1].startswith("[X] stopped, as a line was refused")
        file.write_text('{"_id": "a", "n": 1}\n{"_id": "b", "n": 2}\n')
        imported(file, server, *place, "--strict")
        assert stored(server, "lab", place[3]) == (2, 1)


class TestAnImportThatIsKilled:
    def test_goes_on_and_doubles_nothing(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = many(tmp_path / "many.jsonl")
        for batches in (1.5, 2.5, 1.5):  # of six
            way = Way(server.port, holds_after=int(batches * BATCH_BYTES))
            with begin(file, way.port, *place) as process:
                wait_past(file, at(file), process)
                process.kill()
            way.close()
            assert process.returncode == -9
        _, errors = imported(file, server, *place)
        assert errors[0].startswith("going on at line ")
        assert stored(server, "lab", place[3]) == (COUNT, 1)


class TestARouterThatIsKilled:
    def test_stops_an_import_which_goes_on_later(self, tmp_path: Path):
        file = many(tmp_path / "many.jsonl")
        into = ("-i", "lab", "-c", "things")
        server = start(tmp_path)
        call(server, "index:create", "lab")
        call(server, "collection:create", "lab", "things")
        way = Way(server.port, holds_after=3 * BATCH_BYTES)
        with begin(file, way.port, *into) as process:
            wait_past(file, 0, process)
            server.kill()
            _, told = process.communicate(timeout=BOUND_S)
        way.close()
        assert process.returncode == 1
        assert re.search(
            r"\[X\] no answer over HTTP: .*; the same command goes on at line \d+", told
        )
        with serving(tmp_path) as again:
            imported(file, again, *into)
            assert stored(again, "lab", "things") == (COUNT, 1)


class Way:
    """A way to a router.

    Args:
        deaf_after: Once it has let so many bytes of requests through, answers get lost.
        holds_after: It lets no more than that through until it is closed.
    """

    def __init__(self, port: int, *, deaf_after: int = NEVER, holds_after: int = NEVER) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._deaf_after, self._holds_after = deaf_after, holds_after
        self._passed = 0
        self._is_closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.close()
        self._is_closed.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, is_answer in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pass, args=(source, sink, is_answer), daemon=True
                ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        try:
            while piece := source.recv(65_536):
                self._passed += 0 if is_answer else len(piece)
                if is_answer and self._passed > self._deaf_after:
                    for end in (sink, source):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                if not is_answer and self._passed > self._holds_after:
                    self._is_closed.wait()
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class TestAnAnswerThatIsLost:
    @pytest.mark.parametrize("kind", ["documents", "assets"])
    def test_leaves_a_doubt_that_the_next_run_clears_up(
        self, kind: str, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = many(tmp_path / "many.jsonl")
        into, where = place, ("lab", place[3])
        if kind == "assets":
            call(server, "device-manager/engine:create", "fleet")
            rows = "".join(f"R{n},{n}\n" for n in range(COUNT * 3))
            file = tmp_path / "many.csv"
            file.write_text(f"reference,metadata.note\n{rows}")
            into, where = ("-i", "fleet", "-m", "Truck"), ("fleet", "assets")
        way = Way(server.port, deaf_after=200_000)
        with begin(file, way.port, *into) as process:
            _, told = process.communicate(timeout=BOUND_S)
        way.close()
        assert process.returncode == 1, told
        before = stored(server, *where).count
        known = json.loads(Path(f"{file}.progress").read_bytes())["stored"]
        assert before > known, "the router has stored no more than was answered"
        told, _ = imported(file, server, *into)
        count = COUNT if kind == "documents" else COUNT * 3
        assert told.startswith(f"{count} {kind} are in ")
        assert stored(server, *where) == (count, 1)


class TestARunThatIsRefused:
    def test_leaves_what_an_earlier_one_sent_in_doubt(
        self, server: Server, place: tuple[str, ...], tmp_path: Path
    ):
        file = tmp_path / "one.jsonl"
        file.write_text('{"n": 1}\n')
        sent = Progress("lab/none", "key", 0, 1, hashlib.sha256().hexdigest(), doubt_until=9)
        Journal(file).note(sent)
        _, errors = imported(file, server, "-i", "lab", "-c", "none", code=1)
        assert errors[-1].endswith("; the same command goes on at line 1")
        # Another key would store the line once more.
        assert json.loads(Path(f"{file}.progress").read_bytes())["key"] == "key"

    def test_names_what_leads_nowhere(self, server: Server, tmp_path: Path):
        file = tmp_path / "one.csv"
        file.write_text("n\n1\n")
        _, errors = imported(file, server, "-i", "", "-c", "things", code=1)
        assert len(errors) == 1
        assert errors[0].startswith("[X] Missing URL param")


class TestWhoMay:
    def test_a_user_logs_in_or_has_a_key(self, tmp_path: Path):
        made = trivium("admin", "create", "root", "--data", "data", folder=tmp_path, stdin="a" * 12)
        assert made.returncode == 0, made.stderr
        file = tmp_path / "one.jsonl"
        file.write_text('{"_id": "a", "n": 1}\n')
        into = ("-i", "lab", "-c", "things")
        login = {"KUZZLE_USERNAME": "root", "KUZZLE_PASSWORD": "a" * 12}
        with serving(tmp_path) as server:
            _, errors = imported(file, server, *into, code=1)
            assert len(errors) == 1
            run = words(file, server.port, *into)
            wrong = trivium(*run, environment={**login, "KUZZLE_PASSWORD": "b" * 12})
            assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
            missing = trivium(*run, environment=login)
            assert "lab" in missing.stderr
            # What failed before anything was imported is no import to go on with.
            assert not Path(f"{file}.progress").exists()
