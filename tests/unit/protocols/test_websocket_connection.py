"""One connection by the clock: silence, slow readers, and the closing handshake."""

from __future__ import annotations

import asyncio

import pytest

from protocols.websocket_connection import SLOW_READER_BURST, ConnectionLimits, WebSocketConnection
from tests.support.swift_time import in_swift_time
from tests.support.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    MemoryTransport,
    frame,
    until,
)

MAX_UNSENT = 1_000


class Listener:
    """Remembers what it was told; fails, if the test wants it to."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.times_gone = 0
        self.busy = False
        self.failure: Exception | None = None

    def message(self, payload: bytes, *, is_text: bool) -> None:
        if self.failure is not None:
            raise self.failure
        self.messages.append((payload, is_text))

    def is_busy(self) -> bool:
        return self.busy

    def gone(self) -> None:
        self.times_gone += 1


class House:
    """A connection between a transport in memory and a listener."""

    def __init__(
        self,
        *,
        idle_timeout_s: float = 60,
        slow_reader_grace_s: float = 1,
        close_timeout_s: float = 2,
    ) -> None:
        self.transport = MemoryTransport()
        self.listener = Listener()
        self.connection = WebSocketConnection(
            self.transport,
            ConnectionLimits(
                max_bytes=1_000,
                max_unsent_bytes=MAX_UNSENT,
                idle_timeout_s=idle_timeout_s,
                slow_reader_grace_s=slow_reader_grace_s,
                close_timeout_s=close_timeout_s,
            ),
        )
        self.connection.attach(self.listener)

    def closing(self) -> Frame:
        found = self.transport.close_frame()
        assert found is not None, "no close frame was sent"
        return found


class TestSilence:
    @in_swift_time
    async def test_silence_is_closed_with_1001(self) -> None:
        house = House(idle_timeout_s=60)
        await asyncio.sleep(59)
        assert house.connection.is_open
        await asyncio.sleep(2)
        assert house.closing().code == 1001

    @pytest.mark.parametrize("sign", [frame(b"x"), frame(b"", PING), frame(b"", PONG)])
    @in_swift_time
    async def test_any_frame_is_a_sign_of_life(self, sign: bytes) -> None:
        house = House(idle_timeout_s=60)
        for _ in range(5):
            await asyncio.sleep(59)
            assert house.connection.is_open
            house.connection.feed_data(sign)
        await asyncio.sleep(61)
        assert not house.connection.is_open

    @in_swift_time
    async def test_nobody_who_waits_for_an_answer_is_silent(self) -> None:
        house = House(idle_timeout_s=60)
        house.listener.busy = True
        await asyncio.sleep(200)
        assert house.connection.is_open
        house.listener.busy = False
        await until(lambda: not house.connection.is_open, "closed once nothing is at work")


class TestSlowReader:
    async def test_more_than_the_burst_is_cut_off_at_once(self) -> None:
        house = House()
        house.transport.unsent = SLOW_READER_BURST * MAX_UNSENT + 10
        house.connection.send(b"12345")
        closing = house.closing()
        assert closing.code == 1011
        assert closing.reason == "too much backpressure: client is too slow"
        assert house.listener.times_gone == 1

    async def test_one_long_answer_is_no_slow_reader(self) -> None:
        house = House()
        house.transport.unsent = SLOW_READER_BURST * MAX_UNSENT + 10
        house.connection.send(b"x" * house.transport.unsent)
        assert house.connection.is_open

    @in_swift_time
    async def test_a_long_answer_may_be_read_slowly(self) -> None:
        house, other = House(slow_reader_grace_s=20), House(slow_reader_grace_s=20)
        for each in (house, other):
            each.transport.unsent = 5 * MAX_UNSENT
            each.connection.send(b"x" * each.transport.unsent)
        house.transport.unsent -= 1
        await until(lambda: not other.connection.is_open, "who reads nothing is cut off")
        assert house.connection.is_open
        await until(lambda: not house.connection.is_open, "reading has stopped")

    @in_swift_time
    async def test_burst_that_is_read_in_time_is_forgiven(self) -> None:
        house, other = House(slow_reader_grace_s=20), House(slow_reader_grace_s=20)
        for each in (house, other):
            each.transport.unsent = 2 * MAX_UNSENT
            each.connection.send(b"x")
        house.transport.unsent = 0
        await until(lambda: not other.connection.is_open, "the other is cut off")
        assert other.closing().code == 1011
        assert house.connection.is_open

    async def test_pongs_count_too(self) -> None:
        house = House()
        house.transport.unsent = 2 * SLOW_READER_BURST * MAX_UNSENT
        house.connection.feed_data(frame(b"", PING))
        assert house.closing().code == 1011


class TestTheEnd:
    async def test_close_is_sent_once_and_nothing_after_it(self) -> None:
        house = House()
        house.connection.send(b"before")
        house.connection.close(1012, "the router is stopping")
        house.connection.close(1011, "again")
        house.connection.send(b"after")
        frames = house.transport.frames()
        assert [f.opcode for f in frames] == [TEXT, CLOSE]
        assert (frames[1].code, frames[1].reason) == (1012, "the router is stopping")
        assert house.listener.times_gone == 1

    async def test_clients_half_of_the_handshake_ends_the_connection(self) -> None:
        house = House()
        house.connection.close(1012, "")
        assert not house.transport.is_closing()
        house.connection.feed_data(frame((1012).to_bytes(2), CLOSE))
        assert house.transport.is_closing()
        assert [f.opcode for f in house.transport.frames()] == [CLOSE]

    @in_swift_time
    async def test_client_that_keeps_its_half_is_dropped(self) -> None:
        house = House(close_timeout_s=20)
        house.connection.close(1012, "")
        await until(lambda: house.transport.aborted, "the connection is dropped")

    async def test_refused_client_is_read_on_so_that_it_can_read_why(self) -> None:
        house = House()
        house.connection.pause_reading()
        house.connection.feed_data(frame(b"x", mask=None))
        assert house.closing().code == 1002
        assert house.transport.eof_sent
        assert not house.transport.is_closing()
        assert not house.transport.is_paused
        assert house.connection.feed_data(b"more") == (False, b"")

    async def test_lost_connection_is_told_once(self) -> None:
        house = House()
        house.connection.feed_data(frame(b"\x03\xe8", CLOSE))
        house.connection.feed_eof()
        assert house.connection.closed.done()
        assert house.listener.times_gone == 1

    async def test_listener_that_fails_closes_with_1011(self) -> None:
        for message in (frame(b"x"), frame(b"x", BINARY)):
            house = House()
            house.listener.failure = ZeroDivisionError("made for the test")
            house.connection.feed_data(message)
            assert house.closing().code == 1011

    async def test_nothing_reaches_the_listener_after_the_end(self) -> None:
        house = House()
        house.connection.close(1012, "")
        house.connection.feed_data(frame(b"x") + frame(b"y", BINARY))
        assert house.listener.messages == []


async def test_pong_goes_out_before_what_the_next_message_brings() -> None:
    house = House()

    class Echo(Listener):
        def message(self, payload: bytes, *, is_text: bool) -> None:
            house.connection.send(payload, is_text=is_text)

    house.connection.attach(Echo())
    house.connection.feed_data(
        frame(b"1", PING) + frame(b"a") + frame(b"2", PING) + frame(b"b", BINARY)
    )
    assert [(f.opcode, f.payload) for f in house.transport.frames()] == [
        (PONG, b"1"),
        (TEXT, b"a"),
        (PONG, b"2"),
        (BINARY, b"b"),
    ]
