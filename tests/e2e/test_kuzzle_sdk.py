"""kuzzle-sdk, unchanged, in Node: over WebSocket (both implementations) and over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import running

NODE = Path(__file__).parent.parent / "node"

pytestmark = pytest.mark.needs("node", "kuzzle-sdk")


async def run(program: str, *arguments: str, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the program said, step by step; it must end well."""
    process = await asyncio.create_subprocess_exec(
        "node",
        *flags,
        str(NODE / program),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_ENV": "production"},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 240)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, (out.decode(), err.decode())
    said = [json.loads(line) for line in out.decode().splitlines()]
    return {line["step"]: line["value"] for line in said}


@pytest.mark.parametrize(
    ("protocol", "flags"),
    [("ws", ()), ("ws", ("--experimental-websocket",)), ("http", ())],
    ids=["websocket", "browser-websocket", "http"],
)
async def test_a_program_works_unchanged(
    protocol: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        said = await run("sdk_program.mjs", protocol, str(server.port), flags=flags)
    assert said["done"] is None
    assert "networkError" not in said
    assert "discarded" not in said
    assert said["now"] == "number"
    assert said["adminExists"] is False
    assert said["checkToken"]["kuid"] == "-1"
    assert said["currentUser"] == "-1"
    assert said["rights"] >= 1
    assert said["index.exists"] is True
    assert "sdk" in said["index.list"]
    assert said["collection.exists"] is True
    assert said["collection.list"] == [{"name": "things", "type": "stored"}]
    assert said["mapping"] == {"n": {"type": "integer"}, "name": {"type": "keyword"}}
    assert said["create"] == 1
    assert said["create auto"] == "string"
    assert said["update"] == 5
    assert said["update source"] == "a"
    assert said["get"] == 6
    assert said["exists"] is True
    assert said["createOrReplace"] == 1
    assert said["replace"] == "d"
    assert said["count"] == 2
    assert said["search"] == {"total": 3, "hits": [2, 6]}
    assert said["search next"] == [2, 6, 10]
    assert said["search scrolled"] == [[10, 6], [2]]
    assert said["search after"] == [[2], [6], [10]]
    assert said["delete"] == "d2"
    assert said["get of none"] == {
        "id": "services.storage.not_found",
        "status": 404,
        "code": 16842763,
    }
    assert said["unknown index"]["id"] == "services.storage.unknown_index"
    assert [engine["index"] for engine in said["engines"]["engines"]] == ["fleet"]
    assert said["asset update"]["_version"] == 2
    assert said["asset update"]["_source"]["metadata"] == {"weight": 2}
    assert said["asset update source"] == {"weight": 2, "doors": 4}
    assert said["asset search"] == 1
    assert said["asset update of none"]["status"] == 404
    assert said["many versions differ"] == 200
    assert said["the last one stands"] is True
    assert said.get("still connected", True) is True
