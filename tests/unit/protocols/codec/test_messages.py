"""Messages in one frame: what the short way takes, what it leaves to the parser."""

from __future__ import annotations

import pytest

from protocols.codec import messages
from tests.support.websocket import BINARY, CONT, PING, frame, read_frames


@pytest.mark.parametrize("length", [0, 1, 3, 125, 126, 127, 65_535])
def test_whole_text_message_is_unmasked_and_the_rest_pointed_at(length: int) -> None:
    payload = bytes(i % 251 for i in range(length))
    chunk = b"??" + frame(payload) + b"rest"

    found = messages.read_text(chunk, 2, max_bytes=70_000)

    assert found == (payload, len(chunk) - 4)


@pytest.mark.parametrize("length", [5, 300])
def test_message_cut_at_any_length_is_left(length: int) -> None:
    whole = frame(b"x" * length)

    for end in range(len(whole)):
        assert messages.read_text(whole[:end], 0, max_bytes=1_000) is None


@pytest.mark.parametrize(
    "bytes_",
    [
        frame(b"{}", mask=None),
        frame(b"{}", BINARY),
        frame(b"{}", CONT),
        frame(b"{}", PING),
        frame(b"{}", fin=False),
        frame(b"{}", reserved=4),
        frame(b"{}", reserved=1),
        frame(b"x" * 101),
        frame(b"x" * 65_536),
    ],
    ids=[
        "unmasked",
        "binary",
        "continuation",
        "ping",
        "fragment",
        "rsv1",
        "rsv3",
        "too-long",
        "64-bit",
    ],
)
def test_everything_else_is_left_to_the_parser(bytes_: bytes) -> None:
    assert messages.read_text(bytes_, 0, max_bytes=100) is None


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("is_text", [True, False])
def test_written_message_is_one_unmasked_final_frame(length: int, is_text: bool) -> None:
    payload = b"y" * length

    [sent] = read_frames(messages.write(payload, is_text=is_text))

    assert sent == (1 if is_text else 2, payload, True)
