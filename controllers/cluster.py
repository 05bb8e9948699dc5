"""The `cluster` controller: the routers that work together, of which each knows itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import msgspec

from router import places
from router.actions import Action, Route
from router.envelope import Json, JsonObject, Request


class Cluster(msgspec.Struct, frozen=True):
    """Tells of this router; those that share its store don't know of each other.

    Attributes:
        address: Where it listens.
        born_s: When it was made, in seconds since 1970.
    """

    node: str
    address: str
    born_s: float = msgspec.field(default_factory=time.time)

    async def status(self, _: Request) -> Json:
        """The nodes, and what became of them."""
        born = datetime.fromtimestamp(self.born_s, UTC)
        since = born.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        named: JsonObject = {"id": self.node, "address": self.address}
        return {
            "activeNodes": 1,
            "nodes": [{**named, "birthdate": since}],
            "activity": [{**named, "date": since, "event": "joined"}],
        }

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        status = Action(
            controller="cluster",
            name="status",
            handler=self.status,
            places=places.nowhere,
            summary="This router, as a cluster of one node.",
            routes=(Route("GET", "/cluster/_status"),),
            result="`{activeNodes: integer, nodes: [{id, address: string, birthdate: string}], "
            "activity: [{id, address: string, date: string, event: string}]}`",
        )
        return (status,)
