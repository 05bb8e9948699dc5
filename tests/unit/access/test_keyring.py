"""Signing keys: made once, kept from others, rotated without a token being lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
from pathlib import Path

import msgspec
import pytest

from access.key_document import ID, KeyDocument
from access.key_file import KeyFile
from access.keyring import (
    Keyring,
    KeyringError,
    KeySource,
    MemoryKeys,
    first_keyring,
    new_key,
    pack,
    unpack,
)
from access.places import CONFIG, INDEX, MAPPINGS
from router.envelope import JsonObject
from storage.contract import Write
from storage.memory import MemoryStorage


async def document_keys(storage: MemoryStorage) -> KeyDocument:
    await storage.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
    return KeyDocument(storage)


def first_id(path: Path, results: multiprocessing.Queue[str]) -> None:
    results.put(KeyFile(path).read().newest.id)


class TestEverySource:
    @pytest.fixture(params=["file", "document", "memory"])
    async def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> KeySource:
        if request.param == "file":
            return KeyFile(tmp_path / "private" / "keys.json")
        if request.param == "document":
            return await document_keys(MemoryStorage())
        return MemoryKeys()

    async def test_the_first_key_is_made_once(self, source: KeySource) -> None:
        assert await source.load() == await source.load()
        assert len((await source.load()).keys) == 1

    async def test_a_rotated_key_signs_and_the_old_one_stays(self, source: KeySource) -> None:
        old = (await source.load()).newest
        keyring = await source.rotate()
        assert keyring.newest != old
        assert keyring.find(old.id) == old
        assert await source.load() == keyring

    async def test_an_old_key_can_be_forgotten_the_newest_never(self, source: KeySource) -> None:
        old = (await source.load()).newest
        new = (await source.rotate()).newest
        assert (await source.forget([old.id, new.id])).keys == (new,)
        assert (await source.load()).keys == (new,)


class TestFile:
    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "keys.json"
        before = os.umask(0)
        try:
            KeyFile(path).read()
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [file.name for file in path.parent.iterdir()] == ["keys.json"]

    def test_programs_that_start_at_once_get_the_same_key(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        results: multiprocessing.Queue[str] = context.Queue()
        path = tmp_path / "keys.json"
        starts = [context.Process(target=first_id, args=(path, results)) for _ in range(6)]
        for start in starts:
            start.start()
        found = {results.get(timeout=30) for _ in starts}
        for start in starts:
            start.join(30)
        assert found == {KeyFile(path).read().newest.id}

    async def test_a_rotation_by_another_program_is_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "keys.json"
        here = KeyFile(path)
        old = (await here.load()).newest
        rotated = await KeyFile(path).rotate()
        assert await here.load() == rotated
        assert (await here.load()).find(old.id) == old

    async def test_rotations_at_once_lose_no_key(self, tmp_path: Path) -> None:
        path = tmp_path / "keys.json"
        await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, KeyFile(path).rotate()) for _ in range(8))
        )
        assert len(KeyFile(path).read().keys) == 9

    async def test_keys_of_another_router_are_adopted(self, tmp_path: Path) -> None:
        there = KeyFile(tmp_path / "there" / "keys.json")
        brought = await KeyFile(tmp_path / "keys.json").rotate()
        for _ in range(2):
            there.adopt(brought)
            assert await there.load() == brought
        assert stat.S_IMODE(there.path.stat().st_mode) == 0o600
        own = (await there.rotate()).newest
        there.adopt(brought)
        assert (await there.load()).keys == (*brought.keys, own)

    async def test_adopted_keys_that_are_older_do_not_sign(self, tmp_path: Path) -> None:
        here = KeyFile(tmp_path / "keys.json")
        own = (await here.rotate()).keys
        older = msgspec.structs.replace(new_key(), made_at_ms=own[0].made_at_ms - 1)
        brought = Keyring((older,))
        here.adopt(brought)
        assert (await here.load()).keys == (brought.newest, *own)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": {}}', b"\xff" * 20])
    def test_a_file_that_holds_something_else_is_named(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "keys.json"
        path.write_bytes(content)
        with pytest.raises(KeyringError, match=r"keys\.json can't be used"):
            KeyFile(path).read()

    def test_a_folder_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(KeyringError, match="file"):
            KeyFile(tmp_path / "file" / "keys.json").read()


class TestDocument:
    async def test_routers_of_one_store_share_the_key(self) -> None:
        storage = MemoryStorage()
        await document_keys(storage)
        routers = [KeyDocument(storage) for _ in range(5)]
        found = await asyncio.gather(*(router.load() for router in routers))
        assert len({keyring.newest.id for keyring in found}) == 1

    async def test_a_rotation_by_another_router_is_seen_a_second_later(self) -> None:
        storage, now = MemoryStorage(), [0.0]
        other = await document_keys(storage)
        here = KeyDocument(storage, lambda: now[0])
        await here.load()
        rotated = await other.rotate()
        now[0] += 1.1
        assert await here.load() == rotated

    async def test_what_one_router_forgets_undoes_no_rotation_of_another(self) -> None:
        storage, now = MemoryStorage(), [0.0]
        other = await document_keys(storage)
        here = KeyDocument(storage, lambda: now[0])
        old = (await here.load()).newest
        first = (await other.rotate()).newest
        second = (await other.rotate()).newest
        assert (await here.forget([old.id])).keys == (first, second)

    async def test_a_broken_document_is_named(self) -> None:
        storage = MemoryStorage()
        keys = await document_keys(storage)
        broken: JsonObject = {"keys": {"a": "b"}}
        await storage.write(
            Write(verb="create", index=INDEX, collection=CONFIG, id=ID, content=broken)
        )
        with pytest.raises(KeyringError, match="private store"):
            await keys.load()


def test_what_is_packed_comes_back() -> None:
    keyring = first_keyring().rotated().rotated()
    assert unpack(pack(keyring)) == keyring


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"keys": {"a": None}},
        {"keys": {"a": {"secret": "c2hvcnQ=", "madeAt": 1}}},
        {"keys": {"a": {"secret": "no base64", "madeAt": 1}}},
    ],
)
def test_what_is_no_keyring_is_refused(content: object) -> None:
    with pytest.raises(KeyringError):
        unpack(content)


def test_a_secret_is_not_shown() -> None:
    key = first_keyring().newest
    assert repr(key) == f"<Key {key.id}>"
    assert str(key.secret) not in repr(first_keyring())
