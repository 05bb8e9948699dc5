"""The data types that packets are made of, read from and written to bytes."""

from __future__ import annotations

from typing import Final

from protocols.codec.mqtt.reasons import malformed

MAX_VARIABLE_INT: Final = 268_435_455
"""Four bytes of seven bits: MQTT 5, 1.5.5."""


class Fields:
    """Reads one packet's body from front to back.

    Every reader raises `PacketError` (malformed) where the bytes end early.
    """

    __slots__ = ("_at", "_body", "_end")

    def __init__(self, body: bytes, at: int = 0) -> None:
        self._body = body
        self._at = at
        self._end = len(body)

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return self._end - self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self._at
        end = start + size
        if end > self._end:
            raise malformed("the packet ends in the middle of a field")
        self._at = end
        return self._body[start:end]

    def integer(self, size: int) -> int:
        """A big-endian integer of `size` bytes (1.5.2, 1.5.3)."""
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        """A variable byte integer in its shortest form (1.5.5)."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.integer(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise malformed("a variable byte integer is longer than it needs to be")
                return value
        raise malformed("a variable byte integer has more than four bytes")

    def binary(self) -> bytes:
        """Up to 65535 bytes behind their length (1.5.6)."""
        return self.take(self.integer(2))

    def text(self) -> str:
        """A UTF-8 string without U+0000 (1.5.4); a byte order mark stays in it."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise malformed("a text is not UTF-8") from None
        if "\0" in text:
            raise malformed("a text holds U+0000")
        return text

    def packet_id(self) -> int:
        """A packet identifier, which is never zero (2.2.1)."""
        packet_id = self.integer(2)
        if not packet_id:
            raise malformed("the packet identifier is zero")
        return packet_id

    def reason(self, allowed: frozenset[int]) -> int:
        """A reason code that this packet may carry (2.4)."""
        reason = self.integer(1)
        if reason not in allowed:
            raise malformed(f"reason code 0x{reason:02X} does not belong here")
        return reason

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left)

    def part(self, size: int) -> Fields:
        """The next `size` bytes to be read on their own."""
        return Fields(self.take(size))

    def end(self) -> None:
        """Insist that everything was read."""
        if self._at != self._end:
            raise malformed("the packet is longer than its fields")


def write_variable(value: int) -> bytes:
    """A variable byte integer; ValueError beyond its range."""
    if value < 0x80:
        return bytes((value,))
    if value > MAX_VARIABLE_INT:
        raise ValueError(f"{value} does not fit a variable byte integer")
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_binary(value: bytes) -> bytes:
    """Bytes behind their two-byte length; OverflowError beyond 65535."""
    return len(value).to_bytes(2, "big") + value


def write_text(value: str) -> bytes:
    """A UTF-8 string behind its length."""
    return write_binary(value.encode())
