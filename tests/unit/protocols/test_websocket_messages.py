"""The message parser: RFC 6455 sections 5 (framing), 7 (closing) and 8 (UTF-8)."""

from __future__ import annotations

import pytest

from protocols.websocket_messages import MessageParser
from tests.support.websocket import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    read_frames,
)


class Wire:
    """A parser with what it delivered and what it wants sent, in one order."""

    def __init__(self, max_bytes: int = 1_000) -> None:
        self.got: list[tuple[bytes, bool]] = []
        self.parser = MessageParser(
            lambda payload, is_text: self.got.append((payload, is_text)), max_bytes=max_bytes
        )

    def feed(self, data: bytes, *, step: int = 0) -> list[Frame]:
        step = step or len(data) or 1
        for start in range(0, len(data), step):
            self.parser.receive_data(data[start : start + step])
        return read_frames(b"".join(self.parser.data_to_send()))

    def close_code(self, data: bytes, *, step: int = 0) -> int:
        [sent] = [f for f in self.feed(data, step=step) if f.opcode == CLOSE]
        return sent.code


STEPS = pytest.mark.parametrize("step", [0, 1, 7])


class TestMessages:
    @STEPS
    def test_text_and_binary_are_delivered_in_order(self, step: int) -> None:
        wire = Wire()
        wire.feed(frame(b"a") + frame(b"b", BINARY) + frame("\u00e9\U0001f600"), step=step)
        assert wire.got == [
            (b"a", True),
            (b"b", False),
            ("\u00e9\U0001f600".encode(), True),
        ]

    @STEPS
    def test_fragments_are_joined_with_control_frames_between_them(self, step: int) -> None:
        wire = Wire()
        sent = wire.feed(
            frame(b"one ", fin=False)
            + frame(b"ping", PING)
            + frame(b"", CONT, fin=False)
            + frame(b"message", CONT)
            + frame(b"next"),
            step=step,
        )
        assert wire.got == [(b"one message", True), (b"next", True)]
        assert sent == [Frame(PONG, b"ping", True)]

    def test_short_way_is_not_taken_inside_a_fragmented_message(self) -> None:
        wire = Wire()
        wire.feed(frame(b"first", fin=False))
        assert wire.close_code(frame(b"second")) == 1002
        assert wire.got == []

    def test_short_way_is_not_taken_inside_a_cut_frame(self) -> None:
        # The second chunk looks like a frame of its own, and is the payload of the first.
        inner = frame(b"{}")
        outer = frame(inner, mask=b"\0\0\0\0")
        wire = Wire()
        wire.feed(outer[:6])
        wire.feed(outer[6:])
        assert wire.got == []  # the inner bytes are not UTF-8 either: refused as text
        assert wire.parser.close_sent is not None
        assert wire.parser.close_sent.code == 1007


class TestRefusals:
    @STEPS
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(b"x", mask=None), 1002),
            (frame(b"x", reserved=4), 1002),
            (frame(b"x", 3), 1002),
            (frame(b"x", 11), 1002),
            (frame(b"x" * 126, PING), 1002),
            (frame(b"x", PING, fin=False), 1002),
            (frame(b"x", CONT), 1002),
            (frame(b"x" * 1_001), 1009),
            (frame(b"x" * 600, fin=False) + frame(b"x" * 401, CONT), 1009),
            (frame(b"\xff"), 1007),
            (frame(b"\xc3", fin=False) + frame(b"\x28", CONT), 1007),
            (frame(b"caf\xc3"), 1007),
            (frame(b"\xed\xa0\x80"), 1007),
        ],
        ids=[
            "unmasked",
            "rsv1",
            "opcode3",
            "opcode11",
            "long-ping",
            "fragmented-ping",
            "stray-continuation",
            "too-long",
            "too-long-in-fragments",
            "not-utf8",
            "not-utf8-across-fragments",
            "cut-utf8",
            "surrogate",
        ],
    )
    def test_bad_frame_closes_with_its_code(self, data: bytes, code: int, step: int) -> None:
        wire = Wire()
        assert wire.close_code(data, step=step) == code
        wire.feed(frame(b"late"))
        assert wire.got == []

    def test_bad_utf8_is_refused_with_the_fragment_that_has_it(self) -> None:
        wire = Wire()
        assert wire.close_code(frame(b"\xff", fin=False)) == 1007

    def test_length_beyond_the_limit_is_refused_before_the_payload_comes(self) -> None:
        wire = Wire()
        assert wire.close_code(frame(b"", length=2**40)) == 1009

    def test_character_cut_by_a_fragment_is_no_error(self) -> None:
        wire = Wire()
        wire.feed(frame(b"\xc3", fin=False) + frame(b"\xa9", CONT))
        assert wire.got == [("\u00e9".encode(), True)]

    def test_handler_that_fails_closes_with_1011(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(payload: bytes, is_text: bool) -> None:
            raise ZeroDivisionError

        parser = MessageParser(fail, max_bytes=100)
        parser.receive_data(frame(b"x", BINARY))
        [sent] = read_frames(b"".join(parser.data_to_send()))
        assert (sent.opcode, sent.code) == (CLOSE, 1011)
        assert "parser failed" in caplog.text


class TestClosing:
    @pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
    def test_close_is_echoed_with_its_code(self, code: int) -> None:
        assert Wire().close_code(frame(code.to_bytes(2), CLOSE)) == code

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1016, 2999, 5000])
    def test_code_that_must_not_be_sent_is_a_protocol_error(self, code: int) -> None:
        assert Wire().close_code(frame(code.to_bytes(2), CLOSE)) == 1002

    def test_messages_ahead_of_the_close_are_delivered_those_behind_are_not(self) -> None:
        wire = Wire()
        wire.feed(frame(b"ahead") + frame(b"", CLOSE) + frame(b"behind"))
        assert wire.got == [(b"ahead", True)]

    def test_close_between_fragments_is_a_close(self) -> None:
        wire = Wire()
        assert wire.close_code(frame(b"x", TEXT, fin=False) + frame(b"\x03\xe8", CLOSE)) == 1000
