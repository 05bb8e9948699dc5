"""Several routers on one server: conflicts are real, retries end them, nothing gets lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings
from storage.contract import Storage, Verb, Written, outcome
from storage.dsl import read_search
from tests.support.opensearch_clients import InterruptedClient
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, put, refused

pytestmark = pytest.mark.needs("opensearch")


class Pair:
    """Two routers; `first` can be overtaken.

    What the second wrote last the first has to read; what it wrote itself it knows.
    """

    def __init__(self, first: Storage, second: Storage, client: InterruptedClient) -> None:
        self.first = first
        self.second = second
        self.client = client

    def overtake(self, *verbs: Verb) -> None:
        """Let the second write between the first one's reading and writing."""

        async def overtaking() -> None:
            for verb in verbs:
                await self.second.write(a_write(verb, "one", {"by": "second"}))

        self.client.meanwhile = overtaking


@pytest.fixture
async def pair(open_store: Any) -> Pair:
    clients: list[InterruptedClient] = []

    def connect(settings: OpenSearchSettings) -> InterruptedClient:
        clients.append(InterruptedClient(settings))
        return clients[-1]

    first = await open_store(connect)
    await first.create_collection(*TARGET)
    return Pair(first, await open_store(), clients[0])


async def test_an_update_that_is_overtaken_is_a_conflict(pair: Pair) -> None:
    await put(pair.second, "one", {"kept": 1})
    pair.overtake("update")
    answer = await outcome(pair.first.write(a_write("update", "one", {"by": "first"})))
    document = await pair.first.get(*TARGET, "one")
    assert (document.version, document.source["by"]) == (2, "second")
    # The error tells the document as it is now.
    assert isinstance(answer, RouterError)
    assert answer.id == "services.storage.version_conflict"
    assert answer.props == [*TARGET, "one", 2, document.source]


async def test_a_retry_merges_onto_what_overtook_it(pair: Pair) -> None:
    await put(pair.second, "one", {"kept": 1})
    pair.overtake("update")
    written = await pair.first.write(a_write("update", "one", {"more": 2}, retries=1))
    assert written.version == 3
    assert {k: v for k, v in written.source.items() if k != "_kuzzle_info"} == {
        "kept": 1,
        "by": "second",
        "more": 2,
    }


async def test_having_known_an_older_version_is_no_conflict(pair: Pair) -> None:
    await put(pair.first, "one", {"kept": 1})
    await pair.second.write(a_write("update", "one", {"by": "second"}))
    written = await pair.first.write(a_write("update", "one", {"more": 2}))
    assert (written.version, written.source["by"]) == (3, "second")


@pytest.mark.parametrize("verb", ["replace", "create_or_replace", "delete"])
async def test_what_is_not_a_merge_has_no_conflicts(pair: Pair, verb: Verb) -> None:
    await put(pair.second, "one", {})
    pair.overtake("update")
    await pair.first.write(a_write(verb, "one", {"by": "first"}))
    await pair.second.changes(0)  # which sees to it that its own are in
    versions = [row.version for row in await pair.first.changes(0)]
    assert versions == [1, 2, 3]


async def test_a_document_that_is_created_twice_is_created_once(pair: Pair) -> None:
    pair.overtake("create")
    with refused("services.storage.document_already_exists"):
        await pair.first.write(a_write("create", "one", {"by": "first"}))


async def test_an_update_that_finds_its_document_gone_says_so(pair: Pair) -> None:
    await put(pair.second, "one", {})
    pair.overtake("delete")
    with refused("services.storage.not_found"):
        await pair.first.write(a_write("update", "one", {}, retries=1))


async def test_versions_go_on_over_a_delete_by_another(pair: Pair) -> None:
    await put(pair.second, "one", {})
    pair.overtake("delete", "create", "delete")
    written = await pair.first.write(a_write("upsert", "one", {}, retries=1))
    assert (written.version, written.created) == (5, True)
    assert [row.version for row in await pair.first.changes(0)] == [1, 2, 3, 4, 5]


async def test_with_enough_retries_no_update_is_lost_or_done_twice(pair: Pair) -> None:
    await put(pair.first, "one", {"metadata": {}})

    async def one_by_one(storage: Storage, name: str) -> list[Written]:
        done = []
        for number in range(60):
            change = {"metadata": {f"{name}{number}": number}}
            done.append(await storage.write(a_write("update", "one", change, retries=100)))
        return done

    both = [one_by_one(pair.first, "a"), one_by_one(pair.second, "b")]
    written = [each for done in await asyncio.gather(*both) for each in done]
    assert sorted(each.version for each in written) == list(range(2, 122))
    metadata: Any = (await pair.first.get(*TARGET, "one")).source["metadata"]
    assert len(metadata) == 120
    await pair.first.changes(0)  # which sees to it that its own are in
    assert [row.version for row in await pair.second.changes(0)] == list(range(1, 122))


async def test_what_one_router_makes_the_other_finds(pair: Pair) -> None:
    await pair.first.create_collection(INDEX, "fresh", {"properties": {"a": {"type": "keyword"}}})
    written = await put(pair.second, "one", {"a": "x"}, collection="fresh")
    assert written.version == 1
    body = {"query": {"term": {"a": "x"}}}
    assert await found(pair.second, body, (INDEX, "fresh")) == ["one"]
    assert pair.second.collections(INDEX) == [COLLECTION, "fresh"]


async def test_what_one_adds_to_a_mapping_the_other_searches_by(pair: Pair) -> None:
    await put(pair.first, "one", {"fresh": "x"})
    await pair.first.update_mapping(*TARGET, {"properties": {"fresh": {"type": "keyword"}}})
    await pair.second.refresh(*TARGET)
    search = read_search({"query": {"term": {"fresh": "x"}}})
    ends = asyncio.get_running_loop().time() + 60
    # Counted alone: the second may look between a page and the count of the same search.
    while await pair.second.count((TARGET,), search) != 1:
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.1)
    assert await found(pair.second, {"query": {"term": {"fresh": "x"}}}) == ["one"]


async def test_readers_who_share_an_answer_all_get_the_version(pair: Pair) -> None:
    await put(pair.second, "one", {})
    # Merged into one operation of the server, whose own version then falls behind.
    writes = [a_write("update", "one", {"a": n}, retries=9) for n in range(20)]
    await asyncio.gather(*(pair.second.write(each) for each in writes))
    found = await asyncio.gather(*(pair.first.get(*TARGET, "one") for _ in range(5)))
    assert [each.version for each in found] == [21] * 5
