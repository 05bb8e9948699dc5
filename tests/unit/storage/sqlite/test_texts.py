"""The index of words of the embedded store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from router.settings import StorageSettings
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, a_write, found, put

# Eleven fields, so that one's number begins with another's.
FIELDS = ["note", *(f"t{number}" for number in range(10))]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(StorageSettings(data=tmp_path))
    await storage.open()
    properties: Any = {name: {"type": "text"} for name in FIELDS}
    await storage.create_collection(INDEX, COLLECTION, {"properties": properties})
    yield storage
    await storage.close()


async def ids(storage: SqliteStorage, query: Any) -> str:
    return "".join(await found(storage, {"query": query}))


async def test_each_field_has_its_own_words(storage: SqliteStorage) -> None:
    await put(storage, "a", {name: f"word{at} same" for at, name in enumerate(FIELDS)})
    await put(storage, "b", {"t9": "word0"})
    assert await ids(storage, {"match": {"note": "word0"}}) == "a"
    assert await ids(storage, {"match": {"t9": "word0"}}) == "b"
    assert await ids(storage, {"prefix": {"t9": "wor"}}) == "ab"
    assert await ids(storage, {"range": {"note": {"gte": "t"}}}) == "a"
    assert await ids(storage, {"range": {"note": {"gt": "word0"}}}) == ""
    assert await ids(storage, {"wildcard": {"note": "*"}}) == "a"


async def test_no_phrase_reaches_from_one_text_into_the_next(storage: SqliteStorage) -> None:
    await put(storage, "a", {"note": ["one two", "three four", "!!"]})
    await put(storage, "b", {"note": "two three"})
    assert await ids(storage, {"match_phrase": {"note": "two three"}}) == "b"
    assert await ids(storage, {"match_phrase": {"note": "three four"}}) == "a"
    assert await ids(storage, {"match_phrase_prefix": {"note": "two th"}}) == "b"
    for nothing in ({"term": {"note": ""}}, {"regexp": {"note": ""}}, {"wildcard": {"note": ""}}):
        assert await ids(storage, nothing) == "", nothing


async def test_what_no_word_can_be_is_not_found(storage: SqliteStorage) -> None:
    await put(storage, "a", {"note": "hello world it's 1.5"})
    for text in ("Hello", "hello w", "hello world", 'h"', "h\0", "\ud800", "hello*", '" OR "'):
        assert await ids(storage, {"term": {"note": text}}) == "", text
        assert await ids(storage, {"prefix": {"note": text}}) == "", text
    assert await ids(storage, {"terms": {"note": ["it's", "\ud800"]}}) == "a"
    many = [f"w{number}" for number in range(200)]
    assert await ids(storage, {"terms": {"note": many}}) == ""
    assert await ids(storage, {"terms": {"note": [*many, "1.5"]}}) == "a"
    assert await ids(storage, {"range": {"note": {"lt": "2"}}}) == "a"


async def test_an_update_moves_one_text_of_several(storage: SqliteStorage) -> None:
    await put(storage, "a", {"note": ["same one", "same two"], "t1": "kept"})
    await storage.write(a_write("update", "a", {"note": ["same one", "three"]}))
    assert await ids(storage, {"match": {"note": "same"}}) == "a"
    assert await ids(storage, {"match": {"note": "two"}}) == ""
    assert await ids(storage, {"match": {"note": "three"}}) == "a"
    await storage.write(a_write("update", "a", {"note": None}))
    assert await ids(storage, {"match": {"note": "same three"}}) == ""
    assert await ids(storage, {"match": {"t1": "kept"}}) == "a"
    await storage.write(a_write("delete", "a"))
    await put(storage, "a", {"note": "anew"})
    assert await ids(storage, {"match": {"t1": "kept"}}) == ""
    assert await ids(storage, {"match": {"note": "anew"}}) == "a"


async def test_writes_of_one_transaction_leave_the_last_text(storage: SqliteStorage) -> None:
    texts = ["one", "two", "three"]
    await storage.bulk([a_write("create_or_replace", "a", {"note": each}) for each in texts])
    assert [await ids(storage, {"match": {"note": each}}) for each in texts] == ["", "", "a"]


async def test_it_comes_with_the_first_text_and_goes_with_the_collection(
    storage: SqliteStorage, tmp_path: Path
) -> None:
    def tables() -> int:
        connection = apsw.Connection(str(tmp_path / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        sql = "SELECT count(*) FROM sqlite_schema WHERE name IN ('words_1', 'spelling_1')"
        count = connection.execute(sql).get
        connection.close()
        return int(count)

    await put(storage, "a", {"other": "x"})
    assert tables() == 0
    await put(storage, "a", {"note": "x"})
    assert tables() == 2
    await storage.truncate(INDEX, COLLECTION)
    assert tables() == 0


async def test_a_later_mapping_finds_the_words_of_what_is_there(storage: SqliteStorage) -> None:
    await put(storage, "a", {"late": ["Old words", "more"], "note": "here"})
    await storage.update_mapping(INDEX, COLLECTION, {"properties": {"late": {"type": "text"}}})
    assert await ids(storage, {"match_phrase": {"late": "old words"}}) == "a"
    assert await ids(storage, {"match": {"late": "here"}}) == ""
