"""What one listener allows its clients."""

from __future__ import annotations

import msgspec

from protocols.codec.frame import FrameLimits
from router.settings import MqttSessionSettings, Settings


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a session goes by; names and units are those of `Settings`.

    `node` is this router's name, sent with every answer. `checks_credentials`: a client that
    names itself in its CONNECT is let in only if that is good.
    """

    request_topic: str
    response_topic: str
    receive_maximum: int
    max_packet_bytes: int
    max_subscriptions: int
    connect_timeout_s: float
    packet_timeout_s: float
    requests_per_connection: int
    frame: FrameLimits
    node: str
    checks_credentials: bool = False
    kept: MqttSessionSettings = MqttSessionSettings()


def terms_of(settings: Settings, node: str, *, checks_credentials: bool) -> Terms:
    """The terms that the settings give."""
    mqtt = settings.mqtt
    return Terms(
        request_topic=mqtt.request_topic,
        response_topic=mqtt.response_topic,
        receive_maximum=mqtt.receive_maximum,
        max_packet_bytes=mqtt.max_packet_bytes,
        max_subscriptions=mqtt.max_subscriptions,
        connect_timeout_s=mqtt.connect_timeout_s,
        packet_timeout_s=mqtt.packet_timeout_s,
        requests_per_connection=settings.limits.requests_per_connection,
        frame=FrameLimits(
            max_bytes=settings.frame.max_bytes,
            max_depth=settings.frame.max_depth,
            max_keys=settings.frame.max_keys,
        ),
        node=node,
        checks_credentials=checks_credentials,
        kept=settings.mqtt_sessions,
    )
