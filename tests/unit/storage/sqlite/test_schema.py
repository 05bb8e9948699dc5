"""Schema numbers: new stores, older ones upgraded after a copy, newer and foreign ones refused."""

from __future__ import annotations

from pathlib import Path

import apsw
import orjson
import pytest

from router.settings import StorageSettings
from storage.contract import StoreOpenError
from storage.query import Match, Nested, Search, Terms
from storage.sqlite import schema
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, a_write

MAPPING = {"properties": {"size": {"type": "integer"}}}


def make_schema_1(folder: Path) -> None:
    """A store as schema 1 had it: a document written twice, one deleted, without any chain."""
    connection = apsw.Connection(str(folder / FILE_NAME))
    schema.upgrade(connection, 0, 1)
    connection.execute("INSERT INTO indexes VALUES (?)", (INDEX,))
    connection.execute(
        "INSERT INTO collections (index_name, name, mapping) VALUES (?, ?, ?)",
        (INDEX, COLLECTION, orjson.dumps(MAPPING)),
    )
    connection.execute(
        """
        CREATE TABLE documents_1 (
            doc INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
            updated_ms INTEGER, source BLOB NOT NULL);
        CREATE TABLE values_1 (
            field INTEGER NOT NULL, value NOT NULL, doc INTEGER NOT NULL,
            PRIMARY KEY (field, value, doc)) WITHOUT ROWID;
        CREATE TABLE places_1 (
            field INTEGER NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL, doc INTEGER NOT NULL,
            PRIMARY KEY (field, lat, lon, doc)) WITHOUT ROWID;
        INSERT INTO fields VALUES (1, 1, 'size');
        INSERT INTO documents_1 VALUES (1, 'kept', 2, NULL, '{"size":7}');
        INSERT INTO values_1 VALUES (1, 7, 1);
        INSERT INTO tombstones VALUES (1, 'gone', 2);
        """
    )
    connection.executemany(
        "INSERT INTO changes VALUES"
        " (?, 1, ?, ?, ?, unixepoch() * 1000, 0, NULL, '', 'mqtt', ?, NULL, NULL)",
        [
            (1, "kept", 1, 0, b'{"size":1}'),
            (2, "gone", 1, 0, b'{"size":2}'),
            (3, "kept", 2, 1, b'{"size":7}'),
            (4, "gone", 2, 5, None),
        ],
    )
    connection.close()


def number_of(path: Path) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.pragma("user_version")
    finally:
        connection.close()


async def opened(folder: Path) -> SqliteStorage:
    storage = SqliteStorage(StorageSettings(data=folder))
    await storage.open()
    return storage


class TestANewStore:
    async def test_has_the_current_schema_and_our_mark(self, tmp_path: Path) -> None:
        await (await opened(tmp_path)).close()
        assert number_of(tmp_path / FILE_NAME) == schema.CURRENT
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        assert connection.pragma("application_id") == schema.APPLICATION_ID
        connection.close()

    async def test_makes_no_backup_when_opened_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            await (await opened(tmp_path)).close()
        assert not list(tmp_path.glob("*.schema-*"))


