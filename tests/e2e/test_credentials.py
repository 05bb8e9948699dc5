"""Who a connection is: MQTT's user name and password, and a browser's cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from protocols.codec.mqtt.packets import V3_1_1, V5, Connack, Connect, Will
from storage.contract import Author
from storage.memory import MemoryStorage
from tests.support.mqtt_wire import RawClient, client, raw, until
from tests.support.people import ADA, ROOT, login, peopled, settings
from tests.support.raw_http import RawClient as RawHttp
from tests.support.raw_http import get
from tests.support.websocket import RawClient as RawWebSocket
from tests.support.websocket import request
from tests.support.wires import HttpWire, Payload
from trivium import App
from trivium.server import Server, running

BOTH = [V3_1_1, V5]
NOW_BODY = b'{"controller":"server","action":"now"}'
NOW = {"controller": "server", "action": "now"}
ME = {"controller": "auth", "action": "getCurrentUser"}
ROOTS = {"username": "root", "password": ROOT["password"].encode()}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled() as started:
        yield started


async def asked(connection: RawClient, payload: Payload) -> Payload:
    await connection.ask(payload)
    return await connection.answer()


async def connack(port: int, version: int, **fields: Any) -> Connack:
    """The answer to a CONNECT, after which a refused client is hung up on."""
    async with raw(port, version) as connection:
        await connection.send(Connect(client_id="c", version=version, **fields))
        packet = await connection.receive()
        assert isinstance(packet, Connack)
        if packet.reason:
            assert await connection.receive() is None
        return packet


async def api_key(server: Server) -> str:
    wire = await HttpWire(server.port, routes=False).open()
    jwt = (await wire.ask(login(ROOT)))["result"]["jwt"]
    making = {"controller": "auth", "action": "createApiKey", "body": {"description": "x"}}
    made = await wire.ask({**making, "_id": "k1", "jwt": jwt})
    await wire.close()
    key: str = made["result"]["_source"]["token"]
    return key


@pytest.mark.parametrize("version", BOTH)
class TestConnect:
    async def test_name_and_password_speak_for_what_follows(
        self, server: Server, version: int
    ) -> None:
        async with client(server.mqtt_port, version, **ROOTS) as device:
            assert (await asked(device, ME))["result"]["_id"] == "root-id"
            assert (await asked(device, NOW))["status"] == 200
            # A request's own token comes before.
            jwt = (await asked(device, login(ADA)))["result"]["jwt"]
            assert (await asked(device, {**ME, "jwt": jwt}))["result"]["_id"] == "ada-id"
            assert (await asked(device, ME))["result"]["_id"] == "root-id"

    async def test_so_does_an_api_key(self, server: Server, version: int) -> None:
        key = await api_key(server)
        fields = {"username": "whatever", "password": key.encode()}
        async with client(server.mqtt_port, version, **fields) as device:
            assert (await asked(device, ME))["result"]["_id"] == "root-id"
            await server.core.entrance.papers.api_keys.delete("root-id", "k1")
            assert await device.goodbye() == (0x87 if version == V5 else None)
        refused = await connack(server.mqtt_port, version, **fields)
        assert refused.reason == (0x86 if version == V5 else 4)

    @pytest.mark.parametrize(
        "fields",
        [
            {"username": "root", "password": b"wrong"},
            {"username": "nobody", "password": b"x"},
            {"username": "root", "password": b"\xff"},
            {"username": "root", "password": b""},
            {"username": "root"},
            {"username": "root", "password": b"kapikey-a.b.c"},
            {"username": "root", "password": b"kauth-a.b.c"},
        ],
    )
    async def test_bad_ones_are_refused(
        self, server: Server, version: int, fields: dict[str, Any]
    ) -> None:
        refused = await connack(server.mqtt_port, version, **fields)
        assert refused.reason == (0x86 if version == V5 else 4)

    async def test_without_any_a_client_is_anonymous(self, server: Server, version: int) -> None:
        async with client(server.mqtt_port, version) as device:
            answer = await asked(device, NOW)
            assert answer["error"]["id"] == "security.rights.unauthorized"

    async def test_a_user_who_is_deleted_has_to_go(self, server: Server, version: int) -> None:
        fields = {"username": "ada", "password": ADA["password"].encode()}
        async with client(server.mqtt_port, version, **fields) as device:
            assert (await asked(device, ME))["result"]["_id"] == "ada-id"
            await server.core.register.users.delete("ada-id", Author())
            assert await device.goodbye() == (0x87 if version == V5 else None)
        await until(lambda: len(server.core.entrance.papers.links) == 0)

    async def test_a_will_is_carried_out_in_the_name_of_its_client(
        self, server: Server, version: int
    ) -> None:
        payload = b'{"controller":"index","action":"create","index":"left"}'
        will = Will(topic="Kuzzle/request", payload=payload)
        async with client(server.mqtt_port, version, will=will, **ROOTS) as device:
            device.reset()
        await until(lambda: server.core.storage.has_index("left"))

    async def test_who_hangs_up_meanwhile_leaves_nothing(
        self, server: Server, version: int
    ) -> None:
        async with raw(server.mqtt_port, version) as device:
            await device.send(Connect(client_id="c", version=version, **ROOTS))
            device.reset()
        await until(lambda: len(server.core.connections) == 0)
        assert len(server.core.entrance.papers.links) == 0

    async def test_before_there_is_an_administrator_they_are_not_looked_at(
        self, version: int
    ) -> None:
        async with running(App(), settings(), MemoryStorage()) as fresh:
            fields = {"username": "some", "password": b"body"}
            async with client(fresh.mqtt_port, version, **fields) as device:
                assert (await asked(device, NOW))["status"] == 200


def posted(path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return head.encode() + body


class TestCookies:
    CREDENTIALS = b'{"username":"root","password":"root\'s long password"}'

    async def cookie(self, http: RawHttp) -> str:
        answer = await http.ask(posted("/_login/local?cookieAuth", self.CREDENTIALS))
        assert answer.status == 200, answer
        assert "jwt" not in answer.envelope["result"]
        value, *attributes = answer.headers["set-cookie"].split("; ")
        assert [part for part in attributes if not part.startswith("Expires=")] == [
            "Path=/",
            "HttpOnly",
            "SameSite=Strict",
        ]
        return value

    async def test_it_speaks_for_its_requests(self, server: Server) -> None:
        http = await RawHttp.connect(server.port)
        cookie = await self.cookie(http)
        answer = await http.ask(posted("/_query", NOW_BODY, Cookie=cookie))
        assert answer.status == 200
        own = posted("/_checkToken", b"{}", Cookie=cookie, Origin="http://localhost:8080")
        assert (await http.ask(own)).envelope["result"]["kuid"] == "root-id"
        await http.close()

    async def test_it_is_taken_from_the_upgrade_too(self, server: Server) -> None:
        http = await RawHttp.connect(server.port)
        cookie = await self.cookie(http)
        socket = await RawWebSocket.open(server.port, extra={"Cookie": cookie})
        socket.send(request(**ME, requestId="r"))
        assert (await socket.answer())["result"]["_id"] == "root-id"
        socket.send(request(**ME, requestId="r", jwt="kauth-a.b.c"))
        assert (await socket.answer())["error"]["id"] == "security.token.verification_error"
        await socket.close()
        await http.close()

    async def test_logging_out_takes_it_away(self, server: Server) -> None:
        http = await RawHttp.connect(server.port)
        cookie = await self.cookie(http)
        answer = await http.ask(posted("/_logout", Cookie=cookie))
        assert answer.headers["set-cookie"].startswith("authToken=null; ")
        me = posted("/_query", NOW_BODY, Cookie=cookie)
        assert (await http.ask(me)).error_id == "security.token.invalid"
        # Although no page can delete it, a user can log in again, and be told of it.
        checked = await http.ask(posted("/_checkToken", b"{}", Cookie=cookie))
        assert checked.envelope["result"]["valid"] is False
        again = posted("/_login/local?cookieAuth", self.CREDENTIALS, Cookie=cookie)
        assert (await http.ask(again)).status == 200
        await http.close()

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "http://sub.localhost"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "cross-site"},
        ],
    )
    async def test_it_does_not_count_for_other_pages(
        self, server: Server, headers: dict[str, str]
    ) -> None:
        http = await RawHttp.connect(server.port)
        cookie = await self.cookie(http)
        me = posted("/_query", NOW_BODY, Cookie=cookie, **headers)
        assert (await http.ask(me)).error_id == "trivium.origin.refused"
        await http.close()

    @pytest.mark.parametrize(
        "cookie", ["authToken=a b", "authToken=a; authToken=b", 'authToken="a"']
    )
    async def test_malformed_ones_are_refused(self, server: Server, cookie: str) -> None:
        http = await RawHttp.connect(server.port)
        me = posted("/_query", NOW_BODY, Cookie=cookie)
        assert (await http.ask(me)).error_id == "security.cookie.invalid"
        await http.close()

    async def test_they_can_be_switched_off(self) -> None:
        async with peopled(**{"access.cookies": False}) as server:
            http = await RawHttp.connect(server.port)
            asking = posted("/_login/local?cookieAuth", self.CREDENTIALS)
            assert (await http.ask(asking)).error_id == "security.cookie.unsupported"
            me = get("/_now").replace(b"\r\n\r\n", b"\r\nCookie: authToken=x\r\n\r\n")
            assert (await http.ask(me)).error_id == "security.cookie.unsupported"
            await http.close()
