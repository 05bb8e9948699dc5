"""Subscriptions by server-sent events: curl's way, and EventSource in Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from access.securities import Securities
from router.settings import HttpSettings, RealtimeSettings, ServerSettings
from storage.contract import Author
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.people import ADA, ROOT, add_user, login, peopled
from tests.support.ports import lasting_port
from tests.support.websocket import until
from trivium.server import Server, running

PLACE = {"index": "lab", "collection": "things"}
BOUND_S = 60.0
PROGRAM = Path(__file__).parent.parent / "node" / "events.mjs"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(fleet_app(), fleet_settings(tmp_path)) as started:
        await started.core.storage.create_collection("lab", "things")
        yield started


class Events:
    """The events of one answer."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> Any:
        """The fields of the next event, its data read; None at the end."""
        event: dict[str, Any] = {}
        async with asyncio.timeout(BOUND_S):
            async for line in self.answer.content:
                text = line.decode().rstrip("\n")
                if text:
                    name, _, value = text.partition(": ")
                    event[name] = json.loads(value) if name == "data" else value
                elif event:
                    return event
        return None

    async def numbers(self, count: int) -> list[Any]:
        return [(await self.next())["data"]["result"]["_source"]["n"] for _ in range(count)]


@contextlib.asynccontextmanager
async def listening(
    server: Server, query: dict[str, Any] | None = None, **headers: str
) -> AsyncIterator[Events]:
    """A stream that has begun; `subscribed` is its next event."""
    url = f"http://127.0.0.1:{server.port}/lab/things/_subscribe?{urlencode(query or {})}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        yield Events(answer)


async def write(server: Server, id: str, **content: Any) -> None:
    await server.sdk.document.create_or_replace("lab", "things", id, content)


def subscribers(server: Server) -> int:
    return server.core.realtime.notifier.rooms.subscriptions


class TestStreams:
    async def test_they_tell_what_happens_and_go_on_from_the_last(self, server: Server) -> None:
        query = {"filter": '{"range": {"n": {"gte": 1}}}', "scope": "all"}
        async with listening(server, query) as events:
            assert events.answer.headers["content-type"] == "text/event-stream"
            assert events.answer.headers["cache-control"] == "no-store"
            first = await events.next()
            assert first["event"] == "subscribed"
            assert first["id"] == f"{first['data']['feed']}:{first['data']['seq']}"
            await write(server, "a", n=1)
            await write(server, "a", n=0)
            came, went = await events.next(), await events.next()
            assert [each["data"]["scope"] for each in (came, went)] == ["in", "out"]
            assert came["id"] == f"{came['data']['feed']}:{came['data']['seq']}"
            assert came["data"]["room"] == first["data"]["channel"]
            assert "event" not in came
        for n in range(1, 50):
            await write(server, "a", n=n)
        # What a browser does: the URL as it was, and the id that it saw last.
        async with listening(server, query, **{"Last-Event-ID": went["id"]}) as events:
            assert (await events.next())["id"] == went["id"]
            assert await events.numbers(49) == list(range(1, 50))

    async def test_documents_first_have_no_id_until_the_last_is_told(self, server: Server) -> None:
        for n in range(3):
            await write(server, f"d{n}", n=n)
        async with listening(server, {"from": "snapshot"}) as events:
            assert "id" not in await events.next()
            for n in range(3):
                event = await events.next()
                assert "id" not in event
                assert event["data"]["result"]["_source"]["n"] == n
            end = await events.next()
            assert end["data"]["result"] == {"count": 3}
            assert end["id"]

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ({"filter": "{"}, "api.assert.invalid_argument"),
            ({"filter": "[]"}, "api.assert.invalid_type"),
            ({"filter": '{"nope": 1}'}, "api.assert.koncorde_dsl_error"),
            ({"from": "soon"}, "api.assert.invalid_argument"),
            ({"from": "other:1"}, "trivium.feed.gone"),
            ({"from": "99999"}, "trivium.feed.gone"),
            ({"scope": "some"}, "core.realtime.invalid_scope"),
            ({"users": "some"}, "core.realtime.invalid_users"),
        ],
    )
    async def test_what_is_wrong_is_an_error_and_no_stream(
        self, server: Server, query: dict[str, str], error: str
    ) -> None:
        async with listening(server, query) as events:
            answer = await events.answer.json()
        assert answer["error"]["id"] == error
        assert events.answer.status == answer["status"]
        assert subscribers(server) == 0

    async def test_other_wires_are_refused(self, server: Server) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{server.port}/") as socket,
        ):
            await socket.send_json({"controller": "realtime", "action": "stream", **PLACE})
            answer = await socket.receive_json()
        assert answer["error"]["id"] == "api.assert.unsupported_protocol"

    async def test_head_begins_nothing(self, server: Server) -> None:
        url = f"http://127.0.0.1:{server.port}/lab/things/_subscribe"
        async with aiohttp.ClientSession() as session, session.head(url) as answer:
            assert answer.status == 200
        await until(lambda: subscribers(server) == 0, "nobody listens")


