"""What the router counts: answers and how long they took, connections, refusals, work at hand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import structlog

from router.actions import ActionTable
from router.admission import Admission
from router.envelope import Request, Wire

BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Upper ends of the latency buckets, in seconds; one more takes whatever is slower."""

UNKNOWN: Final = "unknown"
"""Stands for every controller and action that is not in the table, of which there is no end."""

_log: Final = structlog.get_logger("trivium.requests")


class Answers(NamedTuple):
    """What the answers of one cell have in common."""

    wire: Wire
    controller: str
    action: str
    status: int


class Times:
    """How long the answers of one cell took: their number by bucket, and the sum in seconds."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0


class Observer:
    """Counts for `/metrics` and `server:metrics`, and writes the request log.

    Call `watch` once, before the first request; an observer that watches nothing counts every
    action as unknown. Made for the event loop's thread only.
    """

    def __init__(self) -> None:
        self.answers: dict[Answers, Times] = {}
        self.open: dict[Wire, int] = {}
        self.opened_in_all: dict[Wire, int] = {}
        self.refusals: dict[tuple[Wire, str], int] = {}
        self.audited: Callable[[], Mapping[str, int]] = dict
        self.waiting_sessions: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._cells: dict[tuple[str, str, str, int], Times] = {}
        self._table: ActionTable | None = None
        self._admission: Admission | None = None
        self._logs_all = False
        self._at_work: dict[Wire, int] = {}

    def watch(self, table: ActionTable, admission: Admission, *, log_all: bool = False) -> None:
        """Learn the names that count by themselves, and where work waits.

        Args:
            log_all: Whether each request gets a line (at debug), not only those that failed
                by the router's fault.
        """
        self._table = table
        self._admission = admission
        self._logs_all = log_all

    # -- the router tells -----------------------------------------------------------------

    def answered(self, request: Request, status: int, seconds: float) -> None:
        """Count one answer; log it where the settings or its status ask for that."""
        key = (request.connection.wire, request.controller, request.action, status)
        times = self._cells.get(key)
        if times is None:
            times = self._cell(*key)
        times.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        times.sum_s += seconds
        # Who asks for what isn't there (501) shall not fill the log.
        if self._logs_all or (status >= 500 and status != 501):
            _write(request, status, seconds)

    def _cell(self, wire: Wire, controller: str, action: str, status: int) -> Times:
        if self._table is None or not self._table.has(controller, action):
            return self.answers.setdefault(Answers(wire, UNKNOWN, UNKNOWN, status), Times())
        times = self.answers[Answers(wire, controller, action, status)] = Times()
        self._cells[wire, controller, action, status] = times
        return times

    def begun(self, wire: Wire) -> None:
        """A request was let in to be answered."""
        self._at_work[wire] = self._at_work.get(wire, 0) + 1

    def ended(self, wire: Wire) -> None:
        """It is over, answered or given up."""
        self._at_work[wire] -= 1

    # -- the wires tell -------------------------------------------------------------------

    def opened(self, wire: Wire) -> None:
        """A client connected."""
        self.open[wire] = self.open.get(wire, 0) + 1
        self.opened_in_all[wire] = self.opened_in_all.get(wire, 0) + 1

    def closed(self, wire: Wire) -> None:
        """A client's connection is gone."""
        self.open[wire] -= 1

    def refused(self, wire: Wire, reason: str) -> None:
        """A frame or connection was refused before dispatch."""
        key = (wire, reason)
        self.refusals[key] = self.refusals.get(key, 0) + 1

    # -- whoever asks ---------------------------------------------------------------------

    def requests_running(self) -> int:
        """Requests at work."""
        return 0 if self._admission is None else self._admission.running

    def requests_waiting(self) -> int:
        """Requests that wait for a place."""
        return 0 if self._admission is None else self._admission.waiting

    def connections(self) -> Mapping[str, int]:
        """Open connections by wire."""
        return {str(wire): count for wire, count in self.open.items()}

    def ongoing(self) -> Mapping[str, int]:
        """Requests that are not answered yet, by wire."""
        return {str(wire): count for wire, count in self._at_work.items()}

    def succeeded(self) -> Mapping[str, int]:
        """Answers without an error since the start, by wire."""
        return self._sums(is_failure=False)

    def failed(self) -> Mapping[str, int]:
        """Answers with an error since the start, by wire."""
        return self._sums(is_failure=True)

    def _sums(self, *, is_failure: bool) -> dict[str, int]:
        sums: dict[str, int] = {}
        for cell, times in self.answers.items():
            if (cell.status >= 400) is is_failure:
                sums[cell.wire] = sums.get(cell.wire, 0) + sum(times.buckets)
        return sums

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text form, and the content type of that."""
        from router.exposition import render  # noqa: PLC0415 - its library is slow to load

        return render(self)


def _write(request: Request, status: int, seconds: float) -> None:
    level = _log.debug if status < 500 else _log.warning if status == 503 else _log.error
    level(
        "request answered",
        request_id=request.request_id,
        wire=request.connection.wire,
        controller=request.controller,
        action=request.action,
        status=status,
        duration_ms=round(seconds * 1000, 3),
    )
