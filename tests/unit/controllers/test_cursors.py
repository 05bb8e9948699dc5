"""Scrolls: whose they are, how long they live, how many there may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controllers.cursors import Cursors
from router.envelope import Connection, Request, User
from router.errors import RouterError
from router.settings import ScrollSettings
from storage.dsl import read_search
from storage.memory import MemoryStorage
from tests.support.stores import TARGET, a_write, refused
from tests.support.swift_time import in_swift_time

ADA, BOB = User("ada"), User("bob")


class Desk:
    """Opens and reads scrolls of five documents, as users do."""

    def __init__(self, storage: MemoryStorage, **settings: Any) -> None:
        self.cursors = Cursors(storage, ScrollSettings(**settings))

    async def open(
        self, user: User = ADA, *, size: int = 2, life_s: float = 30, **body: Any
    ) -> Any:
        search = read_search({"size": size, **body})
        return await self.cursors.open(a_request(user), [TARGET], search, life_s)

    async def read(self, id: str, user: User = ADA, **arguments: Any) -> Any:
        return await self.cursors.read(a_request(user, scrollId=id, **arguments))


def a_request(user: User, **arguments: Any) -> Request:
    wire = Connection("c1", "websocket")
    return Request(
        controller="document", action="scroll", connection=wire, user=user, args=arguments
    )


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    store = MemoryStorage()
    await store.create_collection(*TARGET)
    await store.bulk([a_write("create", f"d{at}") for at in range(5)])
    yield store
    await store.close()


def ids(page: Any) -> list[str]:
    return [hit["_id"] for hit in page["hits"]]


async def test_pages_follow_each_other_and_tell_what_remains(storage: MemoryStorage) -> None:
    desk = Desk(storage)
    page = await desk.open()
    told = [(ids(page), page["remaining"], page["total"])]
    while page["remaining"]:
        page = await desk.read(page["scrollId"])
        told.append((ids(page), page["remaining"], page["total"]))
    assert told == [(["d0", "d1"], 3, 5), (["d2", "d3"], 1, 5), (["d4"], 0, 5)]


async def test_the_last_page_frees_the_cursor(storage: MemoryStorage) -> None:
    desk = Desk(storage, open_per_user=1)
    page = await desk.open(size=5)
    with refused("services.storage.unknown_scroll_id"):
        await desk.read(page["scrollId"])
    await desk.open()


async def test_nobody_else_reads_a_scroll_or_learns_of_it(storage: MemoryStorage) -> None:
    desk = Desk(storage)
    page = await desk.open(ADA)
    with refused("services.storage.unknown_scroll_id"):
        await desk.read(page["scrollId"], BOB)
    assert ids(await desk.read(page["scrollId"], ADA)) == ["d2", "d3"]


@in_swift_time
async def test_what_is_not_read_in_time_is_forgotten(storage: MemoryStorage) -> None:
    desk = Desk(storage, open_max=1)
    page = await desk.open(life_s=30)
    await asyncio.sleep(29)
    with refused("trivium.search.too_many_scrolls"):
        await desk.open()
    await asyncio.sleep(2)
    with refused("services.storage.unknown_scroll_id"):
        await desk.read(page["scrollId"])
    await desk.open()


@in_swift_time
async def test_reading_keeps_a_scroll_alive(storage: MemoryStorage) -> None:
    desk = Desk(storage)
    page = await desk.open(size=1, life_s=30)
    await asyncio.sleep(29)
    page = await desk.read(page["scrollId"], scroll="1m")
    await asyncio.sleep(59)
    assert ids(await desk.read(page["scrollId"])) == ["d2"]


async def test_two_readers_of_one_scroll_get_different_pages(storage: MemoryStorage) -> None:
    desk = Desk(storage)
    key = (await desk.open(size=1))["scrollId"]
    pages = await asyncio.gather(*(desk.read(key) for _ in range(4)))
    assert sorted(each for page in pages for each in ids(page)) == ["d1", "d2", "d3", "d4"]


async def test_a_user_may_have_so_many_open(storage: MemoryStorage) -> None:
    desk = Desk(storage, open_per_user=2)
    await desk.open()
    await desk.open()
    with refused("trivium.search.too_many_scrolls"):
        await desk.open()
    await desk.open(BOB)


async def test_many_at_once_do_not_pass_the_bound(storage: MemoryStorage) -> None:
    desk = Desk(storage, open_max=3)
    opening = (desk.open(User(f"u{at}")) for at in range(10))
    outcomes = await asyncio.gather(*opening, return_exceptions=True)
    assert sum(isinstance(each, RouterError) for each in outcomes) == 7


async def test_together_they_hold_so_many_documents(storage: MemoryStorage) -> None:
    desk = Desk(storage, documents_max=14)
    await desk.open()  # 5 of at most 7; 3 are left to read
    await desk.open()  # 5 of at most 5; 6 are left to read
    with refused("trivium.search.too_long_a_scroll", 5, 4):
        await desk.open()


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("1m", 60), ("500ms", 0.5), ("2000", 2), ("1.5s", 1.5)]
)
def test_durations(storage: MemoryStorage, text: str, seconds: float) -> None:
    assert Desk(storage).cursors.duration_s(a_request(ADA, scroll=text)) == seconds


@pytest.mark.parametrize("text", ["", "1 year", "-1s", "s", "1e3s", "٣s"])
def test_what_is_no_duration(storage: MemoryStorage, text: str) -> None:
    with refused("api.assert.invalid_argument"):
        Desk(storage).cursors.duration_s(a_request(ADA, scroll=text))


def test_too_long_a_duration(storage: MemoryStorage) -> None:
    with refused("services.storage.scroll_duration_too_great", "61s"):
        Desk(storage).cursors.duration_s(a_request(ADA, scroll="61s"))


async def test_rights_see_where_a_scroll_looks(storage: MemoryStorage) -> None:
    desk = Desk(storage)
    page = await desk.open()
    assert desk.cursors.places(a_request(ADA, scrollId=page["scrollId"])) == [TARGET]
    assert desk.cursors.places(a_request(ADA, scrollId=5)) == ()
