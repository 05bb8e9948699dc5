"""What one listener allows its clients."""

from __future__ import annotations

import msgspec

from protocols.codec.frame import FrameLimits
from protocols.mqtt.broker.reserved import Reserved
from router.ports import Twins
from router.settings import MqttSessionSettings, Settings


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a session goes by; names and units are those of `Settings`.

    `node` is this router's name, sent with every answer. `checks_credentials`: a client that
    names itself in its CONNECT is let in only if that is good. `checks_rights`: what a client may
    do with topics is asked when it comes. `twins`: the topics of assets, None where there are none.
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
    checks_rights: bool = False
    allow_pub_sub: bool = False
    topic_alias_maximum: int = 0
    kept: MqttSessionSettings = MqttSessionSettings.of_checked({})
    twins: Twins | None = None

    @property
    def reserved(self) -> Reserved:
        """The topics that the router keeps to itself."""
        return Reserved(self.request_topic, self.response_topic, has_twins=self.twins is not None)


def terms_of(
    settings: Settings,
    node: str,
    *,
    checks_credentials: bool,
    checks_rights: bool,
    twins: Twins | None = None,
) -> Terms:
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
        checks_rights=checks_rights and mqtt.allow_pub_sub,
        allow_pub_sub=mqtt.allow_pub_sub,
        topic_alias_maximum=mqtt.topic_alias_maximum,
        kept=settings.mqtt_sessions,
        twins=twins,
    )
