"""Pages of the embedded store: read along an index, they are those of the whole order."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.settings import StorageSettings
from storage.dsl import read_search
from storage.evaluate import field_values, in_order, matches
from storage.mapping import Mapping
from storage.query import Range, Search
from storage.sqlite.pages import Candidate
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write

FIELDS: Any = {
    "num": {"type": "long"},
    "key": {"type": "keyword"},
    "flag": {"type": "boolean"},
}
SMALL = st.integers(0, 3)
DOCUMENT = st.fixed_dictionaries(
    {"num": SMALL | st.lists(SMALL, min_size=1, max_size=2)},
    optional={"key": st.sampled_from(["a", "b", ["a", "c"]]), "flag": st.booleans()},
)
DOCUMENTS = st.lists(DOCUMENT, min_size=1, max_size=12)
SORTS = st.lists(
    st.builds(
        lambda field, way: {field: way},
        st.sampled_from(["num", "num", "key", "flag", "_id"]),
        st.sampled_from(["asc", "desc"]),
    ),
    max_size=3,
)


def plainly(documents: list[Any], search: Search) -> list[str]:
    mapping = Mapping.parse(*TARGET, {"properties": FIELDS})
    rows = [field_values(mapping.rows(each)) for each in documents]
    candidates = [
        Candidate(at, f"d{at:02}", _Place, fields)  # type: ignore[arg-type]
        for at, fields in enumerate(rows)
        if matches(search.query, "", fields)
    ]
    return [each.place[0] for each in in_order(candidates, search.sort)]


class _Place:
    index, name = TARGET


async def walked(documents: list[Any], body: Any, size: int) -> tuple[list[str], list[str]]:
    """The ids of all hits, by pages with `from`, then behind each other."""
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteStorage(StorageSettings(data=Path(folder)))
        await storage.open()
        await storage.create_collection(INDEX, COLLECTION, {"properties": FIELDS})
        await storage.bulk([a_write("create", f"d{at:02}", d) for at, d in enumerate(documents)])
        by_offset: list[str] = []
        for offset in range(0, len(documents), size):
            page = await storage.search(
                [TARGET], read_search({**body, "from": offset, "size": size})
            )
            by_offset += [hit.id for hit in page.hits]
        behind: list[str] = []
        ordered = {**body, "sort": [*body["sort"], {"_id": "asc"}], "size": size}
        while True:
            page = await storage.search([TARGET], read_search(ordered))
            if not page.hits:
                break
            behind += [hit.id for hit in page.hits]
            ordered["search_after"] = page.hits[-1].sort
        await storage.close()
        return by_offset, behind


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(documents=DOCUMENTS, sort=SORTS, size=st.integers(1, 3), least=st.sampled_from([None, 1]))
def test_pages_are_cut_out_of_the_whole_order(
    documents: list[Any], sort: list[Any], size: int, least: int | None
) -> None:
    query = {"match_all": {}} if least is None else {"range": {"num": {"gte": least}}}
    body = {"query": query, "sort": sort}
    expected = plainly(documents, read_search(body))
    assert asyncio.run(walked(documents, body, size)) == (expected, expected)


async def test_a_page_of_very_many_alike_is_in_order_too(tmp_path: Path) -> None:
    """More than are put in order beside the database (`pages._MOST`)."""
    storage = SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, {"properties": FIELDS})
    contents = [{"num": at // 10_050, "key": "a"} for at in range(10_054)]
    await storage.bulk([a_write("create", f"d{at:05}", each) for at, each in enumerate(contents)])
    for sort in (["num"], ["num", "key"], ["key", {"num": "asc"}]):
        body = {"sort": sort, "from": 10_048, "size": 4}
        page = await storage.search([TARGET], read_search(body))
        assert [hit.id for hit in page.hits] == ["d10048", "d10049", "d10050", "d10051"], sort
    body = {"sort": ["num", "_id"], "search_after": [0, "d10048"], "size": 2}
    page = await storage.search([TARGET], read_search(body))
    assert [hit.id for hit in page.hits] == ["d10049", "d10050"]
    await storage.close()


async def test_a_few_of_many_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    storage = SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, {"properties": FIELDS})
    await storage.bulk([a_write("create", f"d{299 - at}", {"num": at}) for at in range(200)])
    search = Search(query=Range("num", gte=197), size=2, offset=1)
    page = await storage.search([TARGET], search)
    assert ([hit.id for hit in page.hits], page.total) == (["d101", "d102"], 3)
    await storage.close()
