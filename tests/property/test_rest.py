"""Any HTTP message gives a request or a documented error; any answer is one message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.codec.answer import Answer, common_lines, encode_answer
from protocols.codec.frame import FrameLimits
from protocols.codec.rest import Rules, decode, head_of
from protocols.codec.route import RouteTable
from protocols.locality import foreign
from router.envelope import Connection, Request
from router.errors import RouterError
from tests.support.small_router import small_table

RULES = Rules(RouteTable(small_table()), FrameLimits(max_bytes=2_000), 3)
CONNECTION = Connection("c", "http", "127.0.0.1")

# What the parser lets through: bytes as UTF-8, others as lone surrogates.
TEXTS = st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
NAMES = st.sampled_from(
    [
        "Authorization",
        "Content-Encoding",
        "Content-Type",
        "Host",
        "Origin",
        "X-Kuzzle-Request-Id",
        "X-Kuzzle-Volatile",
    ]
)
HEADERS = st.lists(st.tuples(NAMES, TEXTS), max_size=4)
PATHS = st.sampled_from(["/_now", "/_query", "/i/c/d", "/i/c/_search", "/_/test/echo", "*", ""])
TARGETS = st.builds(lambda path, rest: path + rest, PATHS, TEXTS | TEXTS.map(lambda t: f"?{t}"))


@given(st.sampled_from(["GET", "POST", "HEAD"]), TARGETS, HEADERS, st.binary(max_size=100))
def test_any_message_gives_a_request_or_a_documented_error(
    verb: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    head = head_of(verb, target, headers)
    try:
        outcome: Request | str = decode(
            head, body, connection=CONNECTION, rules=RULES, new_id="new"
        )
    except RouterError as error:
        outcome = error.id
    if isinstance(outcome, str):
        assert outcome.startswith("network.http.") or outcome == "api.assert.invalid_type"
    else:
        assert outcome.request_id


@given(
    st.integers(200, 599),
    st.binary(max_size=2_000),
    TEXTS,
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
    HEADERS,
)
def test_any_answer_is_one_message(
    status: int, body: bytes, request_id: str, added: dict[str, str], headers: list[tuple[str, str]]
) -> None:
    data = encode_answer(
        Answer(status, body, request_id, added),
        head_of("GET", "/", headers),
        common=common_lines("n", hsts_s=0),
        date="d",
        connection="",
        is_allowed=True,
    )
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status}")
    lengths = [line for line in lines if line.lower().startswith("content-length:")]
    assert lengths == [f"Content-Length: {len(rest)}"]
    assert rest == body
    assert not any("\n" in line or "\r" in line for line in lines)


@given(HEADERS, TEXTS)
def test_any_headers_are_local_or_have_a_reason(headers: list[tuple[str, str]], peer: str) -> None:
    reason = foreign(head_of("GET", "/", headers).headers, peer)
    assert reason is None or reason.endswith(".")
