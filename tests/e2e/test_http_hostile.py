"""HTTP from clients that are wrong, slow or hostile: each gets its refusal, others get answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator

import pytest

from router.settings import FrameSettings, HttpSettings, LimitSettings, Settings
from tests.support.http_house import House, open_house, until
from tests.support.raw_http import RawClient, get, post

# How a half-closed or lingering connection ends is up to the loop; the program runs on either.
EVERY_LOOP = True


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


HOST = b"Host: localhost\r\n"
POST = b"POST /_/test/echo HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "two lengths that differ": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two lengths that agree": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list as length": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length in words": POST + b"Content-Length: two\r\n\r\n{}",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a made-up transfer coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks spelt with a space": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk size with a sign": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a chunk ended by a bare LF": CHUNKED + b"2\n{}\n0\n\n",
    "a folded header": b"GET /_now HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n 2\r\n\r\n",
    "a first header folded": b"GET /_now HTTP/1.1\r\n X-A: 1\r\n" + HOST + b"\r\n",
    "bare LF": b"GET /_now HTTP/1.1\nHost: localhost\n\n",
    "a bare LF in a header": b"GET /_now HTTP/1.1\r\nX-A: 1\nX-B: 2\r\n" + HOST + b"\r\n",
    "a bare CR in a header": b"GET /_now HTTP/1.1\r\nX-A: 1\rX-B: 2\r\n" + HOST + b"\r\n",
    "NUL in the path": b"GET /_n\x00ow HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in a header": b"GET /_now HTTP/1.1\r\nX-A: \x00\r\n" + HOST + b"\r\n",
    "a space in the path": b"GET /_now x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that is not UTF-8": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "a query that is not UTF-8": b"GET /_now?a=\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": b"GET /_now HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /_now HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "no colon": b"GET /_now HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "an empty header name": b"GET /_now HTTP/1.1\r\n" + HOST + b": x\r\n\r\n",
    "an unknown verb": b"FOO /_now HTTP/1.1\r\n" + HOST + b"\r\n",
    "a verb in small letters": b"get /_now HTTP/1.1\r\n" + HOST + b"\r\n",
    "version 2.0": b"GET /_now HTTP/2.0\r\n" + HOST + b"\r\n",
    "version 1.9": b"GET /_now HTTP/1.9\r\n" + HOST + b"\r\n",
    "no version": b"GET /_now\r\n\r\n",
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "an MQTT CONNECT": b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that is no URL": b"GET nonsense HTTP/1.1\r\n" + HOST + b"\r\n",
    "too many headers": b"GET /_now HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_requests_are_refused_in_the_envelope_and_ended(
    house: House, request_bytes: bytes
) -> None:
    # The request behind it must not be answered: it could be smuggled past a proxy.
    client = await house.client()
    answer = await client.ask(request_bytes + get("/_now"))
    assert answer.status == 400
    assert answer.envelope["status"] == 400
    assert answer.error_id in ("network.http.unexpected_error", "network.http.unsupported_verb")
    assert "Traceback" not in answer.body.decode()
    assert answer.headers["connection"] == "close"
    assert await client.read_rest() == b""
    assert (await house.ask(get("/_now"))).status == 200


LONG = "x" * 20_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(f"/{LONG}"),
        get(f"/_now?a={LONG}"),
        get("/_now", f"X-A: {LONG}"),
        get("/_now", f"{LONG}: 1"),
        f"GET /{LONG * 50}".encode(),
    ],
    ids=["path", "query", "header value", "header name", "line without end"],
)
async def test_a_head_that_is_too_long(house: House, request_bytes: bytes) -> None:
    answer = await house.ask(request_bytes)
    assert (answer.status, answer.error_id) == (431, "network.http.head_too_large")
    assert answer.envelope["error"]["props"] == [16_384]


class TestSize:
    BODY = b'{"text":"' + b"x" * 1_200_000 + b'"}'

    async def test_a_length_beyond_the_limit_is_refused_before_the_body(self, house: House) -> None:
        client = await house.client()
        request = post("/_/test/echo", self.BODY)
        answer = await client.ask(request[: -len(self.BODY)])
        assert (answer.status, answer.error_id) == (413, "network.http.request_too_large")
        assert answer.headers["connection"] == "close"

    async def test_the_whole_body_sent_still_gets_the_refusal(self, house: House) -> None:
        client = await house.client()
        answer = await client.ask(post("/_/test/echo", self.BODY))
        assert (answer.status, answer.error_id) == (413, "network.http.request_too_large")
        assert await client.read_rest() == b""

    async def test_chunks_beyond_the_limit(self, house: House) -> None:
        client = await house.client()
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        answer = await client.ask(CHUNKED + chunk * 20)
        assert (answer.status, answer.error_id) == (413, "network.http.request_too_large")

    async def test_the_largest_body_passes(self, house: House) -> None:
        text = b"x" * (1_048_576 - 11)
        answer = await house.ask(post("/_/test/echo", b'{"text":"' + text + b'"}'))
        assert answer.status == 200
        assert len(answer.envelope["result"]["body"]["text"]) == len(text)

    async def test_a_gzip_bomb(self, house: House) -> None:
        bomb = gzip.compress(b" " * 50_000_000, 9)
        assert len(bomb) < 1_000_000
        answer = await house.ask(post("/_/test/echo", bomb, "Content-Encoding: gzip"))
        assert (answer.status, answer.error_id) == (413, "network.http.request_too_large")

    @pytest.mark.parametrize(
        ("header", "id"),
        [
            ("Content-Type: text/plain", "network.http.unsupported_content"),
            ("Content-Type: application/json; charset=latin1", "network.http.unsupported_charset"),
            ("Content-Encoding: br", "network.http.unsupported_compression"),
            ("Content-Encoding: gzip", "network.http.unexpected_error"),
            ("Content-Encoding: gzip,gzip,gzip,gzip", "network.http.too_many_encodings"),
        ],
    )
    async def test_bodies_that_cannot_be_read(self, house: House, header: str, id: str) -> None:
        client = await house.client()
        answer = await client.ask(post("/_/test/echo", b'{"a":1}', header))
        assert (answer.status, answer.error_id) == (400, id)
        assert (await client.ask(get("/_now"))).status == 200, "the connection goes on"

    @pytest.mark.parametrize(
        "body",
        [
            b"\xff\xfe",
            b'{"a":',
            b'{"a":NaN}',
            b'{"a":"\xff"}',
            b"[" * 100 + b"]" * 100,
            b"{" + b",".join(b'"%d":1' % n for n in range(10_001)) + b"}",
            b'"\\ud800"',
        ],
        ids=["no text", "cut", "NaN", "no UTF-8", "deep", "many keys", "lone surrogate"],
    )
    async def test_bodies_that_are_no_json(self, house: House, body: bytes) -> None:
        answer = await house.ask(post("/_/test/echo", body))
        assert answer.status == 400
        assert answer.error_id in (
            "network.http.body_parse_failed",
            "network.http.unexpected_error",
        )

    async def test_odd_json_is_read(self, house: House) -> None:
        body = b'{"a":1,"a":2,"big":18446744073709551616,"__proto__":{"x":1},"1.0":1.0}'
        answer = await house.ask(post("/_/test/echo", body))
        assert answer.envelope["result"]["body"] == {
            "a": 2,
            "big": 18446744073709551616.0,
            "__proto__": {"x": 1},
            "1.0": 1.0,
        }


class TestTime:
    SETTINGS = Settings(
        http=HttpSettings(
            header_timeout_s=1,
            body_timeout_s=1,
            keepalive_timeout_s=1.2,
            write_timeout_s=0.2,
        )
    )

    @staticmethod
    async def _drip(client: RawClient, data: bytes) -> None:
        for byte in data:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.02)

    @pytest.mark.parametrize(
        "sent",
        [
            b"GET /_now HTTP/1.1\r\nX-Slow: " + b"x" * 200,
            POST + b"Content-Length: 999\r\n\r\n" + b"x" * 200,
        ],
        ids=["head", "body"],
    )
    async def test_slow_loris(self, sent: bytes) -> None:
        async with open_house(self.SETTINGS) as house:
            client = await house.client()
            dripping = asyncio.create_task(self._drip(client, sent))
            answer = await client.read()
            assert (answer.status, answer.error_id) == (408, "network.http.too_slow")
            assert await client.read_rest() == b""
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            assert (await house.ask(get("/_now"))).status == 200

    async def test_a_head_that_stops_behind_a_request(self) -> None:
        async with open_house(self.SETTINGS) as house:
            client = await house.client()
            assert (await client.ask(get("/_now"))).status == 200
            await client.send(b"GET /_now HTTP/1.1\r\nX-A: ")
            assert (await client.read()).status == 408

    async def test_an_idle_connection_is_closed(self) -> None:
        async with open_house(self.SETTINGS) as house:
            silent, spoke = await house.client(), await house.client()
            assert (await spoke.ask(get("/_now"))).status == 200
            assert await silent.read_rest() == b""
            assert await spoke.read_rest() == b""
            await until(lambda: house.observer.open == 0)

    async def test_a_client_that_does_not_read_is_cut_off(self) -> None:
        async with open_house(self.SETTINGS) as house:
            with socket.socket() as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                raw.setblocking(False)
                await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", house.port))
                raw.send(get("/_/test/large?size=1000000") * 30)
                await until(lambda: "slow reader" in house.observer.reasons)
                await until(lambda: house.observer.open == 0)
            assert len(house.statuses) < 30

    async def test_many_slow_clients_do_not_hold_up_others(self, house: House) -> None:
        for n in range(200):
            client = await house.client()
            await client.send((POST + b"Content-Length: 10\r\n\r\n{")[: 20 + n % 60])
        answers = [await house.ask(get("/_now")) for _ in range(20)]
        assert {answer.status for answer in answers} == {200}


class TestEnds:
    async def test_a_body_cut_by_a_half_close(self, house: House) -> None:
        client = await house.client()
        await client.send(POST + b'Content-Length: 99\r\n\r\n{"a"')
        client.half_close()
        answer = await client.read()
        assert (answer.status, answer.error_id) == (400, "network.http.unexpected_error")
        assert await client.read_rest() == b""

    @pytest.mark.parametrize("sent", [b"", b"GET /_now HT", get("/_now")[:-2]])
    async def test_a_head_cut_by_a_half_close_ends_the_connection(
        self, house: House, sent: bytes
    ) -> None:
        client = await house.client()
        await client.send(sent)
        client.half_close()
        assert await client.read_rest() == b""
        await until(lambda: house.observer.open == 0)

    async def test_every_cut_of_a_request_is_forgotten(self, house: House) -> None:
        request = post("/_/test/echo", b'{"a":1}')
        for length in range(0, len(request), 3):
            client = await house.client()
            await client.send(request[:length])
            await client.close()
        await until(lambda: house.observer.open == 0)
        assert house.statuses == []

    async def test_a_flood_of_pipelined_requests_is_answered_to_the_last(
        self, house: House
    ) -> None:
        client = await house.client()
        requests = b"".join(post("/_/test/echo", b'{"n":%d}' % n) for n in range(5_000))
        sending = asyncio.create_task(client.send(requests))
        for n in range(5_000):
            assert (await client.read()).envelope["result"]["body"] == {"n": n}
        await sending

    async def test_trailers_without_end(self, house: House) -> None:
        client = await house.client()
        answer = await client.ask(CHUNKED + b"0\r\n" + b"X-A: 1\r\n" * 1_000)
        assert (answer.status, answer.error_id) == (400, "network.http.unexpected_error")

    async def test_a_request_in_single_bytes(self, house: House) -> None:
        client = await house.client()
        for byte in post("/_/test/echo", b'{"a":1}'):
            await client.send(bytes([byte]))
        assert (await client.read()).envelope["result"]["body"] == {"a": 1}

    async def test_connections_beyond_the_limit(self) -> None:
        async with open_house(Settings(limits=LimitSettings(connections=2))) as house:
            first, second = await house.client(), await house.client()
            assert (await first.ask(get("/_now"))).status == 200
            assert (await second.ask(get("/_now"))).status == 200
            third = await house.client()
            answer = await third.read()
            assert (answer.status, answer.error_id) == (503, "api.process.overloaded")
            assert await third.read_rest() == b""
            await first.close()
            await until(lambda: house.observer.open == 1)
            assert (await house.ask(get("/_now"))).status == 200

    async def test_a_small_frame_limit_holds(self) -> None:
        async with open_house(Settings(frame=FrameSettings(max_bytes=1_024))) as house:
            body = json.dumps({"text": "x" * 1_100}).encode()
            answer = await house.ask(post("/_/test/echo", body))
            assert answer.error_id == "network.http.request_too_large"
