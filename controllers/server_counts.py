"""The actions of `server` that tell counts: what is at work now, and frames of what was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from realtime.rooms import Rooms
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.statistics import Frame, Statistics

_FRAME: Final = (
    "{completedRequests: object, failedRequests: object, connections: object, "
    "ongoingRequests: object, timestamp: integer}"
)
_FRAMES: Final = f"`{{hits: [{_FRAME}], total}}`"


class Load(Protocol):
    """What is at work right now."""

    def requests_running(self) -> int:
        """Requests at work."""

    def requests_waiting(self) -> int:
        """Requests that wait for a place."""

    def connections(self) -> Mapping[str, int]:
        """Open connections by wire (`http`, `websocket`, `mqtt`)."""


class ServerCounts(msgspec.Struct, frozen=True):
    """Tells what this node is doing, and what it did in the last intervals."""

    load: Load
    rooms: Rooms
    statistics: Statistics

    async def metrics(self, _: Request) -> Json:
        """What is at work on this node."""
        connections: JsonObject = {
            "http/1.1" if wire == "http" else wire: count
            for wire, count in self.load.connections().items()
            if count
        }
        return {
            "api": {
                "concurrentRequests": self.load.requests_running(),
                "pendingRequests": self.load.requests_waiting(),
            },
            "network": {"connections": connections},
            "realtime": {"rooms": len(self.rooms), "subscriptions": self.rooms.subscriptions},
        }

    async def all(self, _: Request) -> Json:
        """Every frame that is kept."""
        return _listed(self.statistics.all())

    async def last(self, _: Request) -> Json:
        """The newest frame."""
        return told(self.statistics.last())

    async def between(self, request: Request) -> Json:
        """The frames that ended within a time."""
        first, last = _time(request, "startTime"), _time(request, "stopTime")
        frames = self.statistics.all()
        if first is not None:
            frames = [frame for frame in frames if frame.ended_ms >= first]
        if last is not None:
            frames = [frame for frame in frames if frame.ended_ms <= last]
        return _listed(frames)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (self._measuring(), *self._counting())

    def _measuring(self) -> Action:
        return Action(
            controller="server",
            name="metrics",
            handler=self.metrics,
            places=places.nowhere,
            summary="Requests and connections at work on this node.",
            routes=(Route("GET", "/_metrics"),),
            result="`{api: {concurrentRequests, pendingRequests}, network: {connections}, "
            "realtime: {rooms, subscriptions}}`",
        )

    def _counting(self) -> tuple[Action, ...]:
        times = "in ms since 1970, or as a date (ISO 8601)."
        return (
            Action(
                controller="server",
                name="getAllStats",
                handler=self.all,
                places=places.nowhere,
                summary="Answers and connections of each interval that is remembered.",
                routes=(Route("GET", "/_getAllStats"),),
                result=_FRAMES,
            ),
            Action(
                controller="server",
                name="getLastStats",
                handler=self.last,
                places=places.nowhere,
                summary="Answers and connections of the interval that ended last.",
                routes=(Route("GET", "/_getLastStats"),),
                result=f"`{_FRAME}`",
            ),
            Action(
                controller="server",
                name="getStats",
                handler=self.between,
                places=places.nowhere,
                summary="Answers and connections of the intervals that ended within a time.",
                routes=(Route("GET", "/_getStats"),),
                arguments=(
                    Argument("startTime", "any", f"Not before this time, {times}"),
                    Argument("stopTime", "any", f"Not after this time, {times}"),
                ),
                result=_FRAMES,
                errors=("api.assert.invalid_argument",),
            ),
        )


def _listed(frames: list[Frame]) -> Json:
    return {"hits": [told(frame) for frame in frames], "total": len(frames)}


def told(frame: Frame) -> Json:
    """A frame as answers show it."""
    return {
        "completedRequests": {**frame.completed},
        "failedRequests": {**frame.failed},
        "connections": {**frame.connections},
        "ongoingRequests": {**frame.ongoing},
        "timestamp": frame.ended_ms,
    }


def _time(request: Request, key: str) -> float | None:
    value = request.args.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    try:
        text = value if isinstance(value, str) else ""
        return int(text) if text.isdecimal() else _date(text)
    except (ValueError, OverflowError):
        expected = "milliseconds since 1970, or a date"
        raise RouterError("api.assert.invalid_argument", key, expected) from None


def _date(text: str) -> float:
    date = datetime.fromisoformat(text)
    # A date without a zone is one of UTC, whatever the machine's.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000
