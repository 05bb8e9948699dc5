"""Tables of the settings: what the router tells of itself and of documents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from router.section import Section


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level.")
    format: Literal["console", "json"] = Field("console", description="For eyes, or machines.")


class RealtimeSettings(Section):
    """Subscriptions, and the filters that they are made with."""

    rooms: int = Field(
        100_000, ge=1, description="Different filters that are subscribed to, all clients together."
    )
    rooms_per_connection: int = Field(
        1_000, ge=1, description="Different filters that one client may be subscribed to."
    )
    filter_conditions: int = Field(
        100,
        ge=1,
        description="Conditions of one filter, and alternatives of its normal form; Kuzzle's 100.",
    )
    filter_depth: int = Field(32, ge=1, description="Operators of one filter within each other.")
    pipes_at_work: int = Field(
        50, ge=1, description="Notifications that are in the application's pipes at a time."
    )
    pipes_waiting: int = Field(
        10_000,
        ge=1,
        description="Notifications that wait for pipes, or for a callback of the application; "
        "those whom one more is for are cut off.",
    )
    pipe_timeout_s: float = Field(
        10.0, gt=0, description="Seconds of all pipes of a notification; then it is dropped."
    )
    past_reads_per_connection: int = Field(
        256,
        ge=1,
        description="Subscriptions of one client that read the past at once (argument `from`).",
    )
    past_reads_per_user: int = Field(
        10_000,
        ge=1,
        description="Those of one user; of one address where nobody has logged in.",
    )
    past_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="The part of the router's time that the past is read in, for all together.",
    )
    stream_heartbeat_s: float = Field(
        15.0,
        gt=0,
        description="Seconds between two signs of life of a silent event stream (HTTP); many "
        "proxies close what is silent for 30 s or 60 s.",
    )
    stream_unsent_bytes: int = Field(
        1_048_576,
        ge=4096,
        description="Bytes that wait for the reader of an event stream before it is ended; its "
        "client comes back and goes on.",
    )


class StatisticsSettings(Section):
    """The counts of `server:getStats` and its kin."""

    interval_s: float = Field(
        10.0, ge=0.1, description="Seconds that one frame of counts covers; Kuzzle's 10."
    )
    frames: int = Field(
        360, ge=1, description="Frames that are kept, the newest; with 10 s each it is an hour."
    )


class DumpSettings(Section):
    """The files that `admin:dump` writes: what an operator looks at when something is wrong."""

    folder: str = Field("", description="Where they are; empty for dumps in storage.data.")
    kept: int = Field(5, ge=1, description="Dumps that are kept, the newest.")
