"""Any documents, any query: every engine finds what the plain evaluation finds, in its order."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from storage.binding import bind, check_sort
from storage.contract import Storage
from storage.dsl import read_search
from storage.evaluate import field_values, in_order, matches, sort_value
from storage.mapping import Mapping
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, new_store

FIELDS: dict[str, Any] = {
    "key": {"type": "keyword", "ignore_above": 3, "fields": {"low": {"type": "keyword"}}},
    "num": {"type": "long", "null_value": 0},
    "real": {"type": "double"},
    "flag": {"type": "boolean"},
    "day": {"type": "date"},
    "spot": {"type": "geo_point"},
    "obj": {"properties": {"key": {"type": "keyword"}, "num": {"type": "integer"}}},
    "parts": {"type": "nested", "properties": {"key": {"type": "keyword"}}},
}
PATHS = ["key", "key.low", "num", "real", "flag", "day", "obj.key", "obj.num"]
ODD_PATHS = ["spot", "obj", "parts.key", "nowhere", "_id"]
IDS = list("abcdefgh")

TEXTS = st.sampled_from(["", "a", "A", "b", "aa", "é", "\U0001f600", "\uffff", "long", "%", "'"])
WHOLES = st.integers(-3, 3) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1])
SMALL = st.integers(-3, 3)
REALS = st.sampled_from([-1.5, -0.0, 0.0, 0.1, 0.5, 1.0, 1e300]) | SMALL
DAYS = st.sampled_from([0, -1, 1_767_225_600_000, "2026", "2026-01", "2026-01-01T00:00:00.001Z"])
SPOTS = st.sampled_from([[0.0, 0.0], [0.0, 1.0], [179.9, 0.0], [-179.9, 0.0], [10.0, 90.0]])
PLACES = {"lat": st.sampled_from([-90, 0, 45, 90]), "lon": st.sampled_from([-180, 0, 179.95])}


def maybe_many(values: Any) -> Any:
    return st.none() | values | st.lists(st.none() | values, max_size=3)


DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "key": maybe_many(TEXTS),
        "num": maybe_many(WHOLES),
        "real": maybe_many(REALS),
        "flag": maybe_many(st.booleans()),
        "day": maybe_many(DAYS),
        "spot": st.none() | SPOTS | st.lists(SPOTS, max_size=2),
        "obj": maybe_many(
            st.fixed_dictionaries({}, optional={"key": maybe_many(TEXTS), "num": maybe_many(SMALL)})
        ),
        "parts": maybe_many(st.fixed_dictionaries({"key": TEXTS})),
        "other": TEXTS,
    },
)
DOCUMENTS = st.dictionaries(st.sampled_from(IDS), DOCUMENT, max_size=8)
VALUES = {
    "key": TEXTS,
    "key.low": TEXTS,
    "num": WHOLES | REALS,
    "real": REALS,
    "flag": st.booleans(),
    "day": DAYS,
    "obj.key": TEXTS,
    "obj.num": WHOLES,
}


@st.composite
def leaf_queries(draw: Any) -> Any:
    field = draw(st.sampled_from(PATHS))
    value = VALUES[field]
    bounds = st.fixed_dictionaries({}, optional=dict.fromkeys(["gt", "gte", "lt", "lte"], value))
    any_path = st.sampled_from(PATHS + ODD_PATHS)
    return draw(
        st.one_of(
            st.builds(lambda v: {"term": {field: v}}, value),
            st.builds(lambda v: {"terms": {field: v}}, st.lists(value, max_size=20)),
            st.builds(lambda v: {"range": {field: v}}, bounds),
            st.builds(lambda f: {"exists": {"field": f}}, any_path),
            st.builds(lambda v: {"ids": {"values": v}}, st.lists(st.sampled_from(IDS))),
            st.builds(
                lambda place, km: {"geo_distance": {"distance": f"{km}km", "spot": place}},
                st.fixed_dictionaries(PLACES),
                st.sampled_from([0, 1, 50, 200, 5_000, 30_000]),
            ),
            st.sampled_from([{"match_all": {}}, {"match_none": {}}, {"term": {"nowhere": 1}}]),
        )
    )


def bool_queries(inner: Any) -> Any:
    several = st.lists(inner, max_size=3)
    return st.fixed_dictionaries(
        {
            "bool": st.fixed_dictionaries(
                {},
                optional={
                    "must": several,
                    "filter": several,
                    "should": several,
                    "must_not": several,
                    "minimum_should_match": st.sampled_from([0, 1, 2, "50%", -1]),
                },
            )
        }
    )


QUERIES = st.recursive(leaf_queries(), bool_queries, max_leaves=8)
SORT_KEYS = st.builds(
    lambda field, order, missing: {field: {"order": order, "missing": missing}},
    st.sampled_from(["key", "num", "real", "flag", "day", "obj.num"]),
    st.sampled_from(["asc", "desc"]),
    st.sampled_from(["_first", "_last"]),
)
SORTS = st.lists(SORT_KEYS | st.just({"_id": "desc"}), max_size=3)


class Plain:
    """A document as the evaluation sees it, without any engine."""

    def __init__(self, mapping: Mapping, id: str, source: Any) -> None:
        self.place = (id, INDEX, COLLECTION)
        self.fields = field_values(mapping.rows(source))


def plainly(documents: dict[str, Any], body: Any) -> list[tuple[str, list[Any]]]:
    mapping = Mapping.parse(INDEX, COLLECTION, {"properties": FIELDS})
    search = read_search(body)
    query = bind(search.query, mapping)
    check_sort(search.sort, mapping)
    plain = [Plain(mapping, *each) for each in documents.items()]
    chosen = [each for each in plain if matches(query, each.place[0], each.fields)]
    return [
        (each.place[0], [sort_value(key, each.place[0], each.fields) for key in search.sort])
        for each in in_order(chosen, search.sort)
    ]


async def through(
    engine: str, url: str, rounds: list[dict[str, Any]], body: Any
) -> list[tuple[str, list[Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        storage: Storage = new_store(engine, Path(folder), url)
        await storage.open()
        try:
            if storage.has_index(INDEX):
                await storage.delete_index(INDEX)
            await storage.create_collection(*TARGET, {"properties": FIELDS})
            for documents in rounds:
                writes = [a_write("create_or_replace", *each) for each in documents.items()]
                outcomes = await storage.bulk(writes)
                assert not [each for each in outcomes if isinstance(each, RouterError)]
            await storage.refresh(*TARGET)
            search = read_search(body)
            page = await storage.search([TARGET], search)
            assert page.total == len(page.hits) == await storage.count([TARGET], search)
            return [(hit.id, hit.sort) for hit in page.hits]
        finally:
            await storage.close()


def check(engine: str, url: str, rounds: list[Any], body: Any) -> None:
    expected = plainly({**rounds[0], **rounds[1]}, body)
    # Documents are written over earlier ones, so that rows of the old content must go.
    assert asyncio.run(through(engine, url, rounds, body)) == expected


SLOW = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
@SLOW
@given(before=DOCUMENTS, documents=DOCUMENTS, query=QUERIES, sort=SORTS)
def test_engines_agree_with_the_plain_evaluation(
    engine: str, before: Any, documents: Any, query: Any, sort: Any
) -> None:
    check(engine, "", [before, documents], {"query": query, "sort": sort, "size": 100})


@pytest.mark.needs("opensearch")
@settings(SLOW, max_examples=40)  # each one makes an index
@given(before=DOCUMENTS, documents=DOCUMENTS, query=QUERIES, sort=SORTS)
def test_opensearch_agrees_with_the_plain_evaluation(
    opensearch: OpenSearchServer, before: Any, documents: Any, query: Any, sort: Any
) -> None:
    body = {"query": query, "sort": sort, "size": 100}
    check("opensearch", opensearch.url, [before, documents], body)
