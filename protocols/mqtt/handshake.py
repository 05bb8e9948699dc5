"""What a CONNECT is answered with."""

from __future__ import annotations

import uuid
from typing import Final

from protocols.codec.mqtt.packets import V3_1, V3_1_1, V5, Connack, Connect
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.mqtt.terms import Terms

MAX_CLIENT_ID_BYTES: Final = 1_024
"""The specification asks for 23 at least (3.1.3.1); names are kept and logged, so not 65535."""

MAX_CLIENT_ID_3_1: Final = 23
"""MQTT 3.1, 3.1: between 1 and 23 characters."""


def accept(connect: Connect, terms: Terms, *, is_full: bool) -> tuple[str, Connack]:
    """The client id that the connection goes by, and the CONNACK that lets it in.

    Whether user name and password are good is not asked here.

    Raises:
        PacketError: The client is refused, for the reason that goes into the CONNACK.
    """
    if is_full:
        raise PacketError(Reason.QUOTA_EXCEEDED, "too many connections")
    if connect.properties.authentication_method is not None:
        raise PacketError(Reason.BAD_AUTHENTICATION_METHOD, "no enhanced authentication here")
    client_id = connect.client_id or _assigned(connect)
    if not _is_acceptable(client_id, connect.version):
        raise PacketError(Reason.CLIENT_IDENTIFIER_NOT_VALID, "the client identifier is too long")
    _check_will(connect, terms)
    if connect.version != V5:
        return client_id, Connack()
    return client_id, Connack(properties=_announcement(connect, client_id, terms))


def _assigned(connect: Connect) -> str:
    if connect.version == V3_1 or (connect.version == V3_1_1 and not connect.clean_start):
        raise PacketError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID, "an empty client identifier needs a clean session"
        )
    return f"trivium-{uuid.uuid4().hex}"


def _is_acceptable(client_id: str, version: int) -> bool:
    if version == V3_1 and len(client_id) > MAX_CLIENT_ID_3_1:
        return False
    return len(client_id.encode()) <= MAX_CLIENT_ID_BYTES


def _check_will(connect: Connect, terms: Terms) -> None:
    will = connect.will
    if will is None:
        return
    if terms.allow_pub_sub:
        # Whether it may be published is asked once it is known who the client is.
        return
    if will.topic != terms.request_topic:
        raise PacketError(Reason.NOT_AUTHORIZED, f"wills are taken on {terms.request_topic} only")
    if will.retain and connect.version == V5:
        raise PacketError(Reason.RETAIN_NOT_SUPPORTED, "messages are not retained here")


def _announcement(connect: Connect, client_id: str, terms: Terms) -> Properties:
    # MQTT 5, 3.2.2.3. Absent: Maximum QoS (2), a Topic Alias Maximum of 0.
    asked_s = connect.properties.session_expiry_interval or 0
    granted_s = expiry_s(connect, terms)
    return Properties(
        session_expiry_interval=None if granted_s == asked_s else granted_s,
        receive_maximum=terms.receive_maximum,
        retain_available=int(terms.allow_pub_sub),
        maximum_packet_size=terms.max_packet_bytes,
        assigned_client_identifier=None if connect.client_id else client_id,
        topic_alias_maximum=terms.topic_alias_maximum or None,
        wildcard_subscription_available=int(terms.allow_pub_sub),
        subscription_identifier_available=int(terms.allow_pub_sub),
        shared_subscription_available=int(terms.allow_pub_sub),
    )


def expiry_s(connect: Connect, terms: Terms) -> int:
    """How many seconds the client's session waits for it; 0: it ends with the connection."""
    most_s = terms.kept.most_s
    if connect.version == V5:
        return min(connect.properties.session_expiry_interval or 0, most_s)
    return 0 if connect.clean_start else min(terms.kept.clean_session_0_s, most_s)


def refusal(error: PacketError, version: int) -> Connack | None:
    """The CONNACK that refuses; None where MQTT 3.1.1 just closes."""
    if version >= V5:
        return Connack(reason=error.reason, properties=Properties(reason_string=error.text))
    return None if error.return_code is None else Connack(reason=error.return_code)
