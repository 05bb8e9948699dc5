"""A request on its way through the router."""

from __future__ import annotations

from protocols.codec.mqtt.packets import Publish
from protocols.mqtt.inbox import Receipt
from router.envelope import Request


class Job:
    """One request at work, and where its answer goes. `request` is what to dispatch."""

    __slots__ = ("publish", "receipt", "request")

    def __init__(self, publish: Publish, receipt: Receipt | None, request: Request) -> None:
        self.publish = publish
        self.receipt = receipt
        self.request = request
