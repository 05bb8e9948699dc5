"""From a client's bytes to whole messages: the frame parser, fragments and the UTF-8 check."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final, TypeAlias

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from protocols.codec import messages

Deliver: TypeAlias = Callable[[bytes, bool], None]
"""Called with each whole message, and whether it is text; text is valid UTF-8."""

_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class MessageParser(Protocol):
    """The sans-I/O protocol of `websockets`, server's side, handing on messages as they end.

    Its own list of events is meant to be read after each chunk; by then a close frame at the end
    of the chunk would have been answered before the messages that came ahead of it. So frames
    are taken where they are read, in `recv_frame`. What `deliver` raises closes with 1011.

    After each call, send what `data_to_send` gives.

    Attributes:
        frames_read: Frames of any kind so far.
    """

    def __init__(self, deliver: Deliver, *, max_bytes: int) -> None:
        self._deliver = deliver
        self._max_bytes = max_bytes
        self._is_between_messages = True
        self._partial: _PartialMessage | None = None
        self.frames_read = 0
        super().__init__(Side.SERVER, state=State.OPEN, max_size=max_bytes)

    def receive_data(self, data: bytes | bytearray) -> None:
        """Read a chunk of what the client sends, cut anywhere."""
        start = self._take_whole(bytes(data)) if self._is_between_messages else 0
        if start < len(data):
            self._is_between_messages = False
            super().receive_data(data[start:])

    def recv_frame(self, frame: Frame) -> None:
        """Take one frame: the library's rules first, then its part in a message."""
        if frame.opcode is Opcode.CLOSE:
            # RFC 6455 section 5.4: control frames may stand between the fragments of a message.
            self.current_size = None
        super().recv_frame(frame)
        self.events.clear()
        self.frames_read += 1
        self._is_between_messages = self.current_size is None and not self.reader.buffer
        if frame.opcode not in _DATA or self.state is not State.OPEN:
            return
        if self._partial is None:
            self._partial = _PartialMessage(is_text=frame.opcode is Opcode.TEXT)
        self._partial.add(bytes(frame.data), is_last=frame.fin)
        if frame.fin:
            whole, self._partial = self._partial, None
            self._deliver(bytes(whole.payload), whole.is_text)

    def _take_whole(self, chunk: bytes) -> int:
        # The short way for messages that come whole, at a quarter of the parser's cost: takes
        # as many as stand at the start of the chunk, and tells where the rest begins.
        start = 0
        while self.state is State.OPEN:
            found = messages.read_text(chunk, start, max_bytes=self._max_bytes)
            if found is None or not _is_utf8(found[0]):
                break
            payload, start = found
            self.frames_read += 1
            self._deliver(payload, True)
        return start


class _PartialMessage:
    """A message so far; text is checked as it comes, so that it fails early."""

    __slots__ = ("_decoder", "is_text", "payload")

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.payload = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")() if is_text else None

    def add(self, data: bytes, *, is_last: bool) -> None:
        if self._decoder is not None:
            self._decoder.decode(data, is_last)
        self.payload += data


def _is_utf8(payload: bytes) -> bool:
    if payload.isascii():
        return True
    try:
        codecs.utf_8_decode(payload, "strict", True)
    except UnicodeDecodeError:
        return False
    return True
