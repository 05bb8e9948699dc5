"""JSON frames: what is read as a request, what is refused, and how answers are written."""

from __future__ import annotations

import json
from collections import UserDict
from typing import Any

import pytest

from protocols.codec.frame import (
    BadFrameError,
    FrameLimits,
    decode,
    dumps,
    encode,
    parse,
    request_of,
)
from router.envelope import ABSENT, Connection, Response
from router.errors import RouterError

HERE = Connection(id="c1", wire="websocket")
LIMITS = FrameLimits()


def frame(**keys: Any) -> bytes:
    return json.dumps({"controller": "server", "action": "now", **keys}).encode()


def bad(text: bytes, limits: FrameLimits = LIMITS) -> BadFrameError:
    with pytest.raises(BadFrameError) as refusal:
        decode(text, HERE, limits)
    assert refusal.value.reason
    return refusal.value


class TestRequests:
    """Kuzzle reference 1.1: one flat object; every key that is not reserved is an argument."""

    def test_reserved_keys_and_arguments(self) -> None:
        asked = decode(
            frame(
                requestId="r1",
                jwt="t",
                volatile={"v": 1},
                body={"b": 1},
                timestamp=5,
                index="i",
                _id="a",
                refresh="wait_for",
            ),
            HERE,
            LIMITS,
        )
        assert (asked.controller, asked.action, asked.request_id) == ("server", "now", "r1")
        assert (asked.jwt, asked.volatile, asked.body, asked.timestamp) == (
            "t",
            {"v": 1},
            {"b": 1},
            5,
        )
        assert asked.args == {"index": "i", "_id": "a", "refresh": "wait_for"}
        assert asked.connection is HERE

    def test_everything_may_be_null(self) -> None:
        keys = ("controller", "action", "body", "jwt", "volatile", "requestId", "timestamp")
        asked = decode(json.dumps(dict.fromkeys(keys)).encode(), HERE, LIMITS)
        assert (asked.controller, asked.action, asked.args) == ("", "", {})
        assert (asked.body, asked.jwt, asked.volatile) == (None, None, None)
        assert asked.request_id
        assert asked.timestamp > 1_600_000_000_000

    def test_a_body_may_be_an_array(self) -> None:
        assert decode(frame(body=[1]), HERE, LIMITS).body == [1]

    @pytest.mark.parametrize("timestamp", [True, 1.5, "5", None, []])
    def test_a_time_that_is_no_whole_number_is_now(self, timestamp: Any) -> None:
        asked = decode(frame(timestamp=timestamp), HERE, LIMITS)
        assert asked.timestamp > 1_600_000_000_000

    @pytest.mark.parametrize("text", [bytearray(frame()), memoryview(frame())])
    def test_any_kind_of_bytes(self, text: bytearray | memoryview) -> None:
        assert decode(text, HERE, LIMITS).action == "now"

    def test_an_id_from_outside_overrules_the_frames(self) -> None:
        assert request_of({"requestId": "a"}, HERE, request_id="b").request_id == "b"
        assert request_of({"requestId": "a"}, HERE, request_id="").request_id == "a"

    @pytest.mark.parametrize("key", ["__proto__", "constructor", "toString", "__class__", ""])
    def test_no_key_is_special(self, key: str) -> None:
        assert decode(frame(**{key: {"x": 1}}), HERE, LIMITS).args == {key: {"x": 1}}

    def test_of_a_repeated_key_the_last_counts(self) -> None:
        text = b'{"controller":"a","controller":"b","action":"c","x":1,"x":2}'
        asked = decode(text, HERE, LIMITS)
        assert (asked.controller, asked.args) == ("b", {"x": 2})

    @pytest.mark.parametrize(
        ("number", "read"),
        [
            (b"9223372036854775807", 2**63 - 1),
            (b"18446744073709551615", 2**64 - 1),
            (b"18446744073709551616", 2.0**64),
            (b"-9223372036854775809", -(2.0**63)),
        ],
    )
    def test_numbers_beyond_64_bits_are_floats(self, number: bytes, read: float) -> None:
        asked = decode(b'{"n":' + number + b"}", HERE, LIMITS)
        assert asked.args == {"n": read}
        assert type(asked.args["n"]) is type(read)


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "value", "kind"),
        [
            ("controller", 1, '"string"'),
            ("action", {}, '"string"'),
            ("jwt", 5, '"string"'),
            ("volatile", [], '"object"'),
            ("volatile", "x", '"object"'),
            ("body", "x", '"object" or "array"'),
            ("body", 0, '"object" or "array"'),
            ("body", False, '"object" or "array"'),
        ],
    )
    def test_a_reserved_key_of_another_type(self, key: str, value: Any, kind: str) -> None:
        error = bad(frame(**{"requestId": "r1", key: value}))
        assert error.reason == f"Attribute {key} must be of type {kind}"
        assert error.request_id == "r1"

    @pytest.mark.parametrize("id", [1, True, {}, []])
    def test_an_id_that_is_no_text_is_not_sent_back(self, id: Any) -> None:
        error = bad(frame(requestId=id))
        assert error.reason == 'Attribute requestId must be of type "string"'
        assert error.request_id is None

    def test_without_an_id_there_is_none_to_send_back(self) -> None:
        assert bad(frame(jwt=5)).request_id is None
        assert bad(frame(jwt=5, requestId="")).request_id is None

    @pytest.mark.parametrize("text", [b"null", b"[]", b"[{}]", b'"x"', b"1", b"true"])
    def test_what_is_no_object(self, text: bytes) -> None:
        assert bad(text).reason == "a request must be a JSON object"

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b" ",
            b"{",
            b"{}x",
            b"{'a':1}",
            b'{"a":NaN}',
            b'{"a":Infinity}',
            b'{"a":1e999}',
            b'{"a":01}',
            b'{"a":"\xff"}',
            b'{"a":"\xed\xa0\x80"}',
            b'{"a":"\\ud800"}',
            b'{"a":"\x00"}',
            b'\xef\xbb\xbf{"a":1}',
            b'{"a":1}'.decode().encode("utf-16"),
            b"[" * 100_000 + b"]" * 100_000,
            b'{"a":' * 1000 + b"1" + b"}" * 1000,
            b'{"a":1,}',
            b'{"a":1 /* no */}',
        ],
    )
    def test_what_is_no_json(self, text: bytes) -> None:
        bad(text)

    def test_the_error_for_the_client_is_the_wires(self) -> None:
        error = bad(b"{").as_refusal("network.mqtt.unexpected_error")
        assert (error.id, error.status) == ("network.mqtt.unexpected_error", 400)


