"""Any bytes are a request or a documented refusal; what is written is read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec.frame import BadFrameError, FrameLimits, decode, dumps, encode, parse
from protocols.codec.frame_id import early_id
from router.envelope import Connection, Request, Response

HERE = Connection(id="c1", wire="mqtt")
LIMITS = FrameLimits(max_bytes=4096, max_depth=16, max_keys=100)

words = st.text(max_size=20)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4)
)
objects = st.dictionaries(words, values, max_size=5)
reserved = st.sampled_from(
    ["controller", "action", "body", "jwt", "volatile", "requestId", "timestamp", "index", "_id"]
)
frames = st.fixed_dictionaries(
    {"controller": words, "action": words},
    optional={
        "requestId": words.filter(bool),
        "jwt": words,
        "volatile": objects,
        "body": objects | st.lists(values, max_size=3),
        "timestamp": st.integers(0, 2**53),
        "index": words,
        "other": values,
    },
)


def read(text: bytes) -> Request | BadFrameError:
    try:
        return decode(text, HERE, LIMITS)
    except BadFrameError as refusal:
        return refusal


@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    outcome = read(text)
    assert isinstance(outcome, Request) or outcome.reason


@given(st.binary(max_size=200) | objects.map(dumps), st.integers(1, 4))
def test_looking_for_the_id_of_any_bytes_does_no_harm(text: bytes, max_depth: int) -> None:
    found = early_id(text, max_depth=max_depth)
    assert found is None or found


too_deep = st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]).flatmap(
    lambda pair: st.sampled_from([20, 1_000, 2_000]).map(
        # Closed where it can be read at all, and cut off where it can't.
        lambda depth: pair[0] * depth + (b"0" + pair[1] * depth if depth == 20 else b"")
    )
)


@given(objects, words.filter(bool), too_deep)
def test_what_is_too_deep_keeps_its_id(before: dict[str, Any], id: str, deep: bytes) -> None:
    before.pop("requestId", None)
    head = dumps({**before, "requestId": id})[:-1]
    wide = FrameLimits(max_bytes=100_000, max_depth=16)
    with pytest.raises(BadFrameError) as caught:
        decode(head + b',"body":' + deep + b"}", HERE, wide)
    assert caught.value.request_id == id


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"requestId":"r","requestId":"s","body":' + b"[" * 2_000, "s"),
        (b' { "requestId" : "r\\u00e9" , "body" :' + b"[" * 2_000, "r\u00e9"),
        (b'{"body":' + b"[" * 20 + b"]" * 20 + b',"requestId":"r"}', "r"),
        (b'{"body":' + b"[" * 2_000 + b"]" * 2_000 + b',"requestId":"r"}', None),
        (b'{"body":{"requestId":"r","b":' + b"[" * 2_000, None),
        (b'["requestId","r",' + b"[" * 2_000, None),
        (b'{"requestId":"","body":' + b"[" * 2_000, None),
        (b'{"requestId":7,"body":' + b"[" * 2_000, None),
        (b'{"a":"\\"requestId\\":\\"r","body":' + b"[" * 2_000, None),
        (b'{"requestId":"r","controller":', "r"),
        (b'{"requestId":"r"!', "r"),
        (b'{"a":{"b":[1,{}]},"requestId":"r",!', "r"),
        (b'["requestId":"r"!', None),
        (b'"requestId":"r"!', None),
        (b'{"x":"requestId":"r",!', None),
        (b'{"x","requestId":"r",!', None),
        (b'{"x":1 "requestId":"r",!', None),
        (b'{"requestId":"r","requestId":{"a":1},!', None),
        (b'{"requestId":"r","requestId":["s"],!', None),
        (b'{"requestId":"r","requestId":7,!', None),
        (b'{"requestId":"r","requestId":}', "r"),
        (b'{"requestId":{},"requestId":"r",!', "r"),
        (b'{"requestId":"r', None),
        (b'{"requestId":"\xff","body":' + b"[" * 2_000, None),
        (b'{"body":[' + b"1," * 2_000 + b'],"requestId":"r","x":' + b"[" * 2_000, None),
        (b"", None),
    ],
)
def test_the_id_of_what_is_no_request(text: bytes, found: str | None) -> None:
    with pytest.raises(BadFrameError) as caught:
        decode(text, HERE, FrameLimits(max_depth=16))
    assert caught.value.request_id == found


@given(st.text(alphabet='{}[]",:\\0123456789eE+-.truefalsnd \n\x00é', max_size=60))
def test_anything_that_looks_like_json(text: str) -> None:
    outcome = read(text.encode())
    assert isinstance(outcome, Request) or outcome.reason


@given(st.dictionaries(reserved | words, values, max_size=9))
def test_any_object(payload: dict[str, Any]) -> None:
    outcome = read(json.dumps(payload).encode())
    if isinstance(outcome, BadFrameError):
        own_id = payload.get("requestId")
        assert outcome.request_id in {own_id if isinstance(own_id, str) and own_id else None, None}


@given(frames)
def test_what_was_asked_is_read(payload: dict[str, Any]) -> None:
    asked = decode(json.dumps(payload).encode(), HERE, FrameLimits())
    assert (asked.controller, asked.action) == (payload["controller"], payload["action"])
    assert asked.request_id == payload.get("requestId", asked.request_id)
    assert (asked.jwt, asked.volatile, asked.body) == (
        payload.get("jwt"),
        payload.get("volatile"),
        payload.get("body"),
    )
    assert asked.args == {key: payload[key] for key in ("index", "other") if key in payload}


@given(frames, st.data())
def test_a_frame_that_is_cut_is_never_a_request(payload: dict[str, Any], data: Any) -> None:
    text = dumps(payload)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(BadFrameError):
        decode(text[:cut], HERE, FrameLimits())


@given(values)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse(dumps(value), FrameLimits()) == value


@given(
    st.builds(
        Response,
        request_id=words,
        status=st.integers(200, 599),
        error=st.none() | objects,
        result=values,
        controller=st.none() | words,
        action=st.none() | words,
        index=st.none() | words,
        collection=st.none() | words,
        volatile=st.none() | objects,
        headers=st.dictionaries(words, words, max_size=3),
    ),
    st.booleans(),
)
def test_an_answer_is_read_as_it_was_written(response: Response, room: bool) -> None:
    written = json.loads(encode(response, room=room, node="n1"))
    assert written.pop("node") == "n1"
    assert written.pop("room", None) == (response.request_id if room else None)
    written["request_id"] = written.pop("requestId")
    assert Response(**written) == response


anything = st.recursive(
    leaves | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers() | words, inner, max_size=3)
        | st.tuples(inner)
        | st.sets(st.integers(), max_size=2)
    ),
)


@given(anything)
def test_every_answer_can_be_written(result: Any) -> None:
    response = Response(request_id="r1", status=200, result=result)
    assert json.loads(encode(response))["requestId"] == "r1"


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def keys_of(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(keys_of, value.values()))
    return sum(map(keys_of, value)) if isinstance(value, list) else 0


@given(values, st.integers(1, 6), st.integers(1, 8))
def test_limits_hold_to_the_unit(value: Any, max_depth: int, max_keys: int) -> None:
    limits = FrameLimits(max_depth=max_depth, max_keys=max_keys)
    fits = depth_of(value) <= max_depth and keys_of(value) <= max_keys
    try:
        assert parse(dumps(value), limits) == value
    except BadFrameError:
        assert not fits
    else:
        assert fits
