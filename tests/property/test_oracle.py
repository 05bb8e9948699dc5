"""Any documents, any search: the engines answer as OpenSearch does when it is asked itself.

The same few each time; with ORACLE_EXAMPLES so many, drawn anew, so that it finds what nobody
thought of (2000 are the whole proof, and longer than a test may take:
`-o faulthandler_timeout=0`). What it found becomes a case of tests/contract/storage.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from storage.contract import Storage
from storage.dsl import read_search
from tests.property.searches import BAD_QUERIES, DOCUMENTS, FIELDS, SEARCHES
from tests.support.opensearch import OpenSearchServer
from tests.support.raw_searches import BAD, RawIndex, comparable
from tests.support.stores import TARGET, a_write, new_store

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "25"))


@pytest.fixture(scope="module")
def oracle(opensearch: OpenSearchServer) -> Iterator[RawIndex]:
    index = RawIndex(opensearch, FIELDS)
    yield index
    index.remove()


async def ours(engine: str, documents: Any, searches: list[Any]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        storage: Storage = new_store(engine, Path(folder))
        await storage.open()
        try:
            await storage.create_collection(*TARGET, {"properties": FIELDS})
            await storage.bulk([a_write("create", *each) for each in documents.items()])
            return [await answer(storage, body) for body in searches]
        finally:
            await storage.close()


async def answer(storage: Storage, body: Any) -> Any:
    try:
        page = await storage.search([TARGET], read_search(body))
    except RouterError as error:
        return error.id
    ids = [hit.id for hit in page.hits]
    told = {"total": page.total, "ids": ids if body.get("sort") else sorted(ids)}
    if page.aggregations is not None:
        told["aggregations"] = page.aggregations
    return told


@pytest.mark.needs("opensearch")
@settings(
    deadline=None,
    derandomize="ORACLE_EXAMPLES" not in os.environ,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(documents=DOCUMENTS, searches=st.lists(SEARCHES, min_size=10, max_size=30))
def test_the_engines_answer_as_opensearch(
    oracle: RawIndex, documents: Any, searches: list[Any]
) -> None:
    oracle.fill(documents)
    expected = oracle.search(searches)
    for engine in ("memory", "sqlite"):
        answers = asyncio.run(ours(engine, documents, searches))
        for body, wanted, told in zip(searches, expected, answers, strict=True):
            if told != "trivium.unsupported.feature":
                assert comparable(told) == comparable(wanted), (engine, json.dumps(body))


@pytest.mark.needs("opensearch")
def test_what_opensearch_refuses_is_refused(oracle: RawIndex) -> None:
    searches = [{"query": query} for query in BAD_QUERIES]
    oracle.fill({})
    assert [comparable(each) for each in oracle.search(searches)] == [BAD] * len(searches)
    told = asyncio.run(ours("memory", {}, searches))
    assert told == [BAD] * len(searches), list(zip(searches, told, strict=True))
