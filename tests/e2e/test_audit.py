"""The audit of a real router: what it keeps of three wires, and what nobody can change in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from access.audit.segments import segments
from tests.support.audits import assert_whole, entries
from tests.support.program import trivium
from tests.support.server import Server, serving
from tests.support.wires import WIRES, Wire

BOUND_S = 90.0
CALLERS = 8
SEVENTH = b'"seq":7,'
EVERYTHING = {"TRIVIUM__AUDIT__REQUESTS": "all"}


@contextlib.asynccontextmanager
async def wire(server: Server, name: str) -> Any:
    opened = await WIRES[name](server.port, server.mqtt_port)
    try:
        yield opened
    finally:
        await opened.close()


async def search(by: Wire, **body: object) -> list[dict[str, Any]]:
    asked = {"controller": "security", "action": "searchAudit", "size": 100, "body": body}
    answer = await by.ask(asked)
    assert answer["error"] is None
    return list(answer["result"]["hits"])


def heads(server: Server) -> list[str]:
    return [str(line["head"]) for line in server.lines() if line["event"] == "audit head"]


@pytest.mark.parametrize("name", ["http", "websocket", "mqtt-3.1.1", "mqtt-5"])
async def test_who_did_what_is_found_again_over_every_wire(tmp_path: Path, name: str) -> None:
    with serving(tmp_path) as server:
        async with wire(server, name) as asking:
            await asking.ask({"controller": "auth", "action": "getCurrentUser", "requestId": "r1"})
            forged = {"controller": "server", "action": "now", "requestId": "r2", "jwt": "s3cr3t"}
            assert (await asking.ask(forged))["status"] == 401
            await asking.ask({"controller": "server", "action": "now", "requestId": "r3"})
            found = await search(asking)
            assert [it["requestId"] for it in found if it["requestId"] in "r1r2r3"][:2] == [
                "r2",
                "r1",
            ]
            by_id = {it["requestId"]: it for it in found}
            assert "r3" not in by_id
            assert by_id["r1"]["wire"] == name.partition("-")[0]
            assert by_id["r1"]["address"] == "127.0.0.1"
            assert (by_id["r1"]["kuid"], by_id["r1"]["by"]) == ("-1", "none")
            assert (by_id["r1"]["outcome"], by_id["r1"]["error"]) == ("allowed", None)
            assert (by_id["r2"]["outcome"], by_id["r2"]["kuid"]) == ("refused", None)
            assert by_id["r2"]["error"] == "security.token.invalid"
            refused = await search(asking, outcome="refused")
            assert [it["requestId"] for it in refused] == ["r2"]
    assert_whole(tmp_path / "data" / "audit", *heads(server))
    assert "s3cr3t" not in json.dumps([str(it) for it in entries(tmp_path / "data" / "audit")])


async def test_whom_the_origin_keeps_out_is_kept(tmp_path: Path) -> None:
    upgrade = {"Connection": "upgrade", "Upgrade": "websocket"}
    with serving(tmp_path) as server:
        for number, headers in enumerate(({}, upgrade)):
            foreign = {"Origin": "https://evil.example", "X-Kuzzle-Request-Id": f"evil{number}"}
            asked = urllib.request.Request(f"{server.url}/_now", headers={**foreign, **headers})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(asked, timeout=BOUND_S)
            refused.value.close()
        async with wire(server, "websocket") as asking:
            found = await search(asking, outcome="refused")
    assert [(it["requestId"], it["address"], it["error"]) for it in found] == [
        ("evil1", "127.0.0.1", "trivium.origin.refused"),
        ("evil0", "127.0.0.1", "trivium.origin.refused"),
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"from": "yesterday"}, "api.assert.invalid_argument"),
        ({"outcome": "good"}, "api.assert.invalid_argument"),
        ({"kuid": 3}, "api.assert.invalid_type"),
        ([], "api.assert.invalid_type"),
    ],
)
async def test_searches_that_make_no_sense(tmp_path: Path, body: Any, error: str) -> None:
    with serving(tmp_path) as server:
        async with wire(server, "websocket") as asking:
            asked = {"controller": "security", "action": "searchAudit", "body": body}
            assert (await asking.ask(asked))["error"]["id"] == error
            for size in (0, 1001, "x"):
                answer = await asking.ask({**asked, "body": {}, "size": size})
                assert answer["status"] == 400


@pytest.fixture(name="audited", scope="module")
def audited_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a router that answered ten requests and stopped, and its head."""
    folder = tmp_path_factory.mktemp("audited")
    with serving(folder, environment=EVERYTHING) as server:
        for _ in range(10):
            urllib.request.urlopen(f"{server.url}/_now", timeout=BOUND_S).close()
    *_, head = heads(server)
    return folder, head


def test_one_byte_that_was_edited_is_named(audited: tuple[Path, str]) -> None:
    folder, head = audited
    before = trivium("audit", "verify", "--head", head, folder=folder)
    assert (before.returncode, before.stderr) == (0, "")
    assert before.stdout == f"12 entries are as they were written; head {head}\n"
    # Around midnight there are two files.
    (part,) = [it for it in segments(folder / "data" / "audit") if SEVENTH in it.path.read_bytes()]
    lines = part.path.read_bytes().splitlines(keepends=True)
    (line,) = [each for each in lines if SEVENTH in each]
    edited = line.replace(b'"action":"now"', b'"action":"noW"')
    part.path.write_bytes(b"".join(edited if each is line else each for each in lines))
    try:
        after = trivium("audit", "verify", "--folder", "data/audit", folder=folder)
    finally:
        part.path.write_bytes(b"".join(lines))
    assert (after.returncode, after.stdout) == (1, "")
    assert after.stderr.startswith("[X] entry 7 (20")
    assert after.stderr.endswith("server:noW) was edited; 6 before it are true\n")


