"""The observer's counts in Prometheus' text form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from router.observe import BOUNDS_S, Times

if TYPE_CHECKING:
    from router.observe import Observer

_ENDS: Final = [*(str(bound) for bound in BOUNDS_S), "+Inf"]


def render(observer: Observer) -> tuple[bytes, str]:
    """What the observer has counted and how this process is; with its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counts(observer))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Counts(Collector):
    """Reads the observer when it is scraped, so that counting itself costs next to nothing."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """Every metric of the router."""
        yield self._requests()
        yield self._durations()
        yield _gauge(
            "trivium_requests_running", "Requests at work.", self._observer.requests_running()
        )
        yield _gauge(
            "trivium_requests_waiting",
            "Requests that wait for a place.",
            self._observer.requests_waiting(),
        )
        yield from self._connections()
        yield from self._sessions()
        yield self._audit()

    def _sessions(self) -> Iterable[Metric]:
        kept, waiting_bytes = self._observer.waiting_sessions()
        yield _gauge("trivium_mqtt_sessions", "MQTT sessions that outlive connections.", kept)
        yield _gauge(
            "trivium_mqtt_queued_bytes", "Bytes of messages that wait in these.", waiting_bytes
        )

    def _audit(self) -> Metric:
        entries = CounterMetricFamily(
            "trivium_audit",
            "Entries written and lost, and attempts to write that failed.",
            labels=["event"],
        )
        for event, count in self._observer.audited().items():
            entries.add_metric([event], count)
        return entries

    def _requests(self) -> Metric:
        requests = CounterMetricFamily(
            "trivium_requests", "Answers.", labels=["wire", "controller", "action", "status"]
        )
        for cell, times in self._observer.answers.items():
            labels = [cell.wire, cell.controller, cell.action, str(cell.status)]
            requests.add_metric(labels, sum(times.buckets))
        return requests

    def _durations(self) -> Metric:
        durations = HistogramMetricFamily(
            "trivium_request_duration_seconds",
            "From a request's arrival at the router to its answer.",
            labels=["wire", "controller", "action"],
        )
        cells: dict[tuple[str, str, str], list[Times]] = {}
        for cell, times in self._observer.answers.items():
            cells.setdefault((cell.wire, cell.controller, cell.action), []).append(times)
        for labels, parts in cells.items():
            counts = accumulate(map(sum, zip(*(part.buckets for part in parts), strict=True)))
            durations.add_metric(
                labels,
                list(zip(_ENDS, counts, strict=True)),
                sum(part.sum_s for part in parts),
            )
        return durations

    def _connections(self) -> Iterable[Metric]:
        now = GaugeMetricFamily("trivium_connections", "Open connections.", labels=["wire"])
        for wire, count in self._observer.open.items():
            now.add_metric([wire], count)
        yield now
        ever = CounterMetricFamily(
            "trivium_connections_opened", "Connections so far.", labels=["wire"]
        )
        for wire, count in self._observer.opened_in_all.items():
            ever.add_metric([wire], count)
        yield ever
        refusals = CounterMetricFamily(
            "trivium_refusals",
            "Frames and connections that never became a request.",
            labels=["wire", "reason"],
        )
        for (wire, reason), count in self._observer.refusals.items():
            refusals.add_metric([wire, reason], count)
        yield refusals


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
