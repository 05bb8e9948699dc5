"""The HTTP wire as its clients meet it: requests, answers, headers, connections."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from router.envelope import Connection
from router.settings import HttpSettings, LimitSettings, Settings
from tests.support.http_house import NODE, House, open_house, until
from tests.support.raw_http import RawAnswer, get, post


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


def assert_refused(answer: RawAnswer, id: str, status: int = 400) -> None:
    assert (answer.status, answer.error_id) == (status, id), answer
    assert answer.envelope["status"] == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-kuzzle-request-id"] == answer.envelope["requestId"]


class TestEnvelope:
    async def test_an_answer_and_its_headers(self, house: House) -> None:
        answer = await house.ask(get("/_now", "X-Kuzzle-Request-Id: mine"))
        envelope = answer.envelope
        now = envelope.pop("result")["now"]
        assert isinstance(now, int)
        assert envelope == {
            "action": "now",
            "controller": "server",
            "error": None,
            "headers": {},
            "requestId": "mine",
            "status": 200,
            "volatile": None,
            "node": NODE,
        }
        expected = {
            "x-kuzzle-request-id": "mine",
            "x-kuzzle-node": NODE,
            "accept-encoding": "gzip,deflate,identity",
            "content-type": "application/json",
            "content-encoding": "identity",
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD",
        }
        assert expected.items() <= answer.headers.items()
        assert "X-Kuzzle-Volatile" in answer.headers["access-control-allow-headers"]
        assert answer.headers["date"].endswith(" GMT")
        assert "connection" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers

    async def test_every_request_has_an_id_of_its_own(self, house: House) -> None:
        client = await house.client()
        ids = {(await client.ask(get("/_now"))).envelope["requestId"] for _ in range(3)}
        assert len(ids) == 3

    async def test_the_query_may_name_the_request(self, house: House) -> None:
        answer = await house.ask(get("/_now?requestId=mine"))
        assert answer.envelope["requestId"] == "mine"
        assert answer.headers["x-kuzzle-request-id"] == "mine"

    async def test_pretty(self, house: House) -> None:
        answer = await house.ask(get("/_now?pretty"))
        assert answer.body == json.dumps(answer.envelope, indent=2).encode()
        assert answer.envelope["node"] == NODE

    async def test_volatile_comes_back(self, house: House) -> None:
        answer = await house.ask(get("/_now", 'X-Kuzzle-Volatile: {"sdkName":"js@7"}'))
        assert answer.envelope["volatile"] == {"sdkName": "js@7"}

    @pytest.mark.parametrize("text", ["{", "nope", "NaN"])
    async def test_bad_volatile(self, house: House, text: str) -> None:
        answer = await house.ask(get("/_now", f"X-Kuzzle-Volatile: {text}"))
        assert_refused(answer, "network.http.volatile_parse_failed")

    async def test_headers_of_the_action_go_out_and_split_nothing(self, house: House) -> None:
        answer = await house.ask(get("/_/test/headers"))
        assert answer.status == 201
        assert answer.headers["x-made-by"] == "test"
        assert answer.headers["x-split"] == "a  Evil: 1"
        assert "evil" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.body) > 1

    async def test_a_fault_is_an_envelope_without_a_traceback(self, house: House) -> None:
        answer = await house.ask(get("/_/test/fault"))
        assert_refused(answer, "plugin.runtime.unexpected_error", 500)
        assert b"Traceback" not in answer.body


class TestRequest:
    async def test_path_arguments_win_over_the_query_and_values_are_text(
        self, house: House
    ) -> None:
        answer = await house.ask(get("/i/c/_exists?index=other&size=5&a=1&a=2&silent"))
        assert answer.envelope["result"]["args"] == {
            "index": "i",
            "collection": "c",
            "size": "5",
            "a": ["1", "2"],
            "silent": "",
        }

    async def test_the_query_cannot_choose_the_action(self, house: House) -> None:
        answer = await house.ask(get("/_now?controller=test&action=fault"))
        assert (answer.status, answer.envelope["action"]) == (200, "now")

    async def test_bad_percent_is_text(self, house: House) -> None:
        answer = await house.ask(get("/a/%ZZ/_exists"))
        assert answer.envelope["collection"] == "%ZZ"

    async def test_absolute_form(self, house: House) -> None:
        assert (await house.ask(get("http://localhost/_now"))).status == 200
        answer = await house.ask(get("http://evil.example/_now"))
        assert_refused(answer, "trivium.origin.refused", 403)

    async def test_a_token_in_header_query_or_body(self, house: House) -> None:
        frame = b'{"controller":"server","action":"now","jwt":"t"}'
        for request in (
            get("/_now", "Authorization: Bearer t"),
            get("/_now", "authorization: bEaReR t"),
            get("/_now?jwt=t"),
            post("/_query", frame),
            post("/_query", frame.replace(b'"t"', b'""')),
        ):
            assert_refused(await house.ask(request), "security.token.invalid", 401)

    @pytest.mark.parametrize("header", ["foobar", "Bearer", "Bearer ", "Basic dXNlcg=="])
    async def test_a_malformed_authorization_is_anonymous(self, house: House, header: str) -> None:
        assert (await house.ask(get("/_now", f"Authorization: {header}"))).status == 200

    @pytest.mark.parametrize("name", ["body", "volatile"])
    async def test_reserved_keys_in_the_query_are_of_the_wrong_type(
        self, house: House, name: str
    ) -> None:
        answer = await house.ask(get(f"/_now?{name}=x"))
        assert_refused(answer, "network.http.unexpected_error")

    async def test_search_body_of_a_get(self, house: House) -> None:
        answer = await house.ask(get("/i/c/_search?size=1&searchBody=%7B%22query%22%3A%7B%7D%7D"))
        assert answer.envelope["result"]["body"] == {"query": {}}
        assert "searchBody" not in answer.envelope["result"]["args"]

    @pytest.mark.parametrize("text", ["%7B", "[1]", "3", "%ED%A0%80"])
    async def test_bad_search_body(self, house: House, text: str) -> None:
        answer = await house.ask(get(f"/i/c/_search?searchBody={text}"))
        assert_refused(answer, "api.assert.invalid_type")

    @pytest.mark.parametrize("body", [b'"foo"', b"3", b"true"])
    async def test_a_body_that_is_no_object(self, house: House, body: bytes) -> None:
        answer = await house.ask(post("/_/test/echo", body))
        assert_refused(answer, "network.http.unexpected_error")


class TestQuery:
    async def test_any_action(self, house: House) -> None:
        frame = b'{"controller":"server","action":"now","volatile":{"a":1},"requestId":"mine"}'
        answer = await house.ask(post("/_query", frame))
        assert (answer.status, answer.envelope["volatile"]) == (200, {"a": 1})
        assert answer.envelope["requestId"] == "mine"

    async def test_the_header_names_the_request_first(self, house: House) -> None:
        frame = b'{"controller":"server","action":"now","requestId":"mine"}'
        answer = await house.ask(post("/_query", frame, "X-Kuzzle-Request-Id: header"))
        assert answer.envelope["requestId"] == "header"

    @pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"action":"now"}'])
    async def test_an_empty_body_lacks_a_controller(self, house: House, body: bytes) -> None:
        answer = await house.ask(post("/_query", body))
        assert_refused(answer, "api.assert.missing_argument")
        assert answer.envelope["error"]["props"] == ["controller"]

    @pytest.mark.parametrize("body", [b"[1,2]", b'"x"', b'{"controller":42}', b'{"requestId":1}'])
    async def test_a_frame_of_the_wrong_shape(self, house: House, body: bytes) -> None:
        assert_refused(await house.ask(post("/_query", body)), "network.http.unexpected_error")

    async def test_only_post(self, house: House) -> None:
        assert_refused(await house.ask(get("/_query")), "network.http.url_not_found", 404)


class TestRouting:
    async def test_an_unknown_path(self, house: House) -> None:
        answer = await house.ask(get("/nope/nope/nope/nope/nope/nope/"))
        assert_refused(answer, "network.http.url_not_found", 404)
        assert answer.envelope["error"]["props"] == ["/nope/nope/nope/nope/nope/nope"]

    @pytest.mark.parametrize("verb", ["PROPFIND", "FOO", "get", "CONNECT"])
    async def test_an_unknown_verb(self, house: House, verb: str) -> None:
        answer = await house.ask(f"{verb} /_now HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert_refused(answer, "network.http.unsupported_verb")
        assert answer.envelope["error"]["props"] == [verb]

    @pytest.mark.parametrize("path", ["/", "/_now", "/_healthcheck", "/metrics"])
    async def test_head_is_get_without_its_body(self, house: House, path: str) -> None:
        client = await house.client()
        head = await client.ask(
            f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nX-Kuzzle-Request-Id: r\r\n\r\n".encode(),
            has_body=False,
        )
        full = await client.ask(get(path, "X-Kuzzle-Request-Id: r"))
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == full.headers["content-length"]

    async def test_services_need_no_router(self, house: House) -> None:
        for path in ("/_healthcheck", "/_live", "/_ready"):
            answer = await house.ask(get(path))
            assert (answer.status, answer.envelope["result"]) == (200, None)
        metrics = await house.ask(get("/metrics"))
        assert metrics.body == b"requests_total 1\n"
        assert metrics.headers["content-type"] == "text/plain; version=0.0.4"
        house.is_ready = False
        assert (await house.ask(get("/_ready"))).status == 503
        assert (await house.ask(get("/_live"))).status == 200

    async def test_overload_answers_at_once(self) -> None:
        limits = LimitSettings(requests_at_work=1, requests_waiting=0)
        async with open_house(Settings(limits=limits)) as house:
            holder = await house.client()
            await holder.send(get("/_/test/hold"))
            await house.gate.reached.wait()
            assert_refused(await house.ask(get("/_now")), "api.process.overloaded", 503)
            house.gate.opened.set()
            assert (await holder.read()).status == 200


class TestOrigins:
    async def test_options_anywhere(self, house: House) -> None:
        for target in ("/no/such/path", "*"):
            request = f"OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\n"
            answer = await house.ask(f"{request}Origin: http://localhost:8080\r\n\r\n".encode())
            assert (answer.status, answer.envelope["result"]) == (200, {})
            assert answer.headers["access-control-allow-origin"] == "http://localhost:8080"
            assert answer.headers["vary"] == "Origin"

    @pytest.mark.parametrize(
        "header",
        [
            "Origin: https://evil.example",
            "Origin: null",
            "X-Forwarded-For: 127.0.0.1",
            "Forwarded: for=127.0.0.1",
        ],
    )
    async def test_a_request_that_is_not_local_in_fact(self, house: House, header: str) -> None:
        answer = await house.ask(get("/_now", header))
        assert_refused(answer, "trivium.origin.refused", 403)
        assert "administrator" in answer.envelope["error"]["message"]
        assert "access-control-allow-origin" not in answer.headers
        house.is_guarded = False
        assert (await house.ask(get("/_now", header))).status == 200

    async def test_dns_rebinding(self, house: House) -> None:
        request = b"GET /_now HTTP/1.1\r\nHost: rebind.example:7512\r\n\r\n"
        assert_refused(await house.ask(request), "trivium.origin.refused", 403)

    async def test_origins_that_the_settings_do_not_allow(self) -> None:
        http = HttpSettings(allow_origin="http://localhost:1, http://localhost:2")
        async with open_house(Settings(http=http)) as house:
            assert (await house.ask(get("/_now", "Origin: http://localhost:2"))).status == 200
            answer = await house.ask(get("/_now", "Origin: http://localhost:3"))
            assert_refused(answer, "api.process.unauthorized_origin", 401)
            assert answer.envelope["error"]["props"] == ["http://localhost:3"]
            assert "access-control-allow-origin" not in answer.headers


class TestBodies:
    @pytest.mark.parametrize(
        ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
    )
    async def test_compressed_requests(self, house: House, coding: str, pack: object) -> None:
        assert callable(pack)
        body = pack(b'{"a":1}')
        answer = await house.ask(post("/_/test/echo", body, f"Content-Encoding: {coding}"))
        assert answer.envelope["result"]["body"] == {"a": 1}

    async def test_compressed_answers(self, house: House) -> None:
        path = "/_/test/large?size=50000"
        answer = await house.ask(get(path, "Accept-Encoding: deflate;q=0.1, gzip"))
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.body) < 5_000
        assert len(json.loads(gzip.decompress(answer.body))["result"]["text"]) == 50_000
        answer = await house.ask(get(path, "Accept-Encoding: deflate"))
        assert len(json.loads(zlib.decompress(answer.body))["result"]["text"]) == 50_000

    async def test_aiohttp_reads_what_it_asked_for(self, house: House) -> None:
        url = f"http://127.0.0.1:{house.port}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/_/test/large") as answer:
                assert len((await answer.json())["result"]["text"]) == 100_000
            form = aiohttp.FormData({"who": "Zoë"})
            form.add_field("f", b"\x00\xff", filename="a.bin", content_type="image/png")
            async with session.post(f"{url}/_/test/echo", data=form) as answer:
                body = (await answer.json())["result"]["body"]
            assert body["who"] == "Zoë"
            assert body["f"] == {"filename": "a.bin", "encoding": "image/png", "file": "AP8="}
            async with session.post(f"{url}/_/test/echo", data={"a": "1"}) as answer:
                assert (await answer.json())["result"]["body"] == {"a": "1"}

    async def test_chunked_bodies(self, house: House) -> None:
        head = (
            b"POST /_/test/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        answer = await house.ask(head + b'4\r\n{"a"\r\n3;x=y\r\n:1}\r\n0\r\nTrailer: t\r\n\r\n')
        assert answer.envelope["result"]["body"] == {"a": 1}

    async def test_expect_continue(self, house: House) -> None:
        client = await house.client()
        request = post("/_/test/echo", b'{"a":1}', "Expect: 100-continue")
        await client.send(request[:-7])
        assert (await client.read(has_body=False)).status == 100
        await client.send(request[-7:])
        assert (await client.read()).envelope["result"]["body"] == {"a": 1}


class TestConnections:
    async def test_a_hundred_pipelined_requests_in_order(self, house: House) -> None:
        client = await house.client()
        await client.send(
            b"".join(
                post("/_/test/echo", b'{"n":%d}' % n, f"X-Kuzzle-Request-Id: {n}")
                if n % 2
                else get("/_now", f"X-Kuzzle-Request-Id: {n}")
                for n in range(100)
            )
        )
        for n in range(100):
            answer = await client.read()
            assert (answer.status, answer.envelope["requestId"]) == (200, str(n))

    async def test_close_and_http_1_0(self, house: House) -> None:
        for request in (get("/_now", "Connection: close"), get("/_now", version="1.0")):
            client = await house.client()
            answer = await client.ask(request)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await client.read_rest() == b""
        client = await house.client()
        request = get("/_now", "Connection: keep-alive", version="1.0")
        assert (await client.ask(request)).headers["connection"] == "keep-alive"
        assert (await client.ask(request)).status == 200

    async def test_a_half_closed_client_gets_its_answers(self, house: House) -> None:
        client = await house.client()
        await client.send(get("/_/test/hold") + get("/_now"))
        client.half_close()
        await house.gate.reached.wait()
        house.gate.opened.set()
        assert (await client.read()).envelope["result"] == {"held": True}
        assert (await client.read()).envelope["action"] == "now"
        assert await client.read_rest() == b""
        await until(lambda: house.observer.open == 0)

    async def test_a_client_that_leaves_does_not_stop_its_request(self, house: House) -> None:
        client = await house.client()
        await client.send(get("/_/test/hold"))
        await house.gate.reached.wait()
        await client.close()
        assert (await house.ask(get("/_now"))).status == 200
        assert house.router.admission.running == 1
        house.gate.opened.set()
        await until(lambda: house.router.admission.running == 0)
        assert house.statuses == [200, 200]

    async def test_what_still_waits_for_a_place_leaves_with_its_client(self) -> None:
        limits = LimitSettings(requests_at_work=1, requests_waiting=1)
        async with open_house(Settings(limits=limits)) as house:
            holder, leaver = await house.client(), await house.client()
            await holder.send(get("/_/test/hold"))
            await house.gate.reached.wait()
            await leaver.send(get("/_now"))
            await until(lambda: house.router.admission.waiting == 1)
            await leaver.reset()
            await until(lambda: house.observer.open == 1)
            house.gate.opened.set()
            assert (await holder.read()).status == 200
            await until(lambda: len(house.statuses) == 2)
            assert house.statuses == [200, 400]

    async def test_stopping_finishes_what_was_let_in(self, house: House) -> None:
        idle, busy = await house.client(), await house.client()
        assert (await idle.ask(get("/_now"))).status == 200
        await busy.send(get("/_/test/hold"))
        await house.gate.reached.wait()
        stopping = asyncio.create_task(house.listener.stop(60))
        assert await idle.read_rest() == b""
        house.gate.opened.set()
        answer = await busy.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        await stopping
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, by the system's mood
            await house.client()

    async def test_stopping_ends_what_takes_too_long(self, house: House) -> None:
        client = await house.client()
        await client.send(get("/_/test/hold"))
        await house.gate.reached.wait()
        await house.listener.stop(0.05)
        assert await client.read_rest() == b""
        assert house.router.admission.running == 0


class TestUpgrades:
    HEADERS = ("Connection: Upgrade", "Upgrade: websocket")

    async def test_an_upgrade_goes_to_whom_it_is_for(self) -> None:
        seen: list[str] = []

        async def decline(request: web.BaseRequest, peer: Connection) -> web.StreamResponse:
            seen.append(request.path)
            return web.Response(status=418)

        async with open_house(upgrade=decline) as house:
            answer = await house.ask(get("/any/path", *self.HEADERS))
            assert (answer.status, seen) == (418, ["/any/path"])

    async def test_strangers_may_not_upgrade(self) -> None:
        async def never(request: web.BaseRequest, peer: Connection) -> web.StreamResponse:
            raise AssertionError("a stranger came through")

        async with open_house(upgrade=never) as house:
            answer = await house.ask(get("/", *self.HEADERS, "Origin: https://evil.example"))
            assert_refused(answer, "trivium.origin.refused", 403)

    async def test_what_was_handed_over_is_not_stopped_here(self) -> None:
        reached, ended = asyncio.Event(), asyncio.Event()

        async def serve(request: web.BaseRequest, peer: Connection) -> web.StreamResponse:
            reached.set()
            await ended.wait()
            return web.Response(status=418)

        async with open_house(upgrade=serve) as house:
            client = await house.client()
            await client.send(get("/", *self.HEADERS))
            await reached.wait()
            assert house.observer.open == 0
            await house.listener.stop(0.05)
            ended.set()
            assert (await client.read()).status == 418

    async def test_a_fault_ends_its_connection_only(self) -> None:
        async def stumble(request: web.BaseRequest, peer: Connection) -> web.StreamResponse:
            raise ZeroDivisionError("made for the test")

        async with open_house(upgrade=stumble) as house:
            client = await house.client()
            answer = await client.ask(get("/", *self.HEADERS))
            assert_refused(answer, "core.fatal.unexpected_error", 500)
            assert await client.read_rest() == b""
            assert (await house.ask(get("/_now"))).status == 200

    async def test_without_websockets(self, house: House) -> None:
        answer = await house.ask(get("/", *self.HEADERS))
        assert_refused(answer, "trivium.unsupported.feature", 501)

    async def test_other_upgrades_are_ignored(self, house: House) -> None:
        client = await house.client()
        await client.send(
            post("/_/test/echo", b'{"a":1}', "Connection: Upgrade", "Upgrade: h2c") + get("/_now")
        )
        answer = await client.read()
        assert (answer.status, answer.envelope["result"]["body"]) == (200, {"a": 1})
        # The parser loses what was sent behind it, so nobody may go on waiting for that.
        assert answer.headers["connection"] == "close"
        assert await client.read_rest() == b""
