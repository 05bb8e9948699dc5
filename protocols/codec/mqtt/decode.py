"""One packet's bytes to the packet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.codec.mqtt.connect import (
    read_auth,
    read_connack,
    read_connect,
    read_disconnect,
)
from protocols.codec.mqtt.fields import Fields
from protocols.codec.mqtt.packets import (
    V3_1,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
)
from protocols.codec.mqtt.publish import acknowledgement, read_publish
from protocols.codec.mqtt.reasons import (
    PUBACK_REASONS,
    PUBCOMP_REASONS,
    PUBREC_REASONS,
    PUBREL_REASONS,
    malformed,
)
from protocols.codec.mqtt.subscribe import (
    read_suback,
    read_subscribe,
    read_unsuback,
    read_unsubscribe,
)


def decode(first: int, body: bytes, *, version: int) -> Packet:
    """Read one packet.

    Args:
        first: The first byte of its fixed header: type and flags.
        body: What follows its remaining length.
        version: The protocol level; a CONNECT brings its own.

    Raises:
        PacketError: The bytes break the protocol.
    """
    kind = first >> 4
    flags = first & 0x0F
    if kind == 3:
        return read_publish(flags, body, version)
    if kind not in _READERS:
        raise malformed("packet type 0 is reserved")
    expected, read = _READERS[kind]
    if version == V3_1 and expected == 2:
        # MQTT 3.1 allows DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE.
        flags &= 0b0111
    if flags != expected:
        raise malformed(f"packet type {kind} with flags {flags:#06b}")
    fields = Fields(body)
    packet = read(fields, version)
    fields.end()
    return packet


_READERS: Final[dict[int, tuple[int, Callable[[Fields, int], Packet]]]] = {
    1: (0, read_connect),
    2: (0, read_connack),
    4: (0, acknowledgement(Puback, PUBACK_REASONS)),
    5: (0, acknowledgement(Pubrec, PUBREC_REASONS)),
    6: (2, acknowledgement(Pubrel, PUBREL_REASONS)),
    7: (0, acknowledgement(Pubcomp, PUBCOMP_REASONS)),
    8: (2, read_subscribe),
    9: (0, read_suback),
    10: (2, read_unsubscribe),
    11: (0, read_unsuback),
    12: (0, lambda _fields, _version: Pingreq()),
    13: (0, lambda _fields, _version: Pingresp()),
    14: (0, read_disconnect),
    15: (0, read_auth),
}
