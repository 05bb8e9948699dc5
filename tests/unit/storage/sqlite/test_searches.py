"""What is SQLite's own about searches: their threads, time and bounds, big lists, odd circles."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.aggregations import Aggregation, Filters, Percentiles
from storage.clauses import MAX_CLAUSES
from storage.query import Bool, Exists, GeoDistance, Ids, Query, Range, Search, Sort, Terms
from storage.sqlite.hits import MAX_TARGETS
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, put, refused

MAPPING = {
    "properties": {
        "key": {"type": "keyword"},
        "num": {"type": "integer"},
        "real": {"type": "double"},
        "spot": {"type": "geo_point"},
        "free": {"type": "keyword"},
    }
}
BOUND_S = 60
UPDATED = "_kuzzle_info.updatedAt"


async def opened(folder: Path, **settings: Any) -> SqliteStorage:
    storage = SqliteStorage(StorageSettings.model_validate({"data": folder, **settings}))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION, MAPPING)
    return storage


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = await opened(tmp_path)
    yield storage
    await storage.close()


@pytest.fixture
async def lane(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    """A store that answers one search after the other."""
    storage = await opened(tmp_path, searches_at_once=1)
    yield storage
    await storage.close()


async def ids(storage: SqliteStorage, query: Query, *sort: Sort) -> list[str]:
    page = await storage.search([TARGET], Search(query=query, sort=sort, size=100))
    assert page.total == len(page.hits)
    return [hit.id for hit in page.hits]


class TestBigLists:
    async def test_texts_numbers_and_texts_that_c_cannot_hold(self, storage: SqliteStorage) -> None:
        await put(storage, "a", {"key": "k7", "num": 3, "real": 0.1})
        await put(storage, "b", {"key": "nul\0byte", "num": 4, "real": 7.0})
        texts = tuple(f"k{n}" for n in range(40_000))
        assert await ids(storage, Terms("key", (*texts, "nul\0byte"))) == ["a", "b"]
        assert await ids(storage, Terms("num", (*range(5, 50), 3, 4.0))) == ["a", "b"]
        assert await ids(storage, Terms("real", (*(n / 10 for n in range(40)), 7))) == ["a", "b"]
        assert await ids(storage, Ids((*texts, "b"))) == ["b"]

    async def test_texts_of_which_c_can_hold_none(self, storage: SqliteStorage) -> None:
        await put(storage, "a", {"key": "nul\0byte"})
        await put(storage, "b", {"key": "nul"})
        texts = tuple(f"nul\0{n}" for n in range(40_000))
        assert await ids(storage, Terms("key", (*texts, "nul\0byte"))) == ["a"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            (lambda clauses: Bool(should=clauses, minimum=1), ["a"]),
            (lambda clauses: Bool(should=clauses, minimum=2), []),
            (lambda clauses: Bool(must_not=clauses), ["b"]),
            (lambda clauses: Bool(must=clauses), []),
        ],
    )
    async def test_as_many_clauses_as_a_query_may_have(
        self, storage: SqliteStorage, query: Callable[[tuple[Query, ...]], Query], found: list[str]
    ) -> None:
        await put(storage, "a", {"key": "k7"})
        await put(storage, "b", {"key": "none"})
        clauses = tuple(Terms("key", (f"k{n}",)) for n in range(MAX_CLAUSES - 1))
        assert await ids(storage, query(clauses)) == found

    async def test_more_over_many_collections_than_one_statement_takes(
        self, storage: SqliteStorage
    ) -> None:
        names = [f"c{n}" for n in range(40)]
        for name in names:
            await storage.create_collection(INDEX, name, MAPPING)
            await storage.write(a_write("create", "a", {"key": "k7"}, collection=name))
        clauses = tuple(Terms("key", (f"k{n}",)) for n in range(MAX_CLAUSES - 1))
        heavy = Search(query=Bool(should=clauses, minimum=1))
        with refused("trivium.unsupported.feature"):
            await storage.search([(INDEX, name) for name in names], heavy)


class TestWhatNoDocumentHolds:
    @pytest.mark.parametrize(
        "query",
        [
            Terms("free", ("x",)),
            Range("free", gt="a"),
            Exists("free"),
            GeoDistance("spot", 0, 0, 1e9),
            Bool(should=(Exists("num"),), minimum=2),
        ],
    )
    async def test_matches_nothing(self, storage: SqliteStorage, query: Query) -> None:
        await put(storage, "a", {"num": 1})
        assert await ids(storage, query) == []

    async def test_sorts_as_missing(self, storage: SqliteStorage) -> None:
        await put(storage, "b", {"num": 1})
        await put(storage, "a", {"num": 2})
        assert await ids(storage, Exists("num"), Sort("free")) == ["a", "b"]


class TestCircles:
    @pytest.mark.parametrize(
        ("center", "meters", "found"),
        [
            ((0.0, 179.95), 20_000, ["dateline"]),
            ((89.95, 0.0), 30_000, ["pole"]),
            ((45.0, 5.0), 1.0, ["home"]),
            ((0.0, 0.0), 21_000_000, ["dateline", "home", "pole"]),
        ],
    )
    async def test_reach_over_the_edges_of_the_map(
        self, storage: SqliteStorage, center: tuple[float, float], meters: float, found: list[str]
    ) -> None:
        await put(storage, "dateline", {"spot": {"lat": 0, "lon": -179.95}})
        await put(storage, "pole", {"spot": {"lat": 89.9, "lon": 180}})
        await put(storage, "home", {"spot": {"lat": 45, "lon": 5}})
        assert await ids(storage, GeoDistance("spot", *center, meters)) == found


class TestTheUpdateTime:
    """`updatedAt` is a column, not a row of the side table; nobody can tell."""

    async def test_is_searched_and_sorted_by(self, storage: SqliteStorage) -> None:
        for name in ("a", "b"):
            await storage.write(a_write("create", name))
        first = await storage.write(a_write("update", "b"))
        at = first.source["_kuzzle_info"]["updatedAt"]
        assert await ids(storage, Exists(UPDATED)) == ["b"]
        assert await ids(storage, Terms(UPDATED, (at,))) == ["b"]
        assert await ids(storage, Range(UPDATED, gte=at)) == ["b"]
        assert await ids(storage, Range(UPDATED, gt=at)) == []
        assert await ids(storage, Bool(must_not=(Range(UPDATED, gte=0),))) == ["a"]
        assert await ids(storage, Bool(must_not=(Terms(UPDATED, (0,)),))) == ["a", "b"]
        two = Bool(should=(Terms(UPDATED, (at,)), Ids(("a",)), Ids(("a", "b"))), minimum=2)
        assert await ids(storage, two) == ["a", "b"]
        everything = Bool(should=(Ids(("a",)), Ids(("b",))), minimum=1)
        assert await ids(storage, everything, Sort(UPDATED)) == ["b", "a"]
        assert await ids(storage, everything, Sort(UPDATED, missing_first=True)) == ["a", "b"]


class TestBounds:
    async def test_a_search_that_takes_too_long_is_refused(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path / "slow", search_timeout_s=0.0001)
        await storage.bulk([a_write("create", str(n), {"num": n}) for n in range(5_000)])
        heavy = Search(query=Exists("num"), sort=(Sort("num", descending=True),))
        with pytest.raises(RouterError, match="longer than") as caught:
            await storage.search([TARGET], heavy)
        assert caught.value.id == "services.storage.unexpected_error"
        assert (await storage.get(INDEX, COLLECTION, "7")).source["num"] == 7
        await storage.close()

    async def test_aggregations_that_take_too_long_are_refused(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path / "slow", search_timeout_s=0.5)
        await storage.bulk([a_write("create", str(n), {"num": n}) for n in range(5_000)])
        filters = Filters(tuple((str(n), Exists("num")) for n in range(5_000)), "named")
        for heavy in (
            tuple(Aggregation(str(n), Percentiles("num")) for n in range(5_000)),
            (Aggregation("f", filters),),
        ):
            with pytest.raises(RouterError, match="longer than"):
                await storage.search([TARGET], Search(aggregations=heavy))
        await storage.close()

    async def test_too_many_searches_are_refused(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path / "busy", searches_waiting=2)
        searches = [storage.count([TARGET], Search()) for _ in range(5)]
        outcomes = await asyncio.gather(*searches, return_exceptions=True)
        assert outcomes[:2] == [0, 0]
        assert {getattr(each, "id", None) for each in outcomes[2:]} == {"api.process.overloaded"}
        assert await storage.count([TARGET], Search()) == 0
        await storage.close()

    async def test_a_search_whose_owner_gave_up_lets_the_next_one_in(
        self, storage: SqliteStorage
    ) -> None:
        given_up = asyncio.ensure_future(storage.count([TARGET], Search()))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await storage.count([TARGET], Search()) == 0

    async def test_a_search_that_a_collection_did_not_wait_for_says_that_it_is_gone(
        self, lane: SqliteStorage
    ) -> None:
        await put(lane, "a", {"num": 1})
        is_deleted = threading.Event()
        lane._searches._threads.submit(is_deleted.wait, 30)
        search = asyncio.ensure_future(lane.search([TARGET], Search()))
        count = asyncio.ensure_future(lane.count([TARGET], Search()))
        await asyncio.sleep(0)
        await lane.delete_collection(INDEX, COLLECTION)
        is_deleted.set()
        for late in (search, count):
            with refused("services.storage.unknown_collection", INDEX, COLLECTION):
                await late

    async def test_no_document_holds_half_a_character(self, storage: SqliteStorage) -> None:
        await put(storage, "a", {"key": "x"})
        half = "\ud83d"
        for query in (Terms("key", (half,)), Terms("key", (half,) * 40), Ids((half,))):
            with refused("services.storage.unexpected_bad_request"):
                await storage.count([TARGET], Search(query=query))

    async def test_too_many_collections_are_refused(self, storage: SqliteStorage) -> None:
        names = [f"c{n}" for n in range(MAX_TARGETS + 1)]
        for name in names[:3]:
            await storage.create_collection(INDEX, name)
        assert await storage.count([(INDEX, name) for name in names[:3]], Search()) == 0
        collections = [storage._ledger.catalog.find(INDEX, names[0])] * (MAX_TARGETS + 1)
        with refused("trivium.unsupported.feature"):
            await storage._searches.count(collections, Search())


async def test_sets_within_sets_are_more_than_one_union_takes(storage: SqliteStorage) -> None:
    await storage.write(a_write("create", "one", {"num": 599}))
    leaves = [Terms("num", (n,)) for n in range(600)]
    few = [Bool(should=tuple(leaves[at : at + 60]), minimum=1) for at in range(0, 600, 60)]
    assert await ids(storage, Bool(should=tuple(few), minimum=1)) == ["one"]
    assert await ids(storage, Bool(must_not=(Bool(should=tuple(few), minimum=1),))) == []


class Held:
    """Searches that go on until they are let go."""

    def __init__(self, storage: SqliteStorage, count: int = 1) -> None:
        self._all_there = threading.Barrier(count + 1)
        self._go_on = threading.Event()
        self._runs = [
            asyncio.ensure_future(storage._searches.run(self._hold)) for _ in range(count)
        ]

    async def begin(self) -> None:
        """Return once all of them run."""
        await asyncio.to_thread(self._all_there.wait, BOUND_S)

    async def end(self) -> None:
        """Let them go."""
        self._go_on.set()
        await asyncio.gather(*self._runs)

    def _hold(self) -> None:
        self._all_there.wait(BOUND_S)
        assert self._go_on.wait(BOUND_S)


async def test_what_is_truncated_under_a_search_is_searched_anew(lane: SqliteStorage) -> None:
    await lane.write(a_write("create", "old", {"key": "a"}))
    held = Held(lane)
    await held.begin()
    asked = [asyncio.ensure_future(lane.search([TARGET], Search())) for _ in range(2)]
    await asyncio.sleep(0)
    await lane.truncate(INDEX, COLLECTION)
    await lane.write(a_write("create", "new", {"key": "a"}))
    await held.end()
    for each in asked:
        assert [hit.id for hit in (await each).hits] == ["new"]


async def test_a_quick_search_answers_beside_slow_ones(tmp_path: Path) -> None:
    storage = await opened(tmp_path / "pool", searches_at_once=3)
    held = Held(storage, 2)
    await held.begin()
    # What was written since the others began is seen: each looks at a moment of its own.
    await put(storage, "a", {"num": 1})
    for _ in range(3):
        found = storage.search([TARGET], Search(query=Terms("num", (1,))))
        assert (await asyncio.wait_for(found, BOUND_S)).total == 1
    await held.end()
    await storage.close()


async def test_no_more_run_at_once_than_are_set(tmp_path: Path) -> None:
    storage = await opened(tmp_path / "pool", searches_at_once=2)
    held = Held(storage, 2)
    await held.begin()
    late = asyncio.ensure_future(storage.count([TARGET], Search()))
    await put(storage, "a", {"num": 1})
    assert not late.done()
    assert len(storage._searches._opened) == 2
    await held.end()
    assert await asyncio.wait_for(late, BOUND_S) == 1
    await storage.close()


async def test_a_slow_one_is_ended_and_its_neighbours_are_not(tmp_path: Path) -> None:
    storage = await opened(tmp_path / "pool", searches_at_once=2, search_timeout_s=1)
    endless = (
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    )
    searches = storage._searches
    slow = asyncio.ensure_future(searches.run(lambda: searches._connection.execute(endless).get))
    while not slow.done():
        assert await storage.count([TARGET], Search()) == 0
    with pytest.raises(RouterError, match="longer than 1 s"):
        await slow
    assert await storage.count([TARGET], Search()) == 0
    await storage.close()


async def test_what_is_truncated_under_a_read_has_no_documents(storage: SqliteStorage) -> None:
    await storage.write(a_write("create", "old", {"key": "a"}))
    before = storage._ledger.catalog.find(INDEX, COLLECTION)
    await storage.truncate(INDEX, COLLECTION)
    # As whoever asks in the moment in which the writer has committed and not told yet.
    assert storage._reader.mget(before, ["old"]) == [None]
