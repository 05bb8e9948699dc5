"""A stream of bytes cut into packets, as it comes."""

from __future__ import annotations

from protocols.codec.mqtt.decode import decode
from protocols.codec.mqtt.packets import V3_1_1, V5, Connect, Packet
from protocols.codec.mqtt.reasons import PacketError, Reason, malformed


class Decoder:
    """Cuts a stream of bytes into packets.

    Feed what arrives, then call `next_packet` until it returns None. Once it has raised, the
    stream is lost and the decoder must not be used again.

    Args:
        max_bytes: Longest packet read, its header included.
        version: How packets are read until a CONNECT says otherwise.
    """

    __slots__ = ("_at", "_chunk", "_held", "_max_bytes", "_wanted", "version")

    def __init__(self, *, max_bytes: int, version: int = V3_1_1) -> None:
        self.version = version
        self._max_bytes = max_bytes
        self._chunk = b""
        self._at = 0
        self._held = bytearray()
        self._wanted = 0

    @property
    def is_partial(self) -> bool:
        """Whether a packet has begun to arrive whose end is missing."""
        return bool(self._held)

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the stream."""
        if self._held:
            self._held += chunk
            if len(self._held) < self._wanted:
                return
            chunk = bytes(self._held)
            self._held = bytearray()
        elif self._at < len(self._chunk):
            chunk = self._chunk[self._at :] + chunk
        self._chunk = chunk
        self._at = 0

    def next_packet(self) -> Packet | None:
        """The next packet; None until more bytes are fed.

        Raises:
            PacketError: The bytes break the protocol, or the packet is longer than allowed.
        """
        chunk, at = self._chunk, self._at
        if len(chunk) - at < 2:
            self._hold(2)
            return None
        length, start = chunk[at + 1], at + 2
        if length >= 0x80:
            length, start = self._long_length(start)
        if not start:
            self._hold(len(chunk) - at + 1)
            return None
        end = start + length
        if end - at > self._max_bytes:
            raise PacketError(
                Reason.PACKET_TOO_LARGE,
                f"the packet has {end - at} bytes, {self._max_bytes} are allowed",
            )
        if end > len(chunk):
            self._hold(end - at)
            return None
        self._at = end
        packet = decode(chunk[at], chunk[start:end], version=self.version)
        if type(packet) is Connect:
            self.version = packet.version
        return packet

    def _long_length(self, at: int) -> tuple[int, int]:
        # The second to fourth byte of the remaining length; (0, 0) while they are missing.
        chunk = self._chunk
        length = chunk[at - 1] & 0x7F
        for shift in (7, 14, 21):
            if at == len(chunk):
                return 0, 0
            byte = chunk[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if not byte and self.version == V5:
                    raise malformed("the remaining length is longer than it needs to be")
                return length, at
        raise malformed("the remaining length has more than four bytes")

    def _hold(self, wanted: int) -> None:
        if self._at < len(self._chunk):
            self._held = bytearray(self._chunk[self._at :])
            self._wanted = wanted
        self._chunk = b""
        self._at = 0