def test_export_prints_the_lines_of_a_time(audited: tuple[Path, str]) -> None:
    folder, _ = audited
    everything = trivium("audit", "export", folder=folder)
    parts = segments(folder / "data" / "audit")
    assert everything.stdout.encode() == b"".join(it.path.read_bytes() for it in parts)
    nothing = trivium("audit", "export", "--from", "2999-01-01", folder=folder)
    assert (nothing.returncode, nothing.stdout) == (0, "")
    all_again = trivium("audit", "export", "--from", "2000-01-01", folder=folder)
    assert all_again.stdout == everything.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify",), "there is no audit in data/audit"),
        (("export",), "there is no audit in data/audit"),
        (("verify", "--config", "none.toml"), "none.toml"),
    ],
)
def test_a_place_without_an_audit_is_named(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ran = trivium("audit", *words, folder=tmp_path)
    assert ran.returncode == 2
    assert said in ran.stderr


def test_a_head_that_can_not_be_one_is_named(audited: tuple[Path, str]) -> None:
    ran = trivium("audit", "verify", "--head", "abc", folder=audited[0])
    assert (ran.returncode, ran.stderr[:13]) == (2, "trivium: abc:")


def test_a_kill_in_the_middle_of_a_flood_leaves_a_chain_that_verifies(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "audit"
    with (
        serving(tmp_path, environment=EVERYTHING) as server,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        for _ in range(CALLERS):
            callers.submit(ask_on, server)
        grown(folder, 300_000)
        server.kill()
    count = assert_whole(folder)
    assert count > 500
    with serving(tmp_path, environment=EVERYTHING) as server:
        pass
    assert assert_whole(folder, *heads(server)) >= count + 2
    actions = [it.action for it in entries(folder)]
    assert actions.count("started") == 2
    assert actions[-1] == "stopped"


def ask_on(server: Server) -> None:
    """Ask until nobody answers any more."""
    connection = HTTPConnection(server.host, server.port, timeout=BOUND_S)
    with contextlib.suppress(HTTPException, OSError), contextlib.closing(connection):
        while True:
            connection.request("GET", "/_now")
            connection.getresponse().read()


def grown(folder: Path, size: int) -> None:
    """Return once the files are that big."""
    deadline = time.monotonic() + BOUND_S
    while sum(it.path.stat().st_size for it in segments(folder)) < size:
        assert time.monotonic() < deadline, "the flood left no entries"
        time.sleep(0.01)


@contextlib.contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Let the kernel refuse the router's files to grow."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("choice", ["serve", "refuse"])
async def test_a_full_disk_is_told_and_the_settings_say_what_becomes_of_requests(
    tmp_path: Path, choice: str
) -> None:
    me = {"controller": "auth", "action": "getCurrentUser"}
    chosen = {"TRIVIUM__AUDIT__WHEN_FAILING": choice}
    with serving(tmp_path, environment=chosen) as server:
        async with wire(server, "websocket") as asking:
            with full_disk(server):
                assert (await asking.ask(me))["status"] == 200, "the disk was good until now"
                await until_failing(server)
                answer = await asking.ask(me)
                unaudited = await asking.ask({"controller": "server", "action": "now"})
                assert unaudited["status"] == 200
            if choice == "refuse":
                assert answer["error"]["id"] == "trivium.audit.unavailable"
                assert answer["status"] == 503
            else:
                assert answer["status"] == 200
            deadline = time.monotonic() + BOUND_S
            while (await asking.ask(me))["status"] != 200:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
    assert_whole(tmp_path / "data" / "audit", *heads(server))


async def until_failing(server: Server) -> None:
    deadline = time.monotonic() + BOUND_S
    while True:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=BOUND_S) as metrics:
            lines = metrics.read().decode().splitlines()
        (failures,) = [it for it in lines if it.startswith('trivium_audit_total{event="failures"}')]
        if float(failures.split()[1]) > 0:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_two_routers_do_not_share_an_audit(tmp_path: Path) -> None:
    chosen = {"TRIVIUM__AUDIT__FOLDER": str(tmp_path / "audit")}
    with serving(tmp_path, environment=chosen):
        second = trivium(
            "serve", "--data", "other", "--port", "0", "--mqtt-port", "0",
            folder=tmp_path, environment=chosen,
        )  # fmt: skip
    assert second.returncode == 2
    assert "another router writes its audit there" in second.stderr


def test_no_audit_where_the_settings_want_none(tmp_path: Path) -> None:
    with serving(tmp_path, environment={"TRIVIUM__AUDIT__ENABLED": "false"}) as server:
        asked = urllib.request.Request(f"{server.url}/security/audit/_search", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=BOUND_S)
        with refused.value as answer:
            assert answer.status == 501
    assert not (tmp_path / "data" / "audit").exists()
