"""The MQTT codec over every packet and over any bytes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import V3_1_1, Packet
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.codec.mqtt.stream import Decoder
from tests.support import mqtt_packets as strategies

MAX_BYTES = 4096
ERRORS = {
    Reason.MALFORMED_PACKET,
    Reason.PROTOCOL_ERROR,
    Reason.UNSUPPORTED_PROTOCOL_VERSION,
    Reason.TOPIC_NAME_INVALID,
    Reason.TOPIC_FILTER_INVALID,
    Reason.TOPIC_ALIAS_INVALID,
    Reason.PACKET_TOO_LARGE,
    Reason.QUOTA_EXCEEDED,
}


def outcome(chunks: list[bytes], version: int) -> tuple[list[Packet], Reason | None]:
    """What a stream in these pieces decodes to, and the error that ended it."""
    decoder = Decoder(max_bytes=MAX_BYTES, version=version)
    found: list[Packet] = []
    try:
        for chunk in chunks:
            decoder.feed(chunk)
            while (packet := decoder.next_packet()) is not None:
                found.append(packet)
    except PacketError as error:
        return found, error.reason
    return found, None


@given(strategies.versioned())
def test_decoding_what_was_encoded_gives_it_back(case: tuple[int, Packet]) -> None:
    version, packet = case
    assert outcome([encode(packet, version)], version) == ([packet], None)


@given(strategies.versioned())
def test_a_packet_cut_at_any_length_never_decodes(case: tuple[int, Packet]) -> None:
    version, packet = case
    encoded = encode(packet, version)
    for length in range(len(encoded)):
        decoder = Decoder(max_bytes=MAX_BYTES, version=version)
        decoder.feed(encoded[:length])
        assert decoder.next_packet() is None
        assert decoder.is_partial == (length > 0)


@given(strategies.versioned(), st.data())
def test_a_packet_with_a_shorter_length_is_never_that_packet(
    case: tuple[int, Packet], data: st.DataObject
) -> None:
    version, packet = case
    encoded = encode(packet, version)
    if not 2 < len(encoded) < 0x80:
        return
    cut = data.draw(st.integers(0, len(encoded) - 3))
    found, _ = outcome([encoded[:1] + bytes((cut,)) + encoded[2 : 2 + cut]], version)
    assert found != [packet]


@given(strategies.VERSIONS, st.binary(max_size=200))
@example(5, b"\x10\xff\xff\xff\xff")
@example(5, b"\x10\xff\xff\xff\x7f")
@example(4, b"\x30\x02\xff\xff")
@example(5, b"\xe0\x80\x00")
def test_any_bytes_give_packets_or_a_documented_error(version: int, stream: bytes) -> None:
    _, error = outcome([stream], version)
    assert error is None or error in ERRORS


@given(strategies.versioned(), st.data())
def test_a_packet_with_changed_bytes_gives_packets_or_a_documented_error(
    case: tuple[int, Packet], data: st.DataObject
) -> None:
    version, packet = case
    changed = bytearray(encode(packet, version))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    _, error = outcome([bytes(changed)], version)
    assert error is None or error in ERRORS


@given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=40), strategies.VERSIONS)
def test_bytes_in_pieces_decode_as_the_whole(noise: bytes, sizes: list[int], version: int) -> None:
    assert outcome(_pieces(noise, sizes), version) == outcome([noise], version)


@given(
    st.lists(strategies.publishes(V3_1_1), max_size=5), st.lists(st.integers(1, 20), max_size=40)
)
def test_packets_in_pieces_decode_as_the_whole(published: list[Packet], sizes: list[int]) -> None:
    stream = b"".join(encode(packet, V3_1_1) for packet in published)
    assert outcome(_pieces(stream, sizes), V3_1_1) == (published, None)


def _pieces(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, stream]
