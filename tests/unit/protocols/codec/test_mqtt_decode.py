"""What the MQTT codec refuses, statement by statement, and the bytes it reads and writes."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.fields import Fields, write_variable
from protocols.codec.mqtt.packets import (
    V3_1,
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from protocols.codec.mqtt.properties import MAX_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.codec.mqtt.stream import Decoder
from protocols.codec.mqtt.subscribe import MAX_FILTERS

MALFORMED, PROTOCOL = Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR


def decoded(stream: bytes, version: int) -> Packet | None:
    """The first packet of a stream."""
    decoder = Decoder(max_bytes=1_000, version=version)
    decoder.feed(stream)
    return decoder.next_packet()


def packet(first: int, body: bytes) -> bytes:
    """A packet with a right length."""
    return bytes((first,)) + write_variable(len(body)) + body


def connect(flags: int = 0x02, *, version: int = V5, properties: bytes = b"\0") -> bytes:
    """A CONNECT with the client id `a`, and what the flags ask for left out."""
    written = properties if version == V5 else b""
    return packet(0x10, b"\0\4MQTT" + bytes((version, flags)) + b"\0\0" + written + b"\0\1a")


class Case(NamedTuple):
    """Bytes that are refused with a reason; `statement` is what they break."""

    statement: str
    stream: bytes
    reason: Reason = MALFORMED
    version: int = V5


BOTH_VERSIONS = [
    Case("1.5.4-1 not UTF-8", packet(0x30, b"\0\2\xc3\x28")),
    Case("1.5.4-1 surrogate", packet(0x30, b"\0\3\xed\xa0\x80")),
    Case("1.5.4-1 overlong", packet(0x30, b"\0\2\xc0\x80")),
    Case("1.5.4-2 U+0000", packet(0x30, b"\0\3a\0b\0")),
    Case("2.1.3-1 PINGREQ flags", b"\xc1\0"),
    Case("2.1.3-1 CONNECT flags", b"\x11" + connect()[1:]),
    Case("2.1.3-1 PUBACK flags", b"\x42\2\0\1"),
    Case("3.6.1-1 PUBREL flags", b"\x60\2\0\1"),
    Case("3.8.1-1 SUBSCRIBE flags", b"\x80\6\0\1\0\1a\0"),
    Case("3.10.1-1 UNSUBSCRIBE flags", b"\xa0\5\0\1\0\1a"),
    Case("2.1.2 reserved type 0", b"\0\0"),
    Case("2.2.1-3 SUBSCRIBE id 0", packet(0x82, b"\0\0\0\0\1a\0")),
    Case("2.2.1-3 PUBLISH id 0", packet(0x32, b"\0\1a\0\0\0")),
    Case("2.2.1-3 PUBREL id 0", packet(0x62, b"\0\0")),
    Case("3.3.1-2 DUP with QoS 0", packet(0x38, b"\0\1a\0")),
    Case("3.3.1-4 QoS 3", packet(0x36, b"\0\1a\0\1\0")),
    Case("3.3.2-2 wildcard +", packet(0x30, b"\0\1+\0"), Reason.MALFORMED_PACKET),
    Case("3.3.2-2 wildcard #", packet(0x30, b"\0\3a/#\0"), Reason.MALFORMED_PACKET),
    Case("PUBLISH without a topic's end", packet(0x30, b"\0\5a")),
    Case("PUBLISH of one byte", packet(0x30, b"\0")),
    Case("PUBLISH without its id", packet(0x32, b"\0\1a\0")),
    Case("3.14.1-1 DISCONNECT flags", b"\xe1\0"),
    Case("PINGREQ with a body", b"\xc0\1\0"),
    Case("2.1.4 five length bytes", b"\xc0\x80\x80\x80\x80\1"),
    Case("too large", b"\x30\xff\x7f", Reason.PACKET_TOO_LARGE),
]

ONLY_5 = [
    Case("1.5.5 five bytes", packet(0x30, b"\0\1a\x80\x80\x80\x80\1")),
    Case("1.5.4-2 filter", packet(0x82, b"\0\1\0\0\1\0\0")),
    Case("3.1.2 will properties", packet(0x10, connect(0x06)[2:] + b"\2\x21\0\0\1w\0\0")),
    Case(
        "3.1.3 will topic with wildcard",
        packet(0x10, connect(0x06)[2:] + b"\0\0\1#\0\0"),
        Reason.MALFORMED_PACKET,
    ),
    Case(
        "3.3.2-14 response topic of a will",
        packet(0x10, connect(0x06)[2:] + b"\4\x08\0\1#\0\1w\0\0"),
        PROTOCOL,
    ),
    Case("3.9.3-2 SUBACK reason", packet(0x90, b"\0\1\0\x03")),
    Case("3.11.3-2 UNSUBACK reason", packet(0xB0, b"\0\1\0\x03")),
    Case("3.2.2-1 CONNACK flags", packet(0x20, b"\2\0\0")),
    Case("3.2.2-8 CONNACK reason", packet(0x20, b"\0\1\0")),
    Case("1.5.7-1 pair", packet(0x30, b"\0\1a\7\x26\0\1k\0\1\xff")),
    Case("3.1.2-17 user name missing", connect(0x82)),
    Case("3.1.2-19 password missing", connect(0x42)),
    Case("3.1.3-11 will topic", packet(0x10, connect(0x06)[2:] + b"\0\0\1\xff\0\0")),
    Case("3.1.3-12 user name", packet(0x10, connect(0x82)[2:] + b"\0\1\xff")),
    Case("3.3.2-13 response topic", packet(0x30, b"\0\1a\4\x08\0\1\xff")),
    Case("3.3.2-19 content type", packet(0x30, b"\0\1a\4\x03\0\1\xff")),
    Case("3.8.3-1 filter", packet(0x82, b"\0\1\0\0\1\xff\0")),
    Case("3.10.3-1 filter", packet(0xA2, b"\0\1\0\0\1\xff")),
    Case("1.5.5-1 long property length", packet(0x30, b"\0\1a\x80\0")),
    Case("1.5.5-1 long remaining length", b"\xc0\x80\0"),
    Case("2.2.2 unknown property", packet(0x30, b"\0\1a\2\x7f\0")),
    Case("2.2.2 property of another packet", packet(0x30, b"\0\1a\3\x21\0\1")),
    Case("2.2.2 properties cut", packet(0x30, b"\0\1a\5\1")),
    Case("3.1.2-3 reserved flag", connect(0x03)),
    Case("3.1.2-12 will QoS 3", connect(0x1E)),
    Case("3.1.2-11 will QoS without will", connect(0x0A)),
    Case("3.1.2-13 will retain without will", connect(0x22)),
    Case("3.1.2 receive maximum 0", connect(properties=b"\3\x21\0\0"), PROTOCOL),
    Case("3.1.2 maximum packet size 0", connect(properties=b"\5\x27\0\0\0\0"), PROTOCOL),
    Case("3.1.2 expiry twice", connect(properties=b"\x0a" + b"\x11\0\0\0\1" * 2), PROTOCOL),
    Case("3.1.2 problem information 2", connect(properties=b"\2\x17\2"), PROTOCOL),
    Case("3.1.2 authentication data alone", connect(properties=b"\4\x16\0\1a"), PROTOCOL),
    Case("3.1.3 bytes behind the payload", packet(0x10, connect()[2:] + b"x")),
    Case("3.3.2-7 payload format 2", packet(0x30, b"\0\1a\2\1\2"), PROTOCOL),
    Case("3.3.2-14 response topic", packet(0x30, b"\0\1a\4\x08\0\1#"), PROTOCOL),
    Case("3.3.2-8 alias 0", packet(0x30, b"\0\1a\3\x23\0\0"), Reason.TOPIC_ALIAS_INVALID),
    Case("3.3.2 neither topic nor alias", packet(0x30, b"\0\0\0"), PROTOCOL),
    Case("3.4.2-1 PUBACK reason", packet(0x40, b"\0\1\x01")),
    Case("3.6.2-1 PUBREL reason", packet(0x62, b"\0\1\x80")),
    Case("3.8.3-2 no filter", packet(0x82, b"\0\1\0"), PROTOCOL),
    Case("3.8.3-5 reserved options", packet(0x82, b"\0\1\0\0\1a\x40")),
    Case("3.8.3 QoS 3", packet(0x82, b"\0\1\0\0\1a\3")),
    Case("3.8.3 retain handling 3", packet(0x82, b"\0\1\0\0\1a\x30"), PROTOCOL),
    Case("3.8.3-4 no local shared", packet(0x82, b"\0\1\0\0\x0a$share/g/a\4"), PROTOCOL),
    Case("3.8.2 identifier 0", packet(0x82, b"\0\1\2\x0b\0\0\1a\0"), PROTOCOL),
    Case("3.8.2 identifier twice", packet(0x82, b"\0\1\4\x0b\1\x0b\2\0\1a\0"), PROTOCOL),
    Case("4.7.1-1 filter", packet(0x82, b"\0\1\0\0\2a#\0"), Reason.MALFORMED_PACKET),
    Case("4.8.2 share name", packet(0x82, b"\0\1\0\0\x09$share//a\0"), Reason.MALFORMED_PACKET),
    Case("3.10.3-2 no filter", packet(0xA2, b"\0\1\0"), PROTOCOL),
    Case("3.14.2-1 DISCONNECT reason", packet(0xE0, b"\x01")),
    Case("3.15.1-1 AUTH flags", b"\xf1\0"),
    Case("3.15.2-1 AUTH reason", packet(0xF0, b"\x80")),
]

ONLY_3 = [
    Case("3.1.2-3 reserved flag", connect(0x03, version=V3_1_1)),
    Case("3.1.2-22 password alone", connect(0x42, version=V3_1_1)),
    Case("3.3.2 empty topic", packet(0x30, b"\0\0"), Reason.MALFORMED_PACKET),
    Case("3.8.3-3 no filter", packet(0x82, b"\0\1"), PROTOCOL),
    Case("3.8.3-4 options", packet(0x82, b"\0\1\0\1a\4")),
    Case("3.10.3-2 no filter", packet(0xA2, b"\0\1"), PROTOCOL),
    Case("3.14.1-1 DISCONNECT with a body", packet(0xE0, b"\0")),
    Case("2.2.1 reserved type 15", b"\xf0\0"),
    Case("3.4 PUBACK with a reason", packet(0x40, b"\0\1\0")),
]

CASES = [
    *BOTH_VERSIONS,
    *(case._replace(version=V3_1_1) for case in BOTH_VERSIONS),
    *ONLY_5,
    *(case._replace(version=V3_1_1) for case in ONLY_3),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"v{case.version} {case.statement}")
def test_refused(case: Case) -> None:
    with pytest.raises(PacketError) as caught:
        decoded(case.stream, case.version)
    assert caught.value.reason == case.reason
    assert caught.value.text


READ = {
    b"\xc0\0": (V3_1_1, Pingreq()),
    b"\x30\4\0\1a!": (V3_1_1, Publish(topic="a", payload=b"!")),
    b"\x3b\x06\0\1a\0\x0a!": (
        V3_1_1,
        Publish(topic="a", payload=b"!", qos=1, packet_id=10, dup=True, retain=True),
    ),
    b"\x30\x05\0\1a\0!": (V5, Publish(topic="a", payload=b"!")),
    b"\x40\4\0\1\x10\0": (V5, Puback(packet_id=1, reason=0x10)),
    b"\x62\3\0\1\x92": (V5, Pubrel(packet_id=1, reason=0x92)),
    b"\xe0\1\x04": (V5, Disconnect(reason=4)),
    b"\xe0\0": (V5, Disconnect()),
    b"\x82\6\0\1\0\1a\2": (
        V3_1_1,
        Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="a", qos=2),)),
    ),
    # MQTT 3.1 lets DUP stand where MQTT 3.1.1 reserves the flag.
    b"\x6a\2\0\1": (V3_1, Pubrel(packet_id=1)),
    b"\x10\x0f\0\6MQIsdp\3\2\0\x3c\0\1a": (
        V3_1,
        Connect(client_id="a", version=V3_1, keep_alive_s=60),
    ),
}


@pytest.mark.parametrize(("stream", "expected"), READ.items())
def test_read(stream: bytes, expected: tuple[int, Packet]) -> None:
    version, packet_of = expected
    assert decoded(stream, version) == packet_of


WRITTEN: dict[bytes, tuple[int, Packet]] = {
    b"\x20\2\0\0": (V3_1_1, Connack()),
    b"\x20\3\0\0\0": (V5, Connack()),
    b"\x20\6\0\x87\3\x1f\0\0": (
        V5,
        Connack(reason=0x87, properties=Properties(reason_string="")),
    ),
    b"\x40\2\0\7": (V5, Puback(packet_id=7)),
    b"\x40\3\0\7\x87": (V5, Puback(packet_id=7, reason=0x87)),
    b"\x90\3\0\7\x80": (V3_1_1, Suback(packet_id=7, reasons=(0x80,))),
    b"\x90\4\0\7\0\xa2": (V5, Suback(packet_id=7, reasons=(0xA2,))),
    b"\xb0\2\0\7": (V3_1_1, Unsuback(packet_id=7)),
    b"\xb0\5\0\7\0\0\x11": (V5, Unsuback(packet_id=7, reasons=(0, 0x11))),
    b"\xe0\1\x8e": (V5, Disconnect(reason=0x8E)),
    b"\xa2\5\0\7\0\1a": (V3_1_1, Unsubscribe(packet_id=7, topic_filters=("a",))),
}


@pytest.mark.parametrize(("stream", "given"), WRITTEN.items())
def test_written(stream: bytes, given: tuple[int, Packet]) -> None:
    version, packet_of = given
    assert encode(packet_of, version) == stream


def test_a_connect_with_everything() -> None:
    everything = Connect(
        client_id="truck-7",
        version=V5,
        clean_start=False,
        keep_alive_s=65_535,
        will=Will(
            topic="a/b",
            payload=b"\0",
            qos=2,
            retain=True,
            properties=Properties(will_delay_interval=5),
        ),
        username="",
        password=b"\xff",
        properties=Properties(session_expiry_interval=2**32 - 1, user_properties=(("k", "v"),) * 2),
    )
    assert decoded(encode(everything, V5), V5) == everything


def test_a_byte_order_mark_stays() -> None:
    assert decoded(b"\x30\5\0\3\xef\xbb\xbf", V3_1_1) == Publish(topic="\ufeff", payload=b"")


def test_properties_are_bounded() -> None:
    pair = b"\x26\0\0\0\0"
    for count, is_read in ((MAX_PROPERTIES, True), (MAX_PROPERTIES + 1, False)):
        written = pair * count
        stream = packet(0x30, b"\0\1a" + write_variable(len(written)) + written)
        decoder = Decoder(max_bytes=2**20, version=V5)
        decoder.feed(stream)
        if is_read:
            assert isinstance(decoder.next_packet(), Publish)
            continue
        with pytest.raises(PacketError) as caught:
            decoder.next_packet()
        assert caught.value.reason == Reason.QUOTA_EXCEEDED


@pytest.mark.parametrize(("first", "filter_of"), [(0x82, b"\0\1a\0"), (0xA2, b"\0\1a")])
def test_filters_are_bounded(first: int, filter_of: bytes) -> None:
    decoder = Decoder(max_bytes=2**20, version=V3_1_1)
    decoder.feed(packet(first, b"\0\1" + filter_of * MAX_FILTERS))
    assert isinstance(decoder.next_packet(), Subscribe | Unsubscribe)
    decoder.feed(packet(first, b"\0\1" + filter_of * (MAX_FILTERS + 1)))
    with pytest.raises(PacketError) as caught:
        decoder.next_packet()
    assert caught.value.reason == Reason.QUOTA_EXCEEDED


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\1"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\1"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\1"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ],
)
def test_variable_byte_integers(value: int, encoded: bytes) -> None:
    # MQTT 5, table 1-1.
    assert write_variable(value) == encoded
    assert Fields(encoded).variable() == value


def test_a_variable_byte_integer_has_an_end() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_variable(268_435_456)


def test_the_version_of_a_connect_holds_for_what_follows() -> None:
    decoder = Decoder(max_bytes=1_000)
    decoder.feed(connect() + b"\x30\5\0\1a\0!")
    assert isinstance(decoder.next_packet(), Connect)
    assert decoder.next_packet() == Publish(topic="a", payload=b"!")


def test_a_broken_connect_tells_its_version() -> None:
    with pytest.raises(PacketError) as caught:
        decoded(connect(0x03), V3_1_1)
    assert caught.value.version == V5


def test_every_refusal_of_mqtt_3_1_1_has_its_return_code() -> None:
    codes = {reason: PacketError(reason, "").return_code for reason in Reason}
    assert {reason for reason, code in codes.items() if code is not None} == {
        Reason.UNSUPPORTED_PROTOCOL_VERSION,
        Reason.CLIENT_IDENTIFIER_NOT_VALID,
        Reason.SERVER_UNAVAILABLE,
        Reason.SERVER_BUSY,
        Reason.QUOTA_EXCEEDED,
        Reason.BAD_USER_NAME_OR_PASSWORD,
        Reason.NOT_AUTHORIZED,
    }
