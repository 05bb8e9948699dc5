"""The index over many filters: it finds by structure, not by trying each."""

from __future__ import annotations

import time
from typing import Any

import pytest

from realtime.koncorde.evaluate import form_tester
from realtime.koncorde.index import Index
from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.koncorde.patterns import Patterns

LIMITS = FilterLimits()
MANY = 1_500


def index_of(contents: list[Any]) -> Index[int]:
    index: Index[int] = Index()
    for number, content in enumerate(contents):
        index.add(number, normal_form(content, LIMITS))
    return index


def best_s(act: Any, times: int = 5) -> float:
    spans = []
    for _ in range(times):
        started = time.process_time()
        for _ in range(20):
            act()
        spans.append((time.process_time() - started) / 20)
    return min(spans)


@pytest.mark.parametrize(
    ("make", "document", "found"),
    [
        (lambda n: {"equals": {"sn": n}}, {"sn": 7}, {7}),
        (lambda n: {"equals": {f"f{n}": 1}}, {"f7": 1}, {7}),
        (
            lambda n: {"and": [{"equals": {"type": "t"}}, {"equals": {"sn": n}}]},
            {"type": "t", "sn": 7},
            {7},
        ),
        (
            lambda n: {
                "and": [{"equals": {"type": "t"}}, {"range": {"t": {"gte": n, "lt": n + 1}}}]
            },
            {"type": "t", "t": 700.5},
            {700},
        ),
        (lambda n: {"range": {"t": {"gt": n, "lte": n + 1}}}, {"t": 8}, {7}),
        (lambda n: {"exists": f"tags[{n}]"}, {"tags": [7, "7"]}, {7}),
        (lambda n: {"match": {"a": {"b": n}, "c": [1]}}, {"a": {"b": 7}, "c": [1]}, {7}),
        (
            lambda n: {"geoDistance": {"p": [n / 100, 2], "distance": "500m"}},
            {"p": {"lat": 7.0, "lon": 2.0}},
            {700},
        ),
        (lambda n: {"regexp": {"name": f"^dev-{n}-"}}, {"name": "dev-7-x"}, {7}),
        (
            lambda n: {"select": {"field": "a", "index": 0, "query": {"equals": {"value": n}}}},
            {"a": [7]},
            {7},
        ),
    ],
)
def test_a_document_is_matched_without_trying_every_filter(
    make: Any, document: Any, found: set[int]
) -> None:
    contents = [make(number) for number in range(MANY)]
    index = index_of(contents)
    assert set(index.match(document)) == found
    testers = [form_tester(normal_form(content, LIMITS)) for content in contents]
    loop_s = best_s(lambda: [test(document) for test in testers], times=1)
    # A ratio, since the machine may be busy; it is 50 to 1 000 when idle.
    assert best_s(lambda: index.match(document)) < loop_s / 5


def test_patterns_come_and_go_in_any_order() -> None:
    index: Index[int] = Index()
    forms = [normal_form({"regexp": {"a": f"^x{n}$"}}, LIMITS) for n in range(300)]
    for number, form in enumerate(forms):
        index.add(number, form)
    for number in range(0, 300, 2):
        index.remove(number)
    for number in range(0, 300, 4):
        index.add(number, forms[number])
    for number in range(300):
        is_in = number % 2 == 1 or number % 4 == 0
        assert set(index.match({"a": f"x{number}"})) == ({number} if is_in else set())


def test_patterns_that_fit_no_set_are_found_all_the_same() -> None:
    patterns: Patterns[int] = Patterns(set_bytes=4_096)
    for number in range(80):
        patterns.add(number, rf"^[a-zé]{{90}}{number}$", "")
    patterns.remove(34)
    assert patterns.matching("é" * 90 + "33") == [33]
    assert patterns.matching("é" * 90 + "34") == []


def test_a_place_around_the_pole_and_over_the_date_line_is_found() -> None:
    index = index_of(
        [
            {"geoDistance": {"p": [89.9, 0], "distance": "50km"}},
            {"geoDistance": {"p": [0, 179.9], "distance": "50km"}},
            {"geoDistance": {"p": [60, 0], "distance": "19000km"}},
        ]
    )
    assert set(index.match({"p": [89.9, 180]})) == {0, 2}
    assert set(index.match({"p": [0, -179.9]})) == {1, 2}
    assert set(index.match({"p": [-60, 179]})) == set()


def test_filters_that_nothing_can_meet_come_and_go() -> None:
    upside_down = {"top": 1, "left": 0, "bottom": 2, "right": 1}
    contents: list[Any] = [
        {"or": [{"range": {"a": {"gt": 0, "lt": 5e-324}}}, {"geoBoundingBox": {"a": upside_down}}]},
        {"range": {"a": {"gt": 0, "lt": 5e-324}}},
    ]
    index = index_of(contents)
    assert set(index.match({"a": 0})) == set()
    index.remove(0)
    index.add(2, normal_form({"equals": {"a": 0}}, LIMITS))
    index.remove(1)
    assert set(index.match({"a": 0})) == {2}
