"""Every engine: a search that is read to its end page by page."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Scroll, Storage
from storage.dsl import read_search
from tests.support.stores import INDEX, TARGET, a_write, put, refused

OTHER = ("tenant-b", "assets")


@pytest.fixture
async def ten(storage: Storage) -> Storage:
    """The storage with ten documents, sizes falling as ids rise."""
    await storage.bulk([a_write("create", f"d{at}", {"size": 9 - at}) for at in range(10)])
    await storage.refresh(*TARGET)
    return storage


async def opened(storage: Storage, body: Any, *targets: tuple[str, str]) -> Scroll:
    search = read_search(body)
    return await storage.scroll(targets or (TARGET,), search, most=1_000, life_s=30)


async def to_the_end(scroll: Scroll) -> list[list[str]]:
    pages = [[hit.id for hit in await scroll.next()]]
    while scroll.remaining:
        pages.append([hit.id for hit in await scroll.next()])
    return pages


async def test_pages_hold_everything_in_order(ten: Storage) -> None:
    scroll = await opened(ten, {"size": 4, "sort": ["size"]})
    pages = await to_the_end(scroll)
    assert pages == [["d9", "d8", "d7", "d6"], ["d5", "d4", "d3", "d2"], ["d1", "d0"]]
    assert scroll.total == 10
    assert await scroll.next() == []
    await scroll.close()


async def test_hits_are_those_of_a_search(ten: Storage) -> None:
    body = {"query": {"range": {"size": {"gte": 8}}}, "_source": "size", "size": 1}
    scroll = await opened(ten, body)
    (first,), (second,) = await scroll.next(), await scroll.next()
    assert (first.index, first.collection, first.id, first.source) == (*TARGET, "d0", {"size": 9})
    assert second.id == "d1"
    assert (scroll.total, scroll.remaining) == (2, 0)
    await scroll.close()


async def test_what_is_written_later_is_not_found(ten: Storage) -> None:
    scroll = await opened(ten, {"size": 4})
    pages = [[hit.id for hit in await scroll.next()]]
    await put(ten, "d05", {"size": 1}, refresh=True)
    await put(ten, "d9", {"size": 1}, refresh=True)
    pages += await to_the_end(scroll)
    assert [each for page in pages for each in page] == [f"d{at}" for at in range(10)]
    await scroll.close()


async def test_what_is_deleted_is_shown_as_it_was_or_left_out_and_not_counted(
    ten: Storage,
) -> None:
    scroll = await opened(ten, {"size": 4})
    read = len(await scroll.next())
    await ten.write(a_write("delete", "d9", refresh=True))
    # Another document may get the number that the deleted one had.
    await put(ten, "z", {"size": 1}, refresh=True)
    read += sum(len(page) for page in await to_the_end(scroll))
    assert read == scroll.total
    assert scroll.total in (9, 10)
    await scroll.close()


async def test_nothing_found_is_one_empty_page(ten: Storage) -> None:
    scroll = await opened(ten, {"query": {"term": {"size": 77}}})
    assert await scroll.next() == []
    assert (scroll.total, scroll.remaining) == (0, 0)
    await scroll.close()


async def test_many_collections_are_read_in_one_order(ten: Storage) -> None:
    await ten.create_collection(*OTHER, {"properties": {"size": {"type": "long"}}})
    for at in range(3):
        await put(ten, f"d{at}", {"size": 4}, index=OTHER[0], refresh=True)
    scroll = await opened(ten, {"size": 2, "sort": [{"size": "desc"}]}, TARGET, OTHER)
    pages = await to_the_end(scroll)
    expected = ["d0", "d1", "d2", "d3", "d4", "d0", "d1", "d2", "d5", "d6", "d7", "d8", "d9"]
    assert [each for page in pages for each in page] == expected
    await scroll.close()


async def test_an_unknown_collection_is_refused(ten: Storage) -> None:
    with refused("services.storage.unknown_collection", INDEX, "none"):
        await opened(ten, {}, (INDEX, "none"))


async def test_a_bad_query_is_refused_when_it_is_opened(ten: Storage) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await opened(ten, {"query": {"term": {"size": "many"}}})
