"""The content that each kind of write leaves, and its stamp."""

from __future__ import annotations

from typing import Any

import pytest

from router.errors import RouterError
from storage.contract import Author, Verb, Write
from storage.stamps import apply, changes_of, stamp

BORN = {"author": "ada", "createdAt": 1, "updatedAt": None, "updater": None}


def a_write(verb: Verb, content: Any = None, default: Any = None, id: str = "d") -> Write:
    return Write(
        verb=verb,
        index="i",
        collection="c",
        id=id,
        content={"a": 1} if content is None else content,
        default=default,
        author=Author(id="eve"),
    )


class TestStamp:
    """Kuzzle reference, table of `_kuzzle_info` by action."""

    @pytest.mark.parametrize("verb", ["create", "upsert"])
    def test_a_new_document_has_an_author_and_no_updater(self, verb: Verb) -> None:
        expected = {"author": "eve", "createdAt": 9, "updatedAt": None, "updater": None}
        assert stamp(verb, "eve", 9, None) == expected

    @pytest.mark.parametrize("verb", ["replace", "create_or_replace"])
    @pytest.mark.parametrize("previous", [None, BORN])
    def test_a_replaced_document_forgets_its_author(self, verb: Verb, previous: Any) -> None:
        expected = {"author": "eve", "createdAt": 9, "updatedAt": 9, "updater": "eve"}
        assert stamp(verb, "eve", 9, previous) == expected

    @pytest.mark.parametrize("verb", ["update", "upsert"])
    def test_an_update_keeps_the_author(self, verb: Verb) -> None:
        assert stamp(verb, "eve", 9, BORN) == {**BORN, "updatedAt": 9, "updater": "eve"}

    @pytest.mark.parametrize("verb", ["update", "upsert"])
    def test_a_document_without_stamp_gets_no_invented_author(self, verb: Verb) -> None:
        assert stamp(verb, None, 9, {}) == {"updatedAt": 9, "updater": None}


class TestApply:
    def test_create_takes_the_content_whole(self) -> None:
        after = apply(a_write("create", {"a": {"b": 1}}), None, 9)
        assert after == {"a": {"b": 1}, "_kuzzle_info": stamp("create", "eve", 9, None)}

    def test_create_refuses_a_document_that_exists(self) -> None:
        with pytest.raises(RouterError) as refused:
            apply(a_write("create"), {}, 9)
        assert refused.value.id == "services.storage.document_already_exists"

    @pytest.mark.parametrize("verb", ["update", "replace"])
    def test_update_and_replace_refuse_a_document_that_does_not(self, verb: Verb) -> None:
        with pytest.raises(RouterError) as refused:
            apply(a_write(verb), None, 9)
        assert refused.value.id == "services.storage.not_found"
        assert refused.value.props == ["d", "i", "c"]

    @pytest.mark.parametrize("verb", ["create", "create_or_replace", "upsert"])
    def test_no_document_is_made_under_an_id_that_cannot_be_stored(self, verb: Verb) -> None:
        with pytest.raises(RouterError) as refused:
            apply(a_write(verb, id="x" * 513), None, 9)
        assert refused.value.id == "services.storage.unexpected_bad_request"

    @pytest.mark.parametrize("verb", ["update", "upsert"])
    def test_update_merges(self, verb: Verb) -> None:
        stored = {"a": {"x": 1, "y": 2}, "b": [1], "_kuzzle_info": BORN}
        after = apply(a_write(verb, {"a": {"y": None}, "b": []}), stored, 9)
        info = {**BORN, "updatedAt": 9, "updater": "eve"}
        assert after == {"a": {"x": 1, "y": None}, "b": [], "_kuzzle_info": info}

    @pytest.mark.parametrize("verb", ["replace", "create_or_replace"])
    def test_replace_drops_the_rest(self, verb: Verb) -> None:
        after = apply(a_write(verb), {"b": 2, "_kuzzle_info": BORN}, 9)
        assert after == {"a": 1, "_kuzzle_info": stamp(verb, "eve", 9, BORN)}

    def test_an_upsert_creates_from_its_default_under_the_changes(self) -> None:
        after = apply(a_write("upsert", {"a": {"y": 2}}, {"a": {"x": 1}, "b": 1}), None, 9)
        info = {"author": "eve", "createdAt": 9, "updatedAt": None, "updater": None}
        assert after == {"a": {"y": 2}, "b": 1, "_kuzzle_info": info}

    def test_the_default_of_an_upsert_is_not_used_on_a_document_that_exists(self) -> None:
        after = apply(a_write("upsert", {"a": 1}, {"b": 1}), {"c": 1}, 9)
        assert set(after) == {"a", "c", "_kuzzle_info"}

    @pytest.mark.parametrize("verb", ["create", "create_or_replace", "upsert"])
    def test_a_clients_own_stamp_is_dropped_from_what_is_created(self, verb: Verb) -> None:
        forged = {"_kuzzle_info": {"author": "root", "extra": 1}}
        after = apply(a_write(verb, forged, forged), None, 9)
        assert after == {"_kuzzle_info": stamp(verb, "eve", 9, None)}

    @pytest.mark.parametrize("forged", [{"author": "root", "extra": 1}, None, "x"])
    def test_a_clients_own_stamp_is_dropped_from_an_update(self, forged: Any) -> None:
        after = apply(a_write("update", {"_kuzzle_info": forged}), {"_kuzzle_info": BORN}, 9)
        assert after == {"_kuzzle_info": {**BORN, "updatedAt": 9, "updater": "eve"}}

    def test_a_stored_stamp_that_is_no_object_counts_as_none(self) -> None:
        after = apply(a_write("update"), {"_kuzzle_info": "x"}, 9)
        assert after["_kuzzle_info"] == {"updatedAt": 9, "updater": "eve"}

    @pytest.mark.parametrize("verb", ["create", "replace", "create_or_replace", "update", "upsert"])
    def test_the_result_shares_nothing_with_the_write(self, verb: Verb) -> None:
        content: Any = {"a": {"b": [1]}}
        after = apply(a_write(verb, content), {} if verb in ("update", "replace") else None, 9)
        content["a"]["b"].append(2)
        assert after["a"] == {"b": [1]}


class TestChanges:
    def test_an_update_tells_what_was_merged(self) -> None:
        write = a_write("update", {"a": 1, "_kuzzle_info": "forged"})
        after = apply(write, {"b": 1, "_kuzzle_info": BORN}, 9)
        assert changes_of(write, after, created=False) == {
            "a": 1,
            "_kuzzle_info": after["_kuzzle_info"],
        }

    @pytest.mark.parametrize(
        ("verb", "created"), [("upsert", True), ("create", True), ("replace", False)]
    )
    def test_other_writes_tell_the_whole_content(self, verb: Verb, created: bool) -> None:
        write = a_write(verb, {"a": 1}, {"b": 2})
        after = apply(write, None if created else {}, 9)
        told = changes_of(write, after, created=created)
        assert told == after
        assert told is not after
