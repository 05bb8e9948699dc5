"""A request on its way through the router."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from protocols.codec import frame
from protocols.codec.mqtt.packets import Publish
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.inbox import Receipt
from router.envelope import Connection, Request

_IDEMPOTENCY_KEY: Final = "idempotency-key"


class Job:
    """One request at work, and where its answer goes. `request` is what to dispatch."""

    __slots__ = ("publish", "receipt", "request")

    def __init__(self, publish: Publish, receipt: Receipt | None, request: Request) -> None:
        self.publish = publish
        self.receipt = receipt
        self.request = request


class Storing:
    """A message that is on its way to the disk: its PUBLISH is acknowledged once it is there."""

    __slots__ = ("reason", "receipt", "stored")

    def __init__(self, receipt: Receipt | None, reason: Reason, stored: Awaitable[None]) -> None:
        self.receipt = receipt
        self.reason = reason
        self.stored = stored


def read_request(packet: Publish, connection: Connection, limits: frame.FrameLimits) -> Request:
    """The request that a PUBLISH carries: its payload, and what MQTT 5 says beside it.

    Raises:
        BadFrameError: See `protocols.codec.frame.decode`.
    """
    request = frame.decode(packet.payload, connection, limits)
    for name, value in packet.properties.user_properties:
        if name == _IDEMPOTENCY_KEY:
            request.args.setdefault("idempotencyKey", value)
    return request
