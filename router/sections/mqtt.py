"""Tables of the settings: MQTT, its sessions and its topics."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from router.section import Section

_TOPIC: Final = r"^[^+#\x00]{1,1000}$"


class MqttSettings(Section):
    """The MQTT wire."""

    enabled: bool = Field(True, description="Whether to listen for MQTT at all.")
    port: int = Field(1883, ge=0, le=65535, description="Kuzzle's MQTT port.")
    tls_port: int = Field(
        8883, ge=0, le=65535, description="MQTT over TLS, where there is a certificate."
    )
    plain: Literal["loopback", "everywhere", "off"] = Field(
        "loopback", description="Where the port without TLS listens beside the one with it."
    )
    request_topic: str = Field(
        "Kuzzle/request", pattern=_TOPIC, description="Where clients publish requests."
    )
    response_topic: str = Field(
        "Kuzzle/response", pattern=_TOPIC, description="Where answers are pushed."
    )
    allow_pub_sub: bool = Field(
        False,
        description="Whether clients of this router may publish to each other, by their rights.",
    )
    rate_limit: int = Field(
        0, ge=0, description="Requests, messages and SUBSCRIBEs a second of one client; 0: any."
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="Seconds to send CONNECT.")
    max_packet_bytes: int = Field(1_114_112, ge=1024, description="Bytes; 1 MB and its header.")
    packet_timeout_s: float = Field(
        30.0, gt=0, description="Seconds for the rest of a packet once it has begun to arrive."
    )
    max_subscriptions: int = Field(1_000, ge=1, description="Topics of one client.")
    topic_alias_maximum: int = Field(
        32, ge=0, le=65535, description="Topic aliases of one client, in each direction."
    )
    retained_messages: int = Field(
        10_000, ge=0, description="Retained messages of all clients; one more is refused."
    )
    retained_mb: int = Field(
        64, ge=1, description="MB that they take in memory, each with 512 bytes of its own."
    )
    receive_maximum: int = Field(
        100, ge=1, le=65535, description="Unacknowledged QoS 1 and 2 requests of one client."
    )
    max_unsent_bytes: int = Field(
        1_048_576, ge=4096, description="Bytes that wait for a slow reader before it is cut off."
    )


class MqttSessionSettings(Section):
    """MQTT sessions that go on while their client is away."""

    most_s: int = Field(
        604_800,
        ge=0,
        le=4_294_967_294,
        description="Longest seconds that a session waits for its client; 0 keeps none.",
    )
    clean_session_0_s: int = Field(
        86_400, ge=0, description="Seconds that it waits for a client of MQTT 3.1.1, if allowed."
    )
    most: int = Field(20_000, ge=1, description="Sessions that may be kept at once.")
    most_per_user: int = Field(
        10_000, ge=1, description="Of one user; all without a name together are one."
    )
    queue_messages: int = Field(
        1_000, ge=1, le=65_000, description="Messages that wait for one client."
    )
    queue_bytes: int = Field(1_048_576, ge=1_024, description="Bytes of them.")
    queues_mb: int = Field(256, ge=1, description="MB of messages that wait for all clients.")
    when_full: Literal["drop_oldest", "drop_newest"] = Field(
        "drop_oldest", description="Which message is lost where a queue is full."
    )


class TwinSettings(Section):
    """The topics twins/<engine>/<asset id> on MQTT: an asset's state, for who may read it."""

    enabled: bool = Field(False, description="Whether there are such topics.")
    check_s: float = Field(
        30.0,
        gt=0,
        description="Seconds between two comparisons of what is followed with the store; so long "
        "what went with its whole collection may go unnoticed.",
    )
