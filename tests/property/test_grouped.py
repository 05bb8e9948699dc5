"""Any aggregations: what SQL divides is what Python divides over documents that it holds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.searches import AGGREGATIONS, DOCUMENTS, QUERIES
from tests.property.test_oracle import ours
from tests.support.raw_searches import comparable

AGGREGATED = st.fixed_dictionaries(
    {"query": QUERIES | st.just({"match_all": {}}), "size": st.just(0), "aggs": AGGREGATIONS}
)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(documents=DOCUMENTS, searches=st.lists(AGGREGATED, min_size=10, max_size=20))
def test_sql_computes_what_python_computes(documents: Any, searches: list[Any]) -> None:
    expected = asyncio.run(ours("memory", documents, searches))
    told = asyncio.run(ours("sqlite", documents, searches))
    for body, one, other in zip(searches, expected, told, strict=True):
        assert comparable(other) == comparable(one), json.dumps(body)
