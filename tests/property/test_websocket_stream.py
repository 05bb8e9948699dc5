"""Whatever bytes a client sends, cut anywhere: nothing is raised, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.codec.frame import FrameLimits
from protocols.websocket_connection import ConnectionLimits, WebSocketConnection
from protocols.websocket_messages import MessageParser
from protocols.websocket_session import Terms, WebSocketSession
from router.envelope import Connection, Request, Response
from tests.support.small_router import CountingObserver
from tests.support.websocket import (
    BINARY,
    CONT,
    PING,
    TEXT,
    MemoryTransport,
    frame,
    read_frames,
)

MAX_BYTES = 300
PEER = Connection(id="c", wire="websocket")


class Answering:
    """Answers every request with nothing."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def dispatch(self, request: Request) -> Response:
        self.ids.append(request.request_id)
        return Response(request_id=request.request_id, status=200)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


async def serve(chunks: list[bytes]) -> tuple[MemoryTransport, Answering]:
    transport, dispatcher = MemoryTransport(), Answering()
    connection = WebSocketConnection(
        transport,
        ConnectionLimits(max_bytes=MAX_BYTES, max_unsent_bytes=2**20, idle_timeout_s=60),
    )
    terms = Terms(FrameLimits(max_bytes=MAX_BYTES), max_requests=4, node="n")
    session = WebSocketSession(
        connection, dispatcher, peer=PEER, terms=terms, observer=CountingObserver()
    )
    connection.attach(session)
    for chunk in chunks:
        assert connection.feed_data(chunk) == (False, b"")
    for _ in range(10_000):
        if not session.is_busy():
            break
        await asyncio.sleep(0)
    connection.feed_eof()
    return transport, dispatcher


any_frame = st.builds(
    frame,
    st.binary(max_size=140),
    st.sampled_from([CONT, TEXT, BINARY, PING, 8, 10, 3, 15]),
    fin=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 4]),
    mask=st.one_of(st.binary(min_size=4, max_size=4), st.none()),
)
request_frame = st.builds(
    lambda number, opcode, mask, pad: frame(
        json.dumps({"controller": "c", "action": "a", "requestId": number, "pad": pad}),
        opcode,
        mask=mask,
    ),
    st.integers(0, 10**9).map(str),
    st.sampled_from([TEXT, BINARY]),
    st.binary(min_size=4, max_size=4),
    st.text(max_size=30),
)
places = st.lists(st.integers(0, 10**6), max_size=12)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(any_frame, max_size=8).map(b"".join)), places)
def test_any_bytes_are_answered_or_closed_with_a_code(data: bytes, where: list[int]) -> None:
    transport, _ = asyncio.run(serve(cut(data, where)))

    frames = read_frames(bytes(transport.written))
    closes = [f for f in frames if f.opcode == 8]
    assert len(closes) <= 1
    assert (transport.eof_sent or transport.is_closing()) == bool(closes)
    if closes:
        assert frames[-1] is closes[0]


@settings(deadline=None)
@given(st.lists(request_frame, min_size=1, max_size=20), places)
def test_every_request_is_answered_once_in_order(requests: list[bytes], where: list[int]) -> None:
    transport, dispatcher = asyncio.run(serve(cut(b"".join(requests), where)))

    assert len(dispatcher.ids) == len(requests)
    assert [answer["room"] for answer in transport.answers()] == dispatcher.ids
    assert transport.close_frame() is None


@settings(deadline=None)
@given(st.lists(st.one_of(request_frame, any_frame), max_size=10), places)
def test_cuts_change_nothing(frames: list[bytes], where: list[int]) -> None:
    data = b"".join(frames)

    assert (
        delivered(cut(data, where)) == delivered([data]) == delivered(cut(data, list(range(500))))
    )


def delivered(chunks: list[bytes]) -> tuple[list[tuple[bytes, bool]], bytes]:
    """What a parser hands on, and what it wants sent."""
    got: list[tuple[bytes, bool]] = []
    parser = MessageParser(
        lambda payload, is_text: got.append((payload, is_text)), max_bytes=MAX_BYTES
    )
    for chunk in chunks:
        parser.receive_data(chunk)
    return got, b"".join(parser.data_to_send())
