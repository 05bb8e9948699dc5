"""WebSocket messages in one frame, the common case, read and written without a state machine."""

from __future__ import annotations

import struct
from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the compiled one, if there

# RFC 6455 section 5.2: FIN without reserved bits, and the opcode.
_TEXT: Final = 0x81
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_KEY_BYTES: Final = 4

_length = struct.Struct("!H").unpack_from


def read_text(chunk: bytes, start: int, *, max_bytes: int) -> tuple[bytes, int] | None:
    """The payload of the text message that begins at `start`, and where the next frame begins.

    None unless the chunk holds the whole message, in one frame as a client must send it
    and no longer than `max_bytes` or 65 535 bytes: whatever else stands there is for the
    frame parser to take or to refuse. The payload is unmasked; whether it is UTF-8 is not looked
    at.

    Source: RFC 6455 sections 5.2 and 5.3.
    """
    head_end = start + 2
    if len(chunk) < head_end or chunk[start] != _TEXT:
        return None
    length = chunk[start + 1] - _MASKED
    if length == 126 and len(chunk) >= head_end + 2:
        (length,) = _length(chunk, head_end)
        head_end += 2
    elif length > 125:
        return None
    begin = head_end + _KEY_BYTES
    end = begin + length
    if length < 0 or length > max_bytes or end > len(chunk):
        return None
    return apply_mask(chunk[begin:end], chunk[head_end:begin]), end


def write(payload: bytes, *, is_text: bool) -> bytes:
    """A message as the one unmasked frame in which a server sends it."""
    first = _TEXT if is_text else _BINARY
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload
