"""The settings of MQTT sessions that outlive a connection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from router.section import Section


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