class TestEnds:
    async def test_who_goes_away_is_forgotten_at_once(self, server: Server) -> None:
        async with listening(server) as events:
            await events.next()
            assert subscribers(server) == 1
        await until(lambda: subscribers(server) == 0, "nobody listens")
        await until(lambda: len(server.core.connections) == 0, "nobody is there")

    async def test_a_sign_of_life_comes_now_and_then(self, tmp_path: Path) -> None:
        often = RealtimeSettings(stream_heartbeat_s=0.01)
        settings = fleet_settings(tmp_path).model_copy(update={"realtime": often})
        async with running(fleet_app(), settings) as server, listening(server) as events:
            await events.next()
            lines = [
                await asyncio.wait_for(events.answer.content.readline(), BOUND_S) for _ in range(4)
            ]
        assert lines == [b":\n", b"\n"] * 2

    async def test_who_does_not_read_is_cut_off_and_goes_on_later(self, tmp_path: Path) -> None:
        chosen = {
            "http": HttpSettings(write_timeout_s=0.5),
            "realtime": RealtimeSettings(stream_unsent_bytes=100_000),
        }
        settings = fleet_settings(tmp_path).model_copy(update=chosen)
        count = 0
        async with running(fleet_app(), settings) as server:
            await server.core.storage.create_collection("lab", "things")
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1_000)
            writer.write(b"GET /lab/things/_subscribe HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: subscribers(server) == 1, "it listens")
            while subscribers(server):
                await write(server, "a", n=count, text="x" * 100_000)
                count += 1
                assert count < 1_000
            await until(lambda: len(server.core.connections) == 0, "nobody is there")
            writer.close()
            async with listening(server, {"from": "0"}) as events:
                await events.next()
                assert await events.numbers(count) == list(range(count))
            assert reader is not None

    async def test_the_router_stops_without_waiting_for_them(self, tmp_path: Path) -> None:
        async with contextlib.AsyncExitStack() as undo:
            patient = ServerSettings(port=0, stop_timeout_s=10 * BOUND_S)
            settings = fleet_settings(tmp_path).model_copy(update={"server": patient})
            async with running(fleet_app(), settings) as server:
                await server.core.storage.create_collection("lab", "things")
                events = await undo.enter_async_context(listening(server))
                await events.next()
                async with asyncio.timeout(BOUND_S):
                    await server.stop()
            assert await events.next() is None

    async def test_they_end_with_the_token_or_the_right(self) -> None:
        async with peopled() as server, aiohttp.ClientSession() as session:
            core = server.core
            await core.storage.create_collection("lab", "things")
            async with listening(server) as refused:
                assert refused.answer.status == 401
            url = f"http://127.0.0.1:{server.port}"
            for body in (ADA, ROOT):
                asked = login(body)
                async with session.post(f"{url}/_login/local", json=asked["body"]) as answer:
                    jwt = (await answer.json())["result"]["jwt"]
                if body is ADA:
                    async with listening(server, authorization=f"Bearer {jwt}") as forbidden:
                        assert forbidden.answer.status == 403
            async with listening(server, authorization=f"Bearer {jwt}") as events:
                await events.next()
                headers = {"authorization": f"Bearer {jwt}"}
                async with session.post(f"{url}/_logout", headers=headers) as answer:
                    assert answer.status == 200
                await until(lambda: subscribers(server) == 0, "nobody listens")

    async def test_an_expired_token_is_told(self) -> None:
        async with peopled() as server, aiohttp.ClientSession() as session:
            await server.core.storage.create_collection("lab", "things")
            url = f"http://127.0.0.1:{server.port}/_login/local?expiresIn=4000"
            async with session.post(url, json=ROOT) as answer:
                jwt = (await answer.json())["result"]["jwt"]
            async with listening(server, authorization=f"Bearer {jwt}") as events:
                assert (await events.next())["event"] == "subscribed"
                assert (await events.next())["data"]["type"] == "TokenExpired"
                assert await events.next() is None


@pytest.mark.needs("chromium", "node", "playwright-core")
async def test_event_source_in_chromium_over_a_restart(tmp_path: Path) -> None:
    port = lasting_port()
    settings = fleet_settings(tmp_path).model_copy(update={"server": ServerSettings(port=port)})
    profile, chromium = str(tmp_path / "profile"), str(shutil.which("chromium"))
    async with running(fleet_app(), settings) as server:
        core = server.core
        await add_user(core, "root-id", ROOT, "admin")
        await Securities(core.register).restrict(Author())
        await core.storage.create_collection("lab", "things")
        await write(server, "a", n=0)
        program = await asyncio.create_subprocess_exec(
            *("node", str(PROGRAM), f"http://127.0.0.1:{port}", profile, chromium),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ},
            cwd=PROGRAM.parent,
        )
        assert await said(program, 4) == [
            ["login", 200],
            ["subscribed", 1],
            ["heard", ["snapshot", 0, False]],
            ["heard", ["snapshot", "snapshot", True]],
        ]
        await write(server, "a", n=1)
        assert await said(program, 1) == [["heard", ["replace", 1, True]]]
    async with running(fleet_app(), settings) as server:
        for n in range(2, 5):
            await write(server, "a", n=n)
        assert await said(program, 4) == [
            ["subscribed", 1],
            *(["heard", ["replace", n, True]] for n in range(2, 5)),
        ]
        await program.communicate(b"end\n")


async def said(program: asyncio.subprocess.Process, count: int) -> list[Any]:
    """What the browser's page says next."""
    assert program.stdout is not None
    steps = []
    for _ in range(count):
        line = await asyncio.wait_for(program.stdout.readline(), 2 * BOUND_S)
        message = json.loads(line)
        steps.append([message["step"], message["value"]])
    return steps
