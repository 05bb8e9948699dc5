"""The frames that the Kourou command line sends, byte for byte as captured, get what it needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.support.fleet import fleet_app, fleet_settings
from tests.support.sdk_socket import SdkSocket
from tests.support.wires import HttpWire
from trivium.server import Server, running

VOLATILE = (
    '"volatile":{"client":"kourou@1.2.0","sdkInstanceId":"c16970f8-0c2f-4d5e-9f0c-9a2b5a3a7b11",'
    '"sdkName":"js@7.14.0"}'
)
CHECK_TOKEN = (
    '{"action":"checkToken","body":{},"cookieAuth":false,"controller":"auth",'
    '"requestId":"22329f10-5dd0-4d0e-8c51-8b3f5d3f1a01",' + VOLATILE + "}"
)
UPDATE = (
    '{"controller":"device-manager/asset","action":"update","index":"myindex","_id":"a1",'
    '"body":{"metadata":{"x":1}},"requestId":"841c9fad-3a8c-4f0e-9c0b-2d1f7c6e5b02",' + VOLATILE
) + "}"
LOGIN = (
    '{"action":"login","body":{"username":"admin","password":"pw"},"cookieAuth":false,'
    '"expiresIn":"90s","strategy":"local","controller":"auth",'
    '"requestId":"5a0d3c6e-54b5-4c5e-8a55-0f6a8f3b7c03","verb":"POST",' + VOLATILE + "}"
)
IMPERSONATE = (
    '{"controller":"security","action":"createApiKey","userId":"ada","expiresIn":"2h",'
    '"refresh":"wait_for","body":{"description":"Kourou impersonation token"},'
    '"requestId":"e0a2f7b1-7c36-4d8e-9df0-3a4c2b5d6e04",' + VOLATILE + "}"
)
ADMIN = {"content": {}, "credentials": {"local": {"username": "admin", "password": "pw"}}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        wire = await HttpWire(server.port, routes=False).open()
        for payload in (
            {"controller": "device-manager/engine", "action": "create", "index": "myindex"},
            {
                "controller": "device-manager/asset",
                "action": "create",
                "index": "myindex",
                "_id": "a1",
                "body": {"model": "Truck", "reference": "1"},
            },
        ):
            assert (await wire.ask(payload))["status"] == 200
        await wire.close()
        yield server


@pytest.mark.parametrize("offered", [None, "null"], ids=["node-20", "node-22"])
async def test_asset_update_over_websocket(server: Server, offered: str | None) -> None:
    protocols = None if offered is None else [websockets.Subprotocol(offered)]
    async with websockets.connect(
        f"ws://127.0.0.1:{server.port}/", subprotocols=protocols
    ) as socket:
        assert socket.subprotocol == offered
        # Kourou doesn't wait for the first answer before it sends the action.
        await socket.send(CHECK_TOKEN)
        await socket.send(UPDATE)
        answers: dict[str, dict[str, Any]] = {}
        for _ in range(2):
            answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
            answers[answer["room"]] = answer
    checked = answers["22329f10-5dd0-4d0e-8c51-8b3f5d3f1a01"]
    assert checked["result"] == {"valid": True, "kuid": "-1", "expiresAt": -1}
    updated = answers["841c9fad-3a8c-4f0e-9c0b-2d1f7c6e5b02"]
    assert updated["requestId"] == updated["room"]
    assert updated["status"] == 200
    assert updated["error"] is None
    assert updated["volatile"]["client"] == "kourou@1.2.0"
    assert updated["result"]["_id"] == "a1"
    assert updated["result"]["_version"] == 2
    assert updated["result"]["_source"]["metadata"] == {"x": 1}


async def test_asset_update_over_http(server: Server) -> None:
    api = await _ask(server, "GET", "/_publicApi", {"Content-Length": "0"}, "")
    [route] = api["result"]["device-manager/asset"]["update"]["http"]
    assert (route["verb"], route["url"]) == ("PUT", "/_/device-manager/:index/assets/:_id")
    headers = {
        "Content-Type": "application/json",
        "x-kuzzle-volatile": '{"client":"kourou@1.2.0","sdkInstanceId":"c16970f8"}',
    }
    checked = await _ask(server, "POST", "/_checkToken", headers, "{}")
    assert checked["result"]["valid"] is True
    path = "/_/device-manager/myindex/assets/a1"
    updated = await _ask(server, "PUT", path, headers, '{"metadata":{"x":1}}')
    assert updated["result"]["_source"]["metadata"] == {"x": 1}
    assert updated["volatile"]["client"] == "kourou@1.2.0"
    assert "room" not in updated


async def test_arguments_typed_as_text(server: Server) -> None:
    """Kourou's `-a key=value` sends every value as text."""
    frame = {**json.loads(UPDATE), "retryOnConflict": "3", "refresh": "wait_for"}
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        await socket.send(json.dumps(frame))
        answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
    assert answer["status"] == 200


