"""The WebSocket wire behind the program's own listener: requests, limits, and how it ends."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import websockets

from router.actions import Action, ActionTable
from router.dispatch import Router
from router.envelope import Json, Request
from router.places import nowhere
from router.settings import (
    FrameSettings,
    HttpSettings,
    LimitSettings,
    Settings,
    WebSocketSettings,
)
from tests.support.small_router import Gate, small_router, small_table
from tests.support.websocket import (
    BINARY,
    BOUND_S,
    CLOSE,
    CONT,
    PING,
    PONG,
    RawClient,
    bounded,
    frame,
    listening,
    request,
    until,
    upgrade_request,
)

EVERY_LOOP = True
NOW = {"controller": "server", "action": "now"}
NODE_SCRIPT = Path(__file__).resolve().parents[1] / "node" / "global_websocket.mjs"


def assert_refused(answer: dict[str, Any], id: str, status: int) -> None:
    assert answer["error"]["id"] == id, answer
    assert answer["status"] == answer["error"]["status"] == status
    assert answer["result"] is None


async def connect(port: int, **options: Any) -> websockets.ClientConnection:
    return await websockets.connect(f"ws://127.0.0.1:{port}/", open_timeout=BOUND_S, **options)


async def ask(client: websockets.ClientConnection, message: str | bytes) -> dict[str, Any]:
    await client.send(message)
    text = await bounded(client.recv())
    assert isinstance(text, str), "answers are text frames"
    answer: dict[str, Any] = json.loads(text)
    return answer


class TestHandshake:
    @pytest.mark.parametrize("path", ["/", "/any/path?x=1"])
    async def test_any_path_is_upgraded_without_extensions(self, path: str) -> None:
        async with listening(small_router(small_table())) as server:
            client = await websockets.connect(f"ws://127.0.0.1:{server.port}{path}")
            assert client.protocol.extensions == []
            assert client.subprotocol is None
            assert (await ask(client, json.dumps(NOW)))["status"] == 200
            await client.close()

    async def test_accept_key_is_that_of_the_rfc(self) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            assert client.head == "HTTP/1.1 101 Switching Protocols"
            assert client.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            await client.close()

    @pytest.mark.parametrize(("offered", "taken"), [("null", "null"), ("a, b", "a")])
    async def test_first_offered_subprotocol_is_echoed(self, offered: str, taken: str) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port, extra={"Sec-WebSocket-Protocol": offered})
            assert client.headers["sec-websocket-protocol"] == taken
            await client.close()

    async def test_frame_glued_to_the_upgrade_request_is_answered(self) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port, glued=request(**NOW, requestId="g"))
            assert (await client.answer())["requestId"] == "g"
            await client.close()

    async def test_kept_alive_http_connection_can_be_upgraded(self) -> None:
        async with listening(small_router(small_table())) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /_ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await bounded(reader.readuntil(b"\r\n\r\n"))
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await bounded(reader.readexactly(length))
            client = RawClient(reader, writer)
            client.send(upgrade_request())
            await client.read_head()
            client.send(request(**NOW, requestId="k"))
            assert (await client.answer())["requestId"] == "k"
            await client.close()

    @pytest.mark.parametrize(
        "extra",
        [
            {"Sec-WebSocket-Version": "8"},
            {"Sec-WebSocket-Key": "short"},
            {"Sec-WebSocket-Key": ""},
            {"Connection": "Upgrade", "Sec-WebSocket-Protocol": "bad protocol"},
        ],
        ids=["version", "key", "no-key", "subprotocol"],
    )
    async def test_bad_handshake_is_refused_in_an_envelope(self, extra: dict[str, str]) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port, extra=extra)
            assert client.head.startswith("HTTP/1.1 400")
            assert client.headers["sec-websocket-version"] == "13"
            body = await bounded(client.reader.read())
            assert_refused(json.loads(body), "network.websocket.unexpected_error", 400)
            assert server.observer.reasons == ["network.websocket.unexpected_error"]
            assert server.wire.connections == 0
            await client.close()

    async def test_post_is_no_handshake(self) -> None:
        async with listening(small_router(small_table())) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(upgrade_request(verb="POST"))
            client = RawClient(reader, writer)
            await client.read_head()
            assert client.head.startswith("HTTP/1.1 400")
            assert await client.ended()
            await client.close()

    async def test_handshake_that_never_ends_is_dropped(self) -> None:
        settings = Settings(http=HttpSettings(header_timeout_s=0.2))
        async with listening(small_router(small_table()), settings) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(upgrade_request()[:60])
            client = RawClient(reader, writer)
            assert await client.ended()
            await client.close()

    async def test_connection_beyond_the_limit_is_refused_with_503(self) -> None:
        async with listening(
            small_router(small_table()), Settings(limits=LimitSettings(connections=2))
        ) as server:
            kept = [await RawClient.open(server.port) for _ in range(2)]
            refused = await RawClient.open(server.port)
            assert refused.head.startswith("HTTP/1.1 503")
            assert await refused.ended()
            kept[0].send(request(**NOW, requestId="still"))
            assert (await kept[0].answer())["requestId"] == "still"
            for client in (*kept, refused):
                await client.close()


class TestRequests:
    @pytest.mark.parametrize("is_binary", [False, True])
    async def test_answer_is_text_with_room_and_node(self, is_binary: bool) -> None:
        message: str | bytes = json.dumps({**NOW, "requestId": "r1"})
        message = message.encode() if is_binary else message
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            answer = await ask(client, message)
        assert answer["room"] == answer["requestId"] == "r1"
        assert answer["node"] == "node-1"
        assert (answer["status"], answer["error"]) == (200, None)

    async def test_upgrade_headers_and_address_are_the_connections(self) -> None:
        seen: list[Request] = []

        async def see(request: Request) -> Json:
            seen.append(request)
            return None

        table = ActionTable(
            [Action(controller="t", name="see", handler=see, places=nowhere, summary="Test.")]
        )
        async with listening(small_router(table)) as server:
            extra = {"X-Site": "caf\u00e9", "Origin": "http://localhost"}
            client = await RawClient.open(server.port, extra=extra)
            client.send(request(controller="t", action="see"))
            await client.answer()
            await client.close()
        [connection] = [r.connection for r in seen]
        assert (connection.wire, connection.address) == ("websocket", "127.0.0.1")
        assert connection.headers["origin"] == "http://localhost"
        assert connection.headers["x-site"] == "caf\u00e9"

    @pytest.mark.parametrize("ping", ['{"p":1}', '{ "p" : 1 }\n', '{"p":1.0}'])
    async def test_application_ping_gets_exactly_p2(self, ping: str) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            await client.send(ping)
            assert await bounded(client.recv()) == '{"p":2}'

    @pytest.mark.parametrize("near", ['{"p":2}', '{"p":1,"q":1}', '{"p":true}', '{"p":"1"}'])
    async def test_what_only_looks_like_a_ping_is_a_request(self, near: str) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            assert_refused(await ask(client, near), "api.assert.missing_argument", 400)

    async def test_ping_of_the_protocol_is_answered(self) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            pong = await client.ping(b"abc")
            await bounded(pong)

    @pytest.mark.parametrize(
        "message",
        ['{"controller":', '{"p":', "null", "[1]", '"x"', "1", "nonsense", '{"a":NaN}', "[" * 100],
    )
    async def test_what_is_no_request_is_answered_without_room(self, message: str) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            answer = await ask(client, message)
            assert_refused(answer, "network.websocket.unexpected_error", 400)
            assert "room" not in answer
            assert answer["requestId"]
            assert server.observer.reasons == ["bad frame"]
            assert (await ask(client, json.dumps(NOW)))["status"] == 200

    @pytest.mark.parametrize(
        "field", [{"jwt": 5}, {"volatile": "x"}, {"body": 1}, {"controller": 1}, {"action": []}]
    )
    async def test_mistyped_reserved_field_is_answered_to_its_caller(
        self, field: dict[str, Any]
    ) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            answer = await ask(client, json.dumps({**NOW, "requestId": "r", **field}))
            assert_refused(answer, "network.websocket.unexpected_error", 400)
            assert answer["room"] == answer["requestId"] == "r"

    @pytest.mark.parametrize("depth", [100, 5_000])
    async def test_what_is_nested_too_deep_is_answered_to_its_caller(self, depth: int) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            deep = "[" * depth + "]" * depth
            answer = await ask(client, f'{{"requestId":"r","controller":"c","body":{deep}}}')
            assert_refused(answer, "network.websocket.unexpected_error", 400)
            assert answer["room"] == answer["requestId"] == "r"

    async def test_mistyped_request_id_is_answered_without_room(self) -> None:
        async with (
            listening(small_router(small_table())) as server,
            await connect(server.port) as client,
        ):
            answer = await ask(client, json.dumps({**NOW, "requestId": 5}))
            assert_refused(answer, "network.websocket.unexpected_error", 400)
            assert "room" not in answer

    async def test_empty_frames_are_ignored(self) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            client.send(frame(b"") + frame(b"", BINARY) + request(**NOW, requestId="after"))
            assert (await client.answer())["requestId"] == "after"
            await client.close()

    async def test_fragmented_request_is_answered_once(self) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            text = json.dumps({**NOW, "requestId": "f"}).encode()
            client.send(frame(text[:9], fin=False) + frame(b"", PING) + frame(text[9:], CONT))
            assert (await client.frame()).opcode == PONG
            assert (await client.answer())["requestId"] == "f"
            await client.close()

    async def test_answers_come_in_the_order_of_completion(self) -> None:
        gate = Gate()
        async with (
            listening(small_router(small_table(gate))) as server,
            await connect(server.port) as client,
        ):
            await client.send('{"controller":"test","action":"hold","requestId":"slow"}')
            assert (await ask(client, json.dumps({**NOW, "requestId": "x"})))["requestId"] == "x"
            gate.opened.set()
            assert json.loads(await bounded(client.recv()))["requestId"] == "slow"

    async def test_result_that_is_no_json_is_answered_as_an_error(self) -> None:
        async def odd(request: Request) -> Json:
            return {"odd": object()}  # type: ignore[dict-item]

        table = ActionTable(
            [Action(controller="t", name="odd", handler=odd, places=nowhere, summary="Test.")]
        )
        async with (
            listening(small_router(table)) as server,
            await connect(server.port) as client,
        ):
            answer = await ask(client, '{"controller":"t","action":"odd","requestId":"o"}')
            assert_refused(answer, "plugin.controller.unserializable_response", 500)
            assert answer["room"] == "o"


class TestManyRequests:
    async def test_thousand_pipelined_requests_are_all_answered(self) -> None:
        async with listening(small_router(small_table(), at_work=10, waiting=2_000)) as server:
            client = await RawClient.open(server.port)
            client.send(b"".join(request(**NOW, requestId=str(n)) for n in range(1_000)))
            ids = {(await client.answer())["requestId"] for _ in range(1_000)}
            assert ids == {str(n) for n in range(1_000)}
            await client.close()

    async def test_requests_of_one_document_start_in_the_order_they_arrived(self) -> None:
        router, written = ordered_router()
        async with listening(router) as server:
            client = await RawClient.open(server.port)
            client.send(
                b"".join(
                    request(controller="t", action="write", _id="one", n=n, requestId=str(n))
                    for n in range(200)
                )
            )
            for _ in range(200):
                await client.answer()
            await client.close()
        assert written == list(range(200))

    async def test_connection_is_not_read_from_beyond_its_limit(self) -> None:
        gate = Gate()
        router = small_router(small_table(gate), at_work=1_000)
        limits = LimitSettings(requests_per_connection=5)
        async with listening(router, Settings(limits=limits)) as server:
            client = await RawClient.open(server.port)
            other = await RawClient.open(server.port)
            hold = {"controller": "test", "action": "hold"}
            client.send(b"".join(request(**hold, requestId=str(n)) for n in range(20)))
            await bounded(gate.reached.wait())
            client.send(request(**NOW, requestId="after"))
            other.send(request(**NOW, requestId="other"))
            assert (await other.answer())["requestId"] == "other"
            assert router.admission.running == 5
            gate.opened.set()
            ids = {(await client.answer())["requestId"] for _ in range(21)}
            assert ids == {"after", *(str(n) for n in range(20))}
            await client.close()
            await other.close()


class TestBadFrames:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(b"{}", mask=None), 1002),
            (frame(b"{}", reserved=4), 1002),
            (frame(b"{}", 5), 1002),
            (frame(b"x" * 126, PING), 1002),
            (frame(b"", length=2**20 + 1), 1009),
            (frame(b"", length=2**62), 1009),
            (frame(b'"\xff"'), 1007),
            (frame(b'"\xff', fin=False), 1007),
            (frame(b"\x03", CLOSE), 1002),
        ],
        ids=[
            "unmasked",
            "reserved-bit",
            "opcode",
            "long-control",
            "too-long",
            "far-too-long",
            "not-utf8",
            "fragment-not-utf8",
            "cut-close",
        ],
    )
    async def test_bad_frame_closes_its_connection_only(self, data: bytes, code: int) -> None:
        async with listening(small_router(small_table())) as server:
            bad, good = await RawClient.open(server.port), await RawClient.open(server.port)
            bad.send(data)
            closing = await bad.frame()
            assert (closing.opcode, closing.code) == (CLOSE, code)
            assert await bad.ended()
            good.send(request(**NOW, requestId="fine"))
            assert (await good.answer())["requestId"] == "fine"
            await bad.close()
            await good.close()

    async def test_close_code_arrives_though_the_client_is_still_sending(self) -> None:
        settings = Settings(frame=FrameSettings(max_bytes=1_024))
        async with listening(small_router(small_table()), settings) as server:
            client = await connect(server.port)
            with suppress(websockets.ConnectionClosed):
                await bounded(client.send("x" * 8_000_000))
            await bounded(client.wait_closed())
            assert client.close_code == 1009

    async def test_longest_message_is_taken(self) -> None:
        settings = Settings(frame=FrameSettings(max_bytes=1_024))
        message = json.dumps({**NOW, "requestId": "long"})
        async with listening(small_router(small_table()), settings) as server:
            client = await RawClient.open(server.port)
            client.send(frame(message.ljust(1_024)))
            assert (await client.answer())["requestId"] == "long"
            client.send(frame(message.ljust(1_025)))
            assert (await client.frame()).code == 1009
            await client.close()


class TestTheEnd:
    @pytest.mark.parametrize("code", [1000, 1001, 3000])
    async def test_clients_close_is_echoed(self, code: int) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            client.send(frame(code.to_bytes(2), CLOSE))
            closing = await client.frame()
            assert (closing.opcode, closing.code) == (CLOSE, code)
            assert await client.ended()
            await until(lambda: server.observer.open == 0, "the wire forgets the connection")
            await client.close()

    async def test_connection_that_just_vanishes_is_forgotten(self) -> None:
        async with listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            assert (server.wire.connections, server.observer.open) == (1, 1)
            reset(client)
            await until(lambda: server.wire.connections == 0, "the wire forgets the connection")
            assert server.observer.open == 0

    async def test_request_of_a_vanished_connection_is_finished_quietly(self) -> None:
        gate = Gate()
        router = small_router(small_table(gate))
        async with listening(router) as server:
            client = await RawClient.open(server.port)
            client.send(request(controller="test", action="hold"))
            await bounded(gate.reached.wait())
            reset(client)
            other = await RawClient.open(server.port)
            other.send(request(**NOW, requestId="other"))
            assert (await other.answer())["requestId"] == "other"
            assert router.admission.running == 1
            gate.opened.set()
            await until(lambda: router.admission.running == 0, "the request ends")
            await until(lambda: server.wire.connections == 1, "the wire forgets the connection")
            await other.close()

    async def test_request_that_waits_for_a_place_is_dropped_with_its_connection(self) -> None:
        gate = Gate()
        done: list[str] = []

        async def note(request: Request) -> Json:
            done.append(request.request_id)
            return None

        table = small_table(gate)
        table.add(
            Action(controller="t", name="note", handler=note, places=nowhere, summary="Test.")
        )
        router = small_router(table, at_work=1)
        async with listening(router) as server:
            lost, kept = await RawClient.open(server.port), await RawClient.open(server.port)
            lost.send(request(controller="test", action="hold"))
            lost.send(request(controller="t", action="note", requestId="lost"))
            await until(lambda: router.admission.waiting == 1, "one waits")
            kept.send(request(controller="t", action="note", requestId="kept"))
            await until(lambda: router.admission.waiting == 2, "two wait")
            reset(lost)
            # A later round trip: the reset has been seen by then.
            kept.send(frame(b"", PING))
            assert (await kept.frame()).opcode == PONG
            gate.opened.set()
            assert (await kept.answer())["requestId"] == "kept"
            assert done == ["kept"]
            await kept.close()

    async def test_silent_connection_is_closed_never_with_1000(self) -> None:
        settings = Settings(websocket=WebSocketSettings(idle_timeout_s=0.2))
        async with listening(small_router(small_table()), settings) as server:
            client = await RawClient.open(server.port)
            closing = await client.frame()
            assert (closing.opcode, closing.code) == (CLOSE, 1001)
            await client.close()

    async def test_frame_that_never_ends_counts_as_silence(self) -> None:
        settings = Settings(websocket=WebSocketSettings(idle_timeout_s=0.2))
        async with listening(small_router(small_table()), settings) as server:
            client = await RawClient.open(server.port)
            drip = asyncio.create_task(drip_bytes(client, request(**NOW)))
            closing = await client.frame()
            assert (closing.opcode, closing.code) == (CLOSE, 1001)
            drip.cancel()
            await client.close()

    async def test_client_that_waits_for_its_answer_is_not_idle(self) -> None:
        gate = Gate()
        settings = Settings(websocket=WebSocketSettings(idle_timeout_s=0.1))
        async with listening(small_router(small_table(gate)), settings) as server:
            # In one piece, for it must not be silent before it asks.
            asked = request(controller="test", action="hold", requestId="w")
            waiting = await RawClient.open(server.port, glued=asked)
            silent = await RawClient.open(server.port)
            assert (await silent.frame()).opcode == CLOSE
            await bounded(gate.reached.wait())
            gate.opened.set()
            assert (await waiting.answer())["requestId"] == "w"
            await waiting.close()
            await silent.close()

    async def test_slow_reader_is_cut_off_and_others_are_not(self) -> None:
        settings = Settings(websocket=WebSocketSettings(max_unsent_bytes=65_536))
        async with listening(small_router(small_table()), settings) as server:
            slow, good = await RawClient.open(server.port), await RawClient.open(server.port)
            transport = slow.writer.transport
            transport.pause_reading()  # type: ignore[attr-defined]
            large = request(controller="test", action="large", size=500_000)
            slow.send(large * 100)
            await until(lambda: server.wire.connections == 1, "the slow reader is cut off")
            good.send(request(**NOW, requestId="good"))
            assert (await good.answer())["requestId"] == "good"
            await slow.close()
            await good.close()


class TestStopping:
    async def test_request_at_work_is_answered_then_closed_with_1012(self) -> None:
        gate = Gate()
        async with listening(small_router(small_table(gate))) as server:
            client = await RawClient.open(server.port)
            client.send(request(controller="test", action="hold", requestId="held"))
            await bounded(gate.reached.wait())
            stopping = asyncio.create_task(server.wire.stop(BOUND_S))
            await asyncio.sleep(0)
            client.send(request(**NOW, requestId="late"))
            late = await client.answer()
            assert_refused(late, "network.entrypoint.shutting_down", 503)
            assert late["room"] == "late"
            refused = await RawClient.open(server.port)
            assert refused.head.startswith("HTTP/1.1 503")
            assert await refused.ended()
            gate.opened.set()
            assert (await client.answer())["requestId"] == "held"
            closing = await client.frame()
            assert (closing.opcode, closing.code) == (CLOSE, 1012)
            client.send(frame(closing.payload, CLOSE))
            await bounded(stopping)
            assert server.wire.connections == 0
            await client.close()
            await refused.close()

    async def test_request_that_does_not_end_is_given_up(self) -> None:
        gate = Gate()
        router = small_router(small_table(gate))
        async with listening(router) as server:
            client = await RawClient.open(server.port)
            client.send(request(controller="test", action="hold"))
            await bounded(gate.reached.wait())
            await bounded(server.wire.stop(0.05))
            assert (await client.frame()).code == 1012
            assert router.admission.running == 0
            await client.close()


@pytest.mark.needs("node")
@pytest.mark.parametrize("protocols", ["null", "none"])
async def test_global_websocket_of_node(protocols: str) -> None:
    async with listening(small_router(small_table())) as server:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--experimental-websocket",
            str(NODE_SCRIPT),
            f"ws://127.0.0.1:{server.port}",
            protocols,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, problems = await asyncio.wait_for(process.communicate(), 2 * BOUND_S)
    assert process.returncode == 0, problems.decode()
    seen = json.loads(out)
    assert seen["protocol"] == ("null" if protocols == "null" else "")
    assert seen["extensions"] == ""
    assert seen["pong"] == '{"p":2}'
    assert seen["answer"]["room"] == "n1"
    assert (seen["code"], seen["wasClean"]) == (1000, True)


def ordered_router() -> tuple[Router, list[int]]:
    """A router whose `t:write` takes its turn on `_id` before it notes `n`."""
    written: list[int] = []

    async def write(request: Request) -> Json:
        number = request.integer("n", 0)
        for _ in range(number % 7):
            await asyncio.sleep(0)
        assert request.turn is not None
        await request.turn.wait()
        written.append(number)
        request.turn.leave()
        return None

    action = Action(
        controller="t",
        name="write",
        handler=write,
        places=nowhere,
        summary="Test.",
        order_key=lambda request: request.string("_id"),
    )
    return small_router(ActionTable([action]), at_work=1_000), written


async def drip_bytes(client: RawClient, data: bytes) -> None:
    for n in range(len(data) - 1):
        client.send(data[n : n + 1])
        await asyncio.sleep(0.05)


def reset(client: RawClient) -> None:
    """Drop the connection without a closing handshake, as a power cut would."""
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.writer.transport.abort()