class TestAnOlderStore:
    async def test_is_upgraded_with_all_it_holds(self, tmp_path: Path) -> None:
        make_schema_1(tmp_path)
        storage = await opened(tmp_path)
        assert (await storage.get(INDEX, COLLECTION, "kept")).source == {"size": 7}
        assert await storage.count([(INDEX, COLLECTION)], Search(query=Terms("size", (7,)))) == 1
        written = await storage.write(a_write("update", "kept", {"size": 8}))
        reborn = await storage.write(a_write("create", "gone", {"size": 9}))
        assert (written.version, reborn.version) == (3, 3)
        assert [change.seq for change in await storage.changes(0)] == [1, 2, 3, 4, 5, 6]
        await storage.close()
        assert number_of(tmp_path / FILE_NAME) == schema.CURRENT

    async def test_chains_the_changes_it_has(self, tmp_path: Path) -> None:
        make_schema_1(tmp_path)
        await (await opened(tmp_path)).close()
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        chained = connection.execute("SELECT seq, previous FROM changes ORDER BY seq").fetchall()
        assert chained == [(1, 0), (2, 0), (3, 1), (4, 2)]
        assert connection.execute("SELECT seq FROM documents_1").fetchall() == [(3,)]
        assert connection.execute("SELECT seq FROM tombstones").fetchall() == [(4,)]
        connection.close()

    async def test_is_copied_beside_itself_first(self, tmp_path: Path) -> None:
        make_schema_1(tmp_path)
        await (await opened(tmp_path)).close()
        backup = tmp_path / f"{FILE_NAME}.schema-1"
        assert number_of(backup) == 1
        connection = apsw.Connection(str(backup))
        assert connection.execute("SELECT count(*) FROM changes").get == 4
        connection.close()

    async def test_stays_as_it_was_when_a_step_fails(self, tmp_path: Path) -> None:
        make_schema_1(tmp_path)
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        connection.execute("DROP TABLE documents_1")  # the step will miss it
        connection.close()
        with pytest.raises(StoreOpenError, match="damaged"):
            await opened(tmp_path)
        assert number_of(tmp_path / FILE_NAME) == 1


class TestSchema3:
    async def test_finds_by_nested_objects_afterwards(self, tmp_path: Path) -> None:
        parts = {"type": "nested", "properties": {"k": {"type": "keyword"}}}
        storage = await opened(tmp_path)
        await storage.create_collection(INDEX, COLLECTION, {"properties": {"parts": parts}})
        await storage.write(a_write("create", "a", {"parts": [{"k": "x"}, {"k": "y"}]}))
        await storage.close()
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        connection.execute("DELETE FROM values_1 WHERE field IN (SELECT number FROM fields)")
        connection.execute("DELETE FROM fields WHERE path = 'parts'")
        connection.execute("ALTER TABLE changes DROP COLUMN notes")
        connection.pragma("user_version", 3)
        connection.close()
        storage = await opened(tmp_path)
        search = Search(query=Nested("parts", Terms("parts.k", ("y",))))
        assert await storage.count([(INDEX, COLLECTION)], search) == 1
        await storage.write(a_write("update", "a", {"parts": [{"k": "x"}]}))
        assert await storage.count([(INDEX, COLLECTION)], search) == 0
        await storage.close()


class TestSchema5:
    async def test_finds_by_words_afterwards(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path)
        await storage.create_collection(INDEX, COLLECTION, {"properties": {"t": {"type": "text"}}})
        await storage.write(a_write("create", "a", {"t": ["Quick fox", "brown dog"]}))
        await storage.write(a_write("create", "b", {"t": "a slow fox"}))
        await storage.close()
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        connection.execute("DROP TABLE spelling_1; DROP TABLE words_1")
        connection.pragma("user_version", 5)
        connection.close()
        storage = await opened(tmp_path)
        targets = [(INDEX, COLLECTION)]
        quick = Search(query=Match(field="t", value="QUICK fox", how="phrase"))
        assert await storage.count(targets, quick) == 1
        await storage.write(a_write("update", "a", {"t": ["brown dog"]}))
        assert await storage.count(targets, quick) == 0
        dog = Search(query=Match(field="t", value="dog fox", how="words"))
        assert await storage.count(targets, dog) == 2
        await storage.close()


class TestWhatIsRefused:
    async def test_a_newer_store_by_its_number(self, tmp_path: Path) -> None:
        await (await opened(tmp_path)).close()
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        connection.pragma("user_version", schema.CURRENT + 1)
        connection.close()
        with pytest.raises(StoreOpenError, match=f"has schema {schema.CURRENT + 1}"):
            await opened(tmp_path)

    async def test_a_database_of_another_program(self, tmp_path: Path) -> None:
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        connection.execute("CREATE TABLE theirs (a)")
        connection.close()
        with pytest.raises(StoreOpenError, match="another program"):
            await opened(tmp_path)