@pytest.fixture
async def guarded(server: Server) -> Server:
    """The same router once only users may do anything: an administrator, and ada."""
    async with SdkSocket(server.port) as socket:
        await socket.result("security:createFirstAdmin", ADMIN, _id="admin-id", reset=True)
        login = ADMIN["credentials"]["local"]
        socket.jwt = (await socket.result("auth:login", login, strategy="local"))["jwt"]
        drivers = {"policies": [{"roleId": "assets.configuration"}]}
        await socket.result("security:createProfile", drivers, _id="drivers")
        await socket.result(
            "security:createUser", {"content": {"profileIds": ["drivers"]}}, _id="ada"
        )
    return server


class TestLoggedIn:
    """Flags `--username`, `--as` and `--api-key`: who the update was made by."""

    async def test_by_name(self, guarded: Server) -> None:
        async with websockets.connect(f"ws://127.0.0.1:{guarded.port}/") as socket:
            jwt = await _logged_in(socket)
            assert await _updated_by(socket, jwt) == "admin-id"
            refused = await _told(socket, UPDATE)
        assert refused["error"]["id"] == "security.rights.unauthorized"

    async def test_as_somebody(self, guarded: Server) -> None:
        async with websockets.connect(f"ws://127.0.0.1:{guarded.port}/") as socket:
            jwt = await _logged_in(socket)
            key = (await _told(socket, IMPERSONATE, jwt))["result"]
            assert await _updated_by(socket, key["_source"]["token"]) == "ada"
            delete = {**json.loads(IMPERSONATE), "action": "deleteApiKey", "_id": key["_id"]}
            for unsent in ("body", "expiresIn", "refresh"):
                del delete[unsent]
            assert (await _told(socket, json.dumps(delete), jwt))["result"]["_id"] == key["_id"]
            refused = await _told(socket, UPDATE, key["_source"]["token"])
        assert refused["error"]["id"] == "security.token.invalid"

    async def test_by_a_key_alone(self, guarded: Server) -> None:
        async with websockets.connect(f"ws://127.0.0.1:{guarded.port}/") as socket:
            jwt = await _logged_in(socket)
            key = (await _told(socket, IMPERSONATE, jwt))["result"]["_source"]["token"]
        async with websockets.connect(f"ws://127.0.0.1:{guarded.port}/") as socket:
            # Without any request before it: the key is the token.
            assert (await _told(socket, CHECK_TOKEN))["result"]["kuid"] == "-1"
            assert await _updated_by(socket, key) == "ada"

    async def test_over_http(self, guarded: Server) -> None:
        typed = {"Content-Type": "application/json"}
        path = "/_login/local?expiresIn=90s&verb=POST"
        body = '{"username":"admin","password":"pw"}'
        logged = (await _ask(guarded, "POST", path, typed, body))["result"]
        assert (logged["_id"], logged["ttl"]) == ("admin-id", 90_000)
        named = {**typed, "Authorization": f"Bearer {logged['jwt']}"}
        asset = "/_/device-manager/myindex/assets/a1?source"
        updated = await _ask(guarded, "PUT", asset, named, '{"metadata":{"x":1}}')
        assert updated["result"]["_source"]["_kuzzle_info"]["updater"] == "admin-id"


async def _logged_in(socket: websockets.ClientConnection) -> str:
    await socket.send(CHECK_TOKEN)
    logged = (await _told(socket, LOGIN))["result"]
    assert (logged["_id"], logged["ttl"]) == ("admin-id", 90_000)
    jwt: str = logged["jwt"]
    return jwt


async def _updated_by(socket: websockets.ClientConnection, jwt: str) -> Any:
    answer = await _told(socket, UPDATE, jwt)
    assert (answer["error"], answer["status"]) == (None, 200)
    return answer["result"]["_source"]["_kuzzle_info"]["updater"]


async def _told(
    socket: websockets.ClientConnection, frame: str, jwt: str | None = None
) -> dict[str, Any]:
    """The answer to a frame, to which the token is added where there is one."""
    asked = {**json.loads(frame), **({} if jwt is None else {"jwt": jwt})}
    await socket.send(frame if jwt is None else json.dumps(asked))
    answer: dict[str, Any] = {}
    while answer.get("room") != asked["requestId"]:
        answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
    return answer


async def _ask(
    server: Server, verb: str, path: str, headers: dict[str, str], body: str
) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [f"{verb} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    parsed: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return parsed
