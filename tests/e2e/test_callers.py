"""Who calls, through which proxy, from which page, how many times over; and what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from protocols.codec.mqtt.packets import V3_1_1, V5, Connack, Connect
from protocols.codec.mqtt.reasons import Reason
from router.settings import HttpSettings, LimitSettings, Settings
from tests.support import mqtt_wire
from tests.support.http_house import House, open_house
from tests.support.mqtt_wire import bounded
from tests.support.raw_http import RawAnswer, get
from tests.support.small_router import small_router, small_table
from tests.support.websocket import Listening, listening

EVERY_LOOP = True

CLIENT = "192.0.2.7"
WHO = json.dumps({"controller": "test", "action": "who"})
SAFE = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def behind_proxies(**limits: Any) -> Settings:
    http = HttpSettings(
        proxies="127.0.0.0/8", allow_origin="https://app.example, https://b.example"
    )
    return Settings(http=http, limits=LimitSettings(**limits))


@contextlib.asynccontextmanager
async def house(settings: Settings) -> AsyncIterator[House]:
    """A listener that others than this machine may reach."""
    async with open_house(settings) as it:
        it.is_guarded = False
        yield it


@contextlib.asynccontextmanager
async def wire(settings: Settings) -> AsyncIterator[Listening]:
    async with listening(small_router(small_table()), settings, is_guarded=False) as it:
        yield it


async def upgrade(served: Listening, **headers: str) -> websockets.ClientConnection:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"ws://127.0.0.1:{served.port}"
    return await bounded(websockets.connect(url, additional_headers=named))


async def who(client: websockets.ClientConnection) -> Any:
    await client.send(WHO)
    return json.loads(await bounded(client.recv()))["result"]["address"]


def assert_refused(answer: RawAnswer, id: str, status: int) -> None:
    assert (answer.error_id, answer.status) == (id, status)


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/_now", "/nowhere/at/all", "/_ready", "/metrics", "/_/test/fault"]
    )
    async def test_every_answer_is_safe_to_hand_to_a_browser(self, path: str) -> None:
        async with open_house() as it:
            answer = await it.ask(get(path))
            assert SAFE.items() <= answer.headers.items()
            assert "strict-transport-security" not in answer.headers

    async def test_even_one_to_nonsense(self) -> None:
        async with open_house() as it:
            assert SAFE.items() <= (await it.ask(b"nonsense\r\n\r\n")).headers.items()

    @pytest.mark.parametrize(
        ("host", "scheme", "is_asked"),
        [
            ("router.example", "https", True),
            ("router.example", "http", False),
            ("localhost:7512", "https", False),
        ],
    )
    async def test_browsers_shall_insist_on_tls_where_it_is_spoken(
        self, host: str, scheme: str, is_asked: bool
    ) -> None:
        async with house(behind_proxies()) as it:
            request = get("/_now", f"X-Forwarded-For: {CLIENT}", f"X-Forwarded-Proto: {scheme}")
            answer = await it.ask(request.replace(b"localhost", host.encode()))
            assert ("strict-transport-security" in answer.headers) is is_asked


class TestProxies:
    async def test_the_client_is_whom_the_proxy_names(self) -> None:
        async with house(behind_proxies()) as it:
            answer = await it.ask(get("/_/test/who", f"X-Forwarded-For: 1.2.3.4, {CLIENT}"))
            assert answer.envelope["result"]["address"] == CLIENT

    async def test_over_websocket_too(self) -> None:
        async with wire(behind_proxies()) as served:
            client = await upgrade(served, X_Forwarded_For=CLIENT)
            assert await who(client) == CLIENT
            await client.close()

    async def test_without_the_setting_it_is_the_peer(self) -> None:
        async with house(Settings()) as it:
            answer = await it.ask(get("/_/test/who", f"X-Forwarded-For: {CLIENT}"))
            assert answer.envelope["result"]["address"] == "127.0.0.1"

    async def test_while_only_locals_may_ask_none_may_come_through_one(self) -> None:
        async with open_house(behind_proxies()) as it:
            answer = await it.ask(get("/_now", "X-Forwarded-For: 127.0.0.1"))
            assert_refused(answer, "trivium.origin.refused", 403)


class TestOrigins:
    async def test_a_listed_one_may_call(self) -> None:
        async with house(behind_proxies()) as it:
            answer = await it.ask(get("/_now", "Origin: https://b.example"))
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == "https://b.example"
            assert answer.headers["vary"] == "Origin"

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example"])
    async def test_another_may_not(self, origin: str) -> None:
        async with house(behind_proxies()) as it:
            answer = await it.ask(get("/_now", f"Origin: {origin}"))
            assert_refused(answer, "api.process.unauthorized_origin", 401)
            assert "access-control-allow-origin" not in answer.headers

    async def test_nor_may_it_upgrade(self) -> None:
        async with wire(behind_proxies()) as served:
            with pytest.raises(websockets.InvalidStatus) as caught:
                await upgrade(served, Origin="https://evil.example")
            answer = caught.value.response
            assert answer.status_code == 401
            assert answer.body is not None
            assert json.loads(answer.body)["error"]["id"] == "api.process.unauthorized_origin"

    async def test_a_listed_one_may(self) -> None:
        async with wire(behind_proxies()) as served:
            client = await upgrade(served, Origin="https://app.example")
            assert await who(client) == "127.0.0.1"
            await client.close()


class TestConnectionsOfAnAddress:
    LIMIT = Settings(limits=LimitSettings(connections_per_address=2))

    async def test_one_more_over_http_is_told_so(self) -> None:
        async with house(self.LIMIT) as it:
            first, second, third = [await it.client() for _ in range(3)]
            assert (await first.ask(get("/_now"))).status == 200
            assert (await second.ask(get("/_now"))).status == 200
            answer = await third.read()
            assert_refused(answer, "network.entrypoint.too_many_connections", 429)
            assert answer.headers["retry-after"] == "10"
            await third.close()
            await first.close()
            assert await bounded(_until_answered(it)) == 200

    async def test_a_websocket_goes_on_counting(self) -> None:
        async with wire(self.LIMIT) as served:
            held = [await upgrade(served) for _ in range(2)]
            with pytest.raises(websockets.InvalidStatus) as caught:
                await upgrade(served)
            assert caught.value.response.status_code == 429
            await held[0].close()
            again = await bounded(_until_upgraded(served))
            for client in (held[1], again):
                await client.close()

    async def test_clients_of_a_proxy_count_each_for_himself(self) -> None:
        async with wire(behind_proxies(connections_per_address=2)) as served:
            held = [await upgrade(served, X_Forwarded_For=CLIENT) for _ in range(2)]
            with pytest.raises(websockets.InvalidStatus) as caught:
                await upgrade(served, X_Forwarded_For=CLIENT)
            assert caught.value.response.status_code == 429
            assert caught.value.response.headers["Retry-After"] == "10"
            held.append(await upgrade(served, X_Forwarded_For="192.0.2.8"))
            for client in held:
                await client.close()

    @pytest.mark.parametrize(("version", "code"), [(V5, Reason.QUOTA_EXCEEDED), (V3_1_1, 3)])
    async def test_one_more_over_mqtt_gets_its_reason(self, version: int, code: int) -> None:
        async with mqtt_wire.listening(self.LIMIT) as served, contextlib.AsyncExitStack() as held:
            for number in range(2):
                client = mqtt_wire.client(served.port, version, client_id=f"c{number}")
                await held.enter_async_context(client)
            async with mqtt_wire.raw(served.port, version) as one_more:
                await one_more.send(Connect(client_id="c9", version=version))
                answer = await one_more.receive()
                assert isinstance(answer, Connack)
                assert answer.reason == code


async def _until_answered(it: House) -> int:
    # The kernel may tell of the new connection before it tells of the end of the old one.
    while (answer := await it.ask(get("/_now"))).status == 429:
        await asyncio.sleep(0.01)
    return answer.status


async def _until_upgraded(served: Listening) -> websockets.ClientConnection:
    while True:
        try:
            return await upgrade(served)
        except websockets.InvalidStatus:
            await asyncio.sleep(0.01)
