"""Every engine: what each kind of write does to a document, and what it answers."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest

from storage.contract import Author, Storage, Verb
from storage.query import Search
from storage.undo import undone
from tests.support.stores import TARGET, a_write, found, put, refused

WRITES: list[Verb] = ["create", "update", "upsert", "replace", "create_or_replace"]


def body(source: Any) -> Any:
    return {key: value for key, value in source.items() if key != "_kuzzle_info"}


class TestEachVerb:
    async def test_create_answers_the_document(self, storage: Storage) -> None:
        written = await storage.write(a_write("create", "one", {"size": 1}))
        assert (written.id, written.version, written.created) == ("one", 1, True)
        assert written.previous is None
        assert body(written.source) == {"size": 1}

    @pytest.mark.parametrize("verb", WRITES)
    async def test_what_is_injected_lies_over_the_stamp(self, storage: Storage, verb: Verb) -> None:
        if verb != "create":
            await put(storage, "one", {"size": 1})
        injected = ({"updater": "eve", "there": True}, {"author": "eve", "new": {"a": 1}})
        written = await storage.write(a_write(verb, "one", {"size": 2}, injected=injected))
        info: Any = written.source["_kuzzle_info"]
        assert isinstance(info["createdAt"], int)
        expected = injected[1 if verb == "create" else 0]
        assert {**info, **expected} == info
        assert (await storage.get(*TARGET, "one")).source == written.source
        # What comes later goes on from it.
        later = await storage.write(a_write("update", "one", {"size": 3}))
        stamp: Any = later.source["_kuzzle_info"]
        assert stamp.keys() == info.keys()
        row = (await storage.changes(0))[-1]
        assert row.changes == {"size": 3, "_kuzzle_info": stamp}
        assert undone(later.source, row.undo) == written.source  # type: ignore[arg-type]

    async def test_create_refuses_an_id_that_is_taken(self, storage: Storage) -> None:
        await put(storage, "one", {"size": 1})
        with refused("services.storage.document_already_exists"):
            await storage.write(a_write("create", "one", {"size": 2}))
        assert body((await storage.get(*TARGET, "one")).source) == {"size": 1}

    async def test_update_merges_and_answers_the_whole(self, storage: Storage) -> None:
        before = await put(storage, "one", {"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 1})
        written = await storage.write(a_write("update", "one", {"a": {"y": None}, "b": [3]}))
        assert body(written.source) == {"a": {"x": 1, "y": None}, "b": [3], "c": 1}
        assert written.previous == before.source
        assert (written.version, written.created) == (2, False)

    async def test_update_and_replace_refuse_what_is_not_there(self, storage: Storage) -> None:
        for verb in ("update", "replace", "delete"):
            with refused("services.storage.not_found", "one", *TARGET):
                await storage.write(a_write(verb, "one"))

    async def test_an_update_of_equal_content_counts(self, storage: Storage) -> None:
        await put(storage, "one", {"size": 1})
        versions = [
            (await storage.write(a_write("update", "one", change))).version
            for change in ({}, {"size": 1}, {"size": 1})
        ]
        assert versions == [2, 3, 4]

    async def test_replace_drops_what_is_not_said_again(self, storage: Storage) -> None:
        before = await put(storage, "one", {"size": 1, "model": "M"})
        written = await storage.write(a_write("replace", "one", {"size": 2}))
        assert body(written.source) == {"size": 2}
        assert written.previous == before.source
        assert not written.created

    async def test_create_or_replace_does_either(self, storage: Storage) -> None:
        first = await put(storage, "one", {"size": 1})
        second = await put(storage, "one", {"model": "M"})
        assert (first.created, second.created) == (True, False)
        assert (first.previous, second.previous) == (None, first.source)
        assert body(second.source) == {"model": "M"}
        assert second.version == 2

    async def test_upsert_creates_from_its_default(self, storage: Storage) -> None:
        write = a_write("upsert", "one", {"size": 1}, default={"size": 9, "model": "M"})
        created = await storage.write(write)
        assert created.created
        assert body(created.source) == {"size": 1, "model": "M"}
        again = await storage.write(a_write("upsert", "one", {"size": 2}, default={"live": True}))
        assert not again.created
        assert body(again.source) == {"size": 2, "model": "M"}
        assert again.previous == created.source

    async def test_delete_answers_the_document_before(self, storage: Storage) -> None:
        before = await put(storage, "one", {"size": 1})
        written = await storage.write(a_write("delete", "one"))
        assert written.source == before.source
        assert written.previous == before.source
        with refused("services.storage.not_found", "one", *TARGET):
            await storage.get(*TARGET, "one")
        assert await found(storage) == []
        assert await found(storage, {"query": {"exists": {"field": "size"}}}) == []

    async def test_versions_go_on_over_a_delete(self, storage: Storage) -> None:
        await put(storage, "one", {})
        await put(storage, "one", {})
        await storage.write(a_write("delete", "one"))
        again = await storage.write(a_write("create", "one", {}))
        assert again.version == 4
        assert again.created

    async def test_what_is_refused_leaves_no_trace(self, storage: Storage) -> None:
        await put(storage, "one", {"size": 1})
        with refused("services.storage.unexpected_bad_request"):
            await storage.write(a_write("update", "one", {"size": "many", "model": "M"}))
        document = await storage.get(*TARGET, "one")
        assert (document.version, body(document.source)) == (1, {"size": 1})
        assert await found(storage, {"query": {"term": {"model": "M"}}}) == []
        assert len(await storage.changes(0)) == 1

    @pytest.mark.parametrize("content", [{"n": 2**64}, {"n": "\ud800"}, {"\ud800": 1}])
    async def test_what_json_cannot_hold_is_refused(self, storage: Storage, content: Any) -> None:
        with refused("services.storage.unexpected_bad_request"):
            await put(storage, "one", content)
        assert await storage.mget(*TARGET, ["one"]) == [None]

    @pytest.mark.parametrize("key", ["loose", "tags", "metadata"])
    @pytest.mark.parametrize("is_list", [True, False])
    async def test_what_is_too_deep_is_refused(
        self, storage: Storage, key: str, is_list: bool
    ) -> None:
        await storage.update_mapping(*TARGET, {"dynamic": "true"})
        value: Any = "x"
        for _ in range(5_000):
            value = [value] if is_list else {"metadata": value}
        await put(storage, "one", {})
        for verb in ("update", "create_or_replace"):
            with refused("services.storage.unexpected_bad_request"):
                await storage.write(a_write(verb, "one", {key: value}))
        assert (await put(storage, "one", {})).version == 2

    @pytest.mark.parametrize("id", ["x" * 513, "\ud800"])
    async def test_an_id_that_cannot_be_stored_is_refused(self, storage: Storage, id: str) -> None:
        with refused("services.storage.unexpected_bad_request"):
            await put(storage, id, {})

    @pytest.mark.parametrize("id", ["_x", "a b", "é", "a/b", "'; --", "%", "x" * 512, "\x00"])
    async def test_any_other_id_is_just_an_id(self, storage: Storage, id: str) -> None:
        await put(storage, id, {"size": 1})
        assert (await storage.get(*TARGET, id)).id == id
        assert await found(storage, {"query": {"ids": {"values": [id]}}}) == [id]

    async def test_contents_come_back_as_they_went_in(self, storage: Storage) -> None:
        content = {
            "": None,
            "a.b": {"c": []},
            "big": [2**63 - 1, -(2**63), 0.1, 1e308, -0.0],
            "text": 'é\n\x00"\\ \U0001f600',
            "deep": {"a": [[{"b": [None, True, False]}]]},
            "__proto__": 1,
        }
        await put(storage, "one", content)
        assert body((await storage.get(*TARGET, "one")).source) == content


class TestDeleteFields:
    async def test_it_takes_out_what_is_there(self, storage: Storage) -> None:
        before = await put(
            storage, "one", {"a": {"x": 1, "y": {"z": 2}}, "b": [{"c": 1}], "d.e": 1}
        )
        fields = ("a.x", "a.y.none", "b.c", "d.e", "none", "")
        written = await storage.write(a_write("delete_fields", "one", fields=fields))
        assert body(written.source) == {"a": {"y": {"z": 2}}, "b": [{"c": 1}]}
        assert (written.version, written.previous) == (2, before.source)
        assert (await storage.get(*TARGET, "one")).source == written.source

    async def test_searches_find_it_no_longer(self, storage: Storage) -> None:
        await put(storage, "one", {"size": 1, "model": "M"}, refresh=True)
        await storage.write(a_write("delete_fields", "one", fields=("size",)))
        assert await found(storage, {"query": {"exists": {"field": "size"}}}) == []
        assert await found(storage, {"query": {"term": {"model": "M"}}}) == ["one"]

    async def test_the_stamp_stays_and_is_renewed(self, storage: Storage) -> None:
        await put(storage, "one", {})
        fields = ("_kuzzle_info", "_kuzzle_info.author")
        eve = Author(id="eve")
        write = a_write("delete_fields", "one", fields=fields, author=eve)
        info: Any = (await storage.write(write)).source["_kuzzle_info"]
        assert (info["author"], info["updater"]) == ("ada", "eve")

    async def test_what_is_not_there_is_refused(self, storage: Storage) -> None:
        with refused("services.storage.not_found", "one", *TARGET):
            await storage.write(a_write("delete_fields", "one", fields=("a",)))


class TestStamping:
    """Kuzzle reference, 4.1 and 3.3."""

    @pytest.mark.parametrize("verb", ["create_or_replace", "replace"])
    async def test_anew_is_stamped_as_a_create(self, storage: Storage, verb: Verb) -> None:
        await put(storage, "one", {})
        written = await storage.write(a_write(verb, "one", {}, stamping="anew"))
        info: Any = written.source["_kuzzle_info"]
        assert (info["author"], info["updater"], info["updatedAt"]) == ("ada", None, None)

    @pytest.mark.parametrize("info", [{"author": "me", "updatedAt": "2026-01-31T10:00:00Z"}, {}])
    async def test_kept_stores_the_stamp_given(self, storage: Storage, info: Any) -> None:
        content = {"size": 1, "_kuzzle_info": info}
        written = await storage.write(a_write("create_or_replace", "one", content, stamping="kept"))
        assert written.source == content
        assert (await storage.get(*TARGET, "one")).source == content
        bounds = {"gte": 1_769_853_600_000, "lte": 1_769_853_600_000}
        dated = await found(storage, {"query": {"range": {"_kuzzle_info.updatedAt": bounds}}})
        assert dated == (["one"] if info else [])

    async def test_kept_stores_none_where_none_is_given(self, storage: Storage) -> None:
        written = await storage.write(a_write("create", "one", {"size": 1}, stamping="kept"))
        assert written.source == {"size": 1}
        written = await storage.write(a_write("update", "one", {"size": 2}, stamping="kept"))
        assert written.source == {"size": 2}
        assert [row.changes for row in await storage.changes(0)] == [{"size": 1}, {"size": 2}]
        signed = await storage.write(a_write("update", "one", {"size": 3}))
        assert set(signed.source["_kuzzle_info"]) == {"updatedAt", "updater"}  # type: ignore[arg-type]

    async def test_kept_leaves_the_stamp_that_is_there(self, storage: Storage) -> None:
        before = await put(storage, "one", {"size": 1})
        written = await storage.write(a_write("update", "one", {"size": 2}, stamping="kept"))
        assert written.source == {**before.source, "size": 2}

    @pytest.mark.parametrize("info", ["x", {"createdAt": "soon"}])
    async def test_a_stamp_against_the_mapping_is_refused(
        self, storage: Storage, info: Any
    ) -> None:
        content = {"_kuzzle_info": info}
        with refused("services.storage.unexpected_bad_request"):
            await storage.write(a_write("create", "one", content, stamping="kept"))


class TestStamp:
    """Kuzzle reference, table of `_kuzzle_info`."""

    async def test_an_update_keeps_the_author(self, storage: Storage) -> None:
        earliest = storage.now_ms()
        born = await storage.write(a_write("create", "one", {}))
        written = await storage.write(a_write("update", "one", {}, author=Author(id="eve")))
        info: Any = written.source["_kuzzle_info"]
        first: Any = born.source["_kuzzle_info"]
        assert first == {
            "author": "ada",
            "createdAt": first["createdAt"],
            "updatedAt": None,
            "updater": None,
        }
        assert info["author"] == "ada"
        assert info["updater"] == "eve"
        assert earliest <= info["createdAt"] <= info["updatedAt"] <= storage.now_ms()

    async def test_the_router_itself_has_no_id(self, storage: Storage) -> None:
        written = await put(storage, "one", {}, author=Author())
        info: Any = written.source["_kuzzle_info"]
        assert info["author"] is None

    @pytest.mark.parametrize("verb", WRITES)
    async def test_a_forged_stamp_is_dropped(self, storage: Storage, verb: Verb) -> None:
        if verb != "create":
            await put(storage, "one", {})
        forged = {"_kuzzle_info": {"author": "root", "more": 1}}
        written = await storage.write(a_write(verb, "one", forged, default=forged))
        info: Any = written.source["_kuzzle_info"]
        assert info["author"] == "ada"
        assert "more" not in info

    async def test_the_stamp_can_be_searched(self, storage: Storage) -> None:
        await put(storage, "one", {})
        await put(storage, "two", {}, author=Author(id="eve"))
        assert await found(storage, {"query": {"term": {"_kuzzle_info.author": "eve"}}}) == ["two"]


class TestReads:
    async def test_hits_tell_the_version(self, storage: Storage) -> None:
        await put(storage, "one", {})
        await put(storage, "one", {}, refresh=True)
        page = await storage.search([TARGET], Search(source_includes=()))
        assert [(hit.id, hit.version) for hit in page.hits] == [("one", 2)]

    async def test_get_sees_the_last_write(self, storage: Storage) -> None:
        await put(storage, "one", {"size": 1})
        written = await storage.write(a_write("update", "one", {"size": 2}))
        document = await storage.get(*TARGET, "one")
        assert (document.id, document.version) == ("one", 2)
        assert document.source == written.source

    async def test_mget_keeps_the_order_and_the_gaps(self, storage: Storage) -> None:
        await put(storage, "a", {"size": 1})
        await put(storage, "b", {"size": 2})
        documents = await storage.mget(*TARGET, ["b", "none", "a", "b"])
        assert [each and each.id for each in documents] == ["b", None, "a", "b"]
        assert await storage.mget(*TARGET, []) == []

    async def test_mget_of_many(self, storage: Storage) -> None:
        await storage.bulk([a_write("create", f"d{n}", {"size": n}) for n in range(350)])
        ids = [f"d{n}" for n in range(0, 700, 2)]
        documents = await storage.mget(*TARGET, ids)
        assert [each and each.id for each in documents] == ids[:175] + [None] * 175


def scramble(value: Any) -> None:
    for item in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            scramble(item)
    if isinstance(value, dict):
        value["scrambled"] = 1
    else:
        value.append("scrambled")


class TestIsolation:
    """What goes in and what comes out belongs to the caller."""

    CONTENT: ClassVar = {"metadata": {"city": "Paris", "list": [{"x": 1}]}, "kept": {"deep": [1]}}

    @pytest.mark.parametrize("verb", WRITES)
    async def test_a_write_does_not_alter_its_content(self, storage: Storage, verb: Verb) -> None:
        if verb != "create":
            await put(storage, "one", {"metadata": {"floor": 1}})
        content = copy.deepcopy(self.CONTENT)
        await storage.write(a_write(verb, "one", content))
        assert content == self.CONTENT

    async def test_altering_the_content_afterwards_changes_nothing(self, storage: Storage) -> None:
        content = copy.deepcopy(self.CONTENT)
        await put(storage, "one", content)
        scramble(content)
        assert body((await storage.get(*TARGET, "one")).source) == self.CONTENT

    async def test_altering_what_is_read_changes_nothing(self, storage: Storage) -> None:
        await put(storage, "one", self.CONTENT)
        for _ in range(2):  # the second reading may come from a cache
            document = await storage.get(*TARGET, "one")
            assert body(document.source) == self.CONTENT
            scramble(document.source)
            (many,) = await storage.mget(*TARGET, ["one"])
            assert many is not None
            assert body(many.source) == self.CONTENT
            scramble(many.source)

    async def test_altering_what_a_write_answers_changes_nothing(self, storage: Storage) -> None:
        await put(storage, "one", self.CONTENT)
        for size in range(1, 3):
            written = await storage.write(a_write("update", "one", {"size": size}))
            expected = {**self.CONTENT, "size": size}
            assert body(written.source) == expected
            scramble(written.source)
            assert written.previous is not None
            assert "scrambled" not in written.previous
            assert "scrambled" not in written.previous["kept"]  # type: ignore[operator]
            scramble(written.previous)
            assert body((await storage.get(*TARGET, "one")).source) == expected

    async def test_a_deleted_document_is_the_callers_twice(self, storage: Storage) -> None:
        await put(storage, "one", self.CONTENT)
        written = await storage.write(a_write("delete", "one"))
        scramble(written.source)
        assert body(written.previous) == self.CONTENT
        changes = await storage.changes(0)
        assert body(changes[0].changes) == self.CONTENT

    async def test_altering_hits_and_changes_changes_nothing(self, storage: Storage) -> None:
        await put(storage, "one", self.CONTENT, refresh=True)
        for _ in range(2):
            page = await storage.search([TARGET], Search())
            assert body(page.hits[0].source) == self.CONTENT
            scramble(page.hits[0].source)
            (change,) = await storage.changes(0)
            assert body(change.changes) == self.CONTENT
            scramble(change.changes)

    async def test_altering_a_mapping_changes_nothing(self, storage: Storage) -> None:
        before = copy.deepcopy(storage.mapping(*TARGET))
        scramble(storage.mapping(*TARGET))
        assert storage.mapping(*TARGET) == before