class TestLimits:
    def test_bytes(self) -> None:
        text = frame()
        assert decode(text, HERE, FrameLimits(max_bytes=len(text)))
        assert "bytes" in bad(text, FrameLimits(max_bytes=len(text) - 1)).reason

    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    def test_depth(self, opening: bytes, closing: bytes) -> None:
        def nested(depth: int) -> bytes:
            return opening * depth + b"1" + closing * depth

        limits = FrameLimits(max_depth=8)
        assert parse(nested(8), limits)
        with pytest.raises(BadFrameError, match="nested more than 8 deep"):
            parse(nested(9), limits)

    def test_brackets_in_text_and_side_by_side_are_not_depth(self) -> None:
        limits = FrameLimits(max_depth=2)
        assert parse(b'{"a":"[[[[[[[["}', limits)
        assert parse(b"[[],[],[],[],[],[]]", limits)
        assert parse(b'"{{{{{{{{{{"', limits)

    def test_keys(self) -> None:
        def keyed(keys: int) -> bytes:
            half = keys // 2
            inner = {str(n): n for n in range(half)}
            return json.dumps([inner, {str(n): {} for n in range(keys - half)}]).encode()

        limits = FrameLimits(max_keys=20)
        assert parse(keyed(20), limits)
        with pytest.raises(BadFrameError, match="more than 20 keys"):
            parse(keyed(21), limits)

    def test_colons_in_text_are_not_keys(self) -> None:
        assert parse(b'{"a":"::::::::::::"}', FrameLimits(max_keys=1))

    def test_the_shortest_texts_that_pass_a_limit_are_caught(self) -> None:
        with pytest.raises(BadFrameError):
            parse(b"[" * 5 + b"]" * 5, FrameLimits(max_depth=4))
        with pytest.raises(BadFrameError):
            parse(b'{"":' * 21 + b"1" + b"}" * 21, FrameLimits(max_keys=20))


class TestAnswers:
    def answer(self, **fields: Any) -> Response:
        return Response(**{"request_id": "r1", "status": 200, **fields})

    def test_keys_stand_in_the_peers_order(self) -> None:
        full = self.answer(
            controller="a", action="b", index="i", collection="c", result=1, volatile={}
        )
        assert list(json.loads(encode(full, node="n1", room=True))) == [
            "action",
            "collection",
            "controller",
            "error",
            "headers",
            "index",
            "requestId",
            "result",
            "status",
            "volatile",
            "node",
            "room",
        ]

    def test_what_was_not_given_is_left_out_and_null_stays(self) -> None:
        assert json.loads(encode(self.answer())) == {
            "action": None,
            "controller": None,
            "error": None,
            "headers": {},
            "requestId": "r1",
            "result": None,
            "status": 200,
            "volatile": None,
        }

    def test_an_answer_without_result(self) -> None:
        assert "result" not in json.loads(encode(self.answer(result=ABSENT)))

    def test_an_error(self) -> None:
        error = RouterError("api.assert.body_required")
        written = json.loads(encode(self.answer(status=400, error=error.to_json())))
        assert written["error"]["id"] == "api.assert.body_required"

    def test_the_room_is_the_request(self) -> None:
        assert json.loads(encode(self.answer(), room=True))["room"] == "r1"

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (2**70, float(2**70)),
            (-(2**63) - 1, float(-(2**63) - 1)),
            ("a\ud800b", "a\ufffdb"),
            ("\ud83d\ude00", "😀"),
            ({1: "x", None: "y"}, {"1": "x", "None": "y"}),
            (float("nan"), None),
            ((1, 2), [1, 2]),
            ({"\udfff": ["\udfff"]}, {"\ufffd": ["\ufffd"]}),
        ],
    )
    def test_whatever_an_application_returns(self, value: Any, written: Any) -> None:
        assert json.loads(encode(self.answer(result=value)))["result"] == written

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"x", UserDict(), [10**400]])
    def test_what_is_no_json_becomes_an_error(self, value: Any) -> None:
        full = self.answer(controller="a", action="b", result={"deep": [value]}, volatile={})
        written = json.loads(encode(full, room=True, node="n1"))
        assert written["error"]["id"] == "plugin.controller.unserializable_response"
        assert (written["status"], written["result"]) == (500, None)
        assert (written["requestId"], written["room"], written["node"]) == ("r1", "r1", "n1")

    def test_an_endless_result_becomes_an_error(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        written = json.loads(encode(self.answer(result=endless)))
        assert written["error"]["id"] == "plugin.controller.unserializable_response"

    def test_pretty(self) -> None:
        assert dumps({"a": 1}, pretty=True) == b'{\n  "a": 1\n}'
        assert dumps({"a": 2**70}, pretty=True).startswith(b"{\n")
