"""The observer counts answers, connections and refusals, and shows them to Prometheus."""

from __future__ import annotations

import re

import pytest
import structlog

from router.actions import ActionTable
from router.admission import Admission
from router.dispatch import Meter
from router.envelope import Json, Request
from router.observe import Observer
from router.ports import ConnectionObserver
from tests.support.requests import action, request


async def nothing(request: Request) -> Json:
    return None


@pytest.fixture
def admission() -> Admission:
    return Admission(at_work=2, waiting=2)


@pytest.fixture
def observer(admission: Admission) -> Observer:
    observer = Observer()
    observer.watch(ActionTable([action("server:now", nothing)]), admission)
    return observer


def samples(observer: Observer) -> dict[str, float]:
    """What the scrape shows: `name{labels}` -> value, labels in alphabetical order."""
    body, _ = observer.render()
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_it_is_what_the_router_and_the_wires_tell(observer: Observer) -> None:
    meter: Meter = observer
    wires: ConnectionObserver = observer
    assert meter is wires


def test_answers_are_counted_by_wire_action_and_status(observer: Observer) -> None:
    for wire, status in [("http", 200), ("http", 200), ("http", 400), ("mqtt", 200)]:
        observer.answered(request("server:now", wire=wire), status, 0.002)
    shown = samples(observer)
    for wire, status, count in [("http", 200, 2), ("http", 400, 1), ("mqtt", 200, 1)]:
        labels = f'action="now",controller="server",status="{status}",wire="{wire}"'
        assert shown[f"trivium_requests_total{{{labels}}}"] == count


def test_times_fall_into_buckets_whatever_the_status(observer: Observer) -> None:
    for status, seconds in [(200, 0.0001), (200, 0.002), (503, 0.002), (200, 9.0)]:
        observer.answered(request("server:now"), status, seconds)
    shown = samples(observer)
    name, labels = "trivium_request_duration_seconds", 'action="now",controller="server"'

    def at_most(end: str) -> float:
        return shown[f'{name}_bucket{{{labels},le="{end}",wire="websocket"}}']

    assert [at_most(end) for end in ("0.0001", "0.001", "0.0025", "1.0", "+Inf")] == [1, 1, 3, 3, 4]
    assert shown[f'{name}_count{{{labels},wire="websocket"}}'] == 4
    assert shown[f'{name}_sum{{{labels},wire="websocket"}}'] == pytest.approx(9.0041)


def test_names_that_are_not_in_the_table_share_one_label(observer: Observer) -> None:
    for number in range(1000):
        observer.answered(request(f"made:up{number}"), 404, 0.001)
        observer.answered(request(f"x{number}:now"), 404, 0.001)
    assert len(observer.answers) == 1
    labels = 'action="unknown",controller="unknown",status="404",wire="websocket"'
    assert samples(observer)[f"trivium_requests_total{{{labels}}}"] == 2000


def test_an_observer_that_watches_nothing_knows_no_name_and_no_work() -> None:
    observer = Observer()
    observer.answered(request("server:now"), 200, 0.001)
    assert [cell.controller for cell in observer.answers] == ["unknown"]
    assert (observer.requests_running(), observer.requests_waiting()) == (0, 0)


async def test_work_at_hand(observer: Observer, admission: Admission) -> None:
    for _ in range(3):
        admission.enter()
    assert (observer.requests_running(), observer.requests_waiting()) == (2, 1)
    shown = samples(observer)
    assert shown["trivium_requests_running"] == 2
    assert shown["trivium_requests_waiting"] == 1


def test_connections_come_and_go(observer: Observer) -> None:
    observer.opened("mqtt")
    observer.opened("mqtt")
    observer.closed("mqtt")
    observer.opened("http")
    assert observer.connections() == {"mqtt": 1, "http": 1}
    shown = samples(observer)
    assert shown['trivium_connections{wire="mqtt"}'] == 1
    assert shown['trivium_connections_opened_total{wire="mqtt"}'] == 2


def test_sessions_that_wait_are_shown(observer: Observer) -> None:
    observer.waiting_sessions = lambda: (3, 4_000)
    shown = samples(observer)
    assert (shown["trivium_mqtt_sessions"], shown["trivium_mqtt_queued_bytes"]) == (3, 4_000)


def test_refusals_are_counted_by_reason(observer: Observer) -> None:
    observer.refused("http", "network.http.too_slow")
    observer.refused("http", "network.http.too_slow")
    shown = samples(observer)
    assert shown['trivium_refusals_total{reason="network.http.too_slow",wire="http"}'] == 2


def test_the_process_is_shown_and_the_form_is_prometheus_own(observer: Observer) -> None:
    body, content_type = observer.render()
    assert content_type.startswith("text/plain; version=")
    assert b"\npython_info{" in body
    for line in body.decode().splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .+|[a-z_]+(\{.*\})? [0-9.e+-]+", line), line


class TestRequestLog:
    @pytest.fixture
    def lines(self) -> object:
        with structlog.testing.capture_logs() as lines:
            yield lines

    @pytest.mark.parametrize(("status", "level"), [(500, "error"), (503, "warning")])
    def test_faults_of_the_router_are_logged(
        self, observer: Observer, lines: list[dict[str, object]], status: int, level: str
    ) -> None:
        asked = request("server:now", wire="mqtt").replace(jwt="s3cret")
        observer.answered(asked, status, 0.0123456)
        assert lines == [
            {
                "event": "request answered",
                "log_level": level,
                "request_id": asked.request_id,
                "wire": "mqtt",
                "controller": "server",
                "action": "now",
                "status": status,
                "duration_ms": 12.346,
            }
        ]

    def test_others_only_if_asked_for(
        self, observer: Observer, admission: Admission, lines: list[dict[str, object]]
    ) -> None:
        observer.answered(request("server:now"), 404, 0.001)
        assert lines == []
        observer.watch(ActionTable(), admission, log_all=True)
        observer.answered(request("server:now"), 404, 0.001)
        assert [line["log_level"] for line in lines] == ["debug"]
