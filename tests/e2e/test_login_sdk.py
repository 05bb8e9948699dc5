"""kuzzle-sdk, unchanged, in Node: logged in, renewed, expired, cut off, and by API key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from router.settings import ServerSettings
from tests.e2e.test_realtime_clients import NODE, until
from tests.support.fleet import fleet_settings
from tests.support.ports import lasting_port
from trivium import App
from trivium.server import running

pytestmark = pytest.mark.needs("node", "kuzzle-sdk")

COMMON = {
    "before": ["-1", False],
    "first admin": "root-id",
    "anonymous now": "security.rights.unauthorized",
    "login": ["root-id", True, True],
    "checkToken": [True, "root-id"],
    "refreshToken": ["root-id", 7_200_000, True, True],
    "refreshed": ["root-id", True],
    "API key": ["root-id", True],
    "searchApiKeys": ["device"],
    "deleted API key": "security.token.invalid",
    "logout": [False, None, "security.rights.unauthorized"],
    "checkToken after logout": False,
    "expired": [False, None, "security.rights.unauthorized"],
    "recovered": ["root-id", True, 1],
    "done": None,
}
CUT = {
    "ready to be cut": None,
    "queued": [3, 1],
    "renewed before": 0,
    "ready to go on": None,
    "replayed": [["d1", "root-id"], ["d2", "root-id"], ["d3", "root-id"]],
    "still logged in": ["root-id", True, 1],
    "logged in again": ["root-id", True, 1],
}
FOUND_OUT = {
    "request before tokenExpired": "security.token.invalid",
    "request before reAuthenticated": "security.token.invalid",
}


async def program(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "node",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_ENV": "production"},
    )


async def ended(node: asyncio.subprocess.Process) -> None:
    """Wait for the program, which a failing test leaves behind."""
    if node.returncode is None:
        node.kill()
    await node.wait()


AUTH = str(NODE / "auth_program.mjs")


@pytest.mark.parametrize(
    "flags", [(), ("--experimental-websocket",)], ids=["websocket", "browser-websocket"]
)
async def test_over_websocket_and_through_a_restart(flags: tuple[str, ...], tmp_path: Path) -> None:
    # The same again after the restart, so none that others may get meanwhile.
    port = lasting_port()
    settings = fleet_settings(tmp_path).model_copy(update={"server": ServerSettings(port=port)})
    async with running(App(), settings):
        node = await program(*flags, AUTH, "ws", str(port))
        try:
            said = await until(node, "ready to be cut")
        except BaseException:
            await ended(node)
            raise
    assert node.stdin is not None
    try:
        node.stdin.write(b"go\n")
        said |= await until(node, "ready to go on")
        async with running(App(), settings):
            said |= await until(node, "done")
            await asyncio.wait_for(node.wait(), 120)
    finally:
        await ended(node)
    assert node.returncode == 0
    assert said == COMMON | CUT


async def test_over_http(tmp_path: Path) -> None:
    async with running(App(), fleet_settings(tmp_path)) as server:
        node = await program(AUTH, "http", str(server.port))
        try:
            said = await until(node, "done")
            await asyncio.wait_for(node.wait(), 120)
        finally:
            await ended(node)
    assert node.returncode == 0
    assert said == COMMON | FOUND_OUT
