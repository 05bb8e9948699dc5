"""document:* reads and writes single documents as the peer does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
MAPPING = {
    "dynamic": "strict",
    "properties": {"name": {"type": "keyword"}, "n": {"type": "integer"}, "o": {"properties": {}}},
}
MAPPING["properties"]["o"]["dynamic"] = "false"  # type: ignore[index]


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.result("collection:create", {"mappings": MAPPING}, **PLACE)
        await router.result("document:create", {"name": "one", "n": 1}, _id="d1", **PLACE)
        yield router


def without_stamp(source: Any) -> Any:
    return {key: value for key, value in source.items() if key != "_kuzzle_info"}


class TestCreate:
    async def test_it_stores_and_stamps(self, lab: InProcess) -> None:
        made = await lab.result("document:create", {"n": 2}, _id="d2", **PLACE)
        assert (made["_id"], made["_version"]) == ("d2", 1)
        assert made["_source"]["n"] == 2
        stamp = made["_source"]["_kuzzle_info"]
        assert (stamp["author"], stamp["updater"], stamp["updatedAt"]) == ("-1", None, None)
        assert await lab.result("document:get", _id="d2", **PLACE) == made

    async def test_ids_are_made_up_when_none_is_given(self, lab: InProcess) -> None:
        ids = {
            (await lab.result("document:create", {}, _id=given, **PLACE))["_id"]
            for given in (None, "") * 20
        }
        assert len(ids) == 40
        assert all(len(made) == 20 and made[0].isalnum() for made in ids)

    async def test_refusals(self, lab: InProcess) -> None:
        create = "document:create"
        exists = "services.storage.document_already_exists"
        await lab.refused(exists, create, {}, _id="d1", **PLACE)
        await lab.refused("api.assert.invalid_id", create, {}, _id="_x", **PLACE)
        await lab.refused("api.assert.invalid_type", create, {}, _id=5, **PLACE)
        strict = "services.storage.strict_mapping_rejection"
        assert (await lab.refused(strict, create, {"odd": 1}, **PLACE))["props"] == [
            "odd",
            "lab",
            "things",
        ]
        await lab.refused("services.storage.unexpected_bad_request", create, {"n": "many"}, **PLACE)

    async def test_refresh_is_read_leniently(self, lab: InProcess) -> None:
        lab.storage.hide_until_refresh()
        for refresh, found in ((False, 1), ("false", 1), (True, 4)):
            await lab.result("document:create", {"n": 9}, refresh=refresh, **PLACE)
            assert (await lab.result("document:count", **PLACE))["count"] == found


class TestUpdate:
    async def test_it_answers_the_changes_and_the_stamp(self, lab: InProcess) -> None:
        written = await lab.result("document:update", {"o": {"a": 1}}, _id="d1", **PLACE)
        assert written["_version"] == 2
        assert without_stamp(written["_source"]) == {"o": {"a": 1}}
        assert written["_source"]["_kuzzle_info"]["updater"] == "-1"
        assert written["_source"]["_kuzzle_info"]["author"] == "-1"

    async def test_it_answers_the_whole_with_source(self, lab: InProcess) -> None:
        written = await lab.result("document:update", {"n": 5}, _id="d1", source=True, **PLACE)
        assert without_stamp(written["_source"]) == {"name": "one", "n": 5}

    async def test_over_http_a_flag_is_on_when_present(self, lab: InProcess) -> None:
        written = await lab.result(
            "document:update", {"n": 5}, _id="d1", source="false", wire="http", **PLACE
        )
        assert "name" in written["_source"]

    async def test_conflicts_are_retried_as_often_as_asked(self, lab: InProcess) -> None:
        conflict = "services.storage.version_conflict"
        lab.storage.conflict(3)
        await lab.refused(
            conflict, "document:update", {"n": 1}, _id="d1", retryOnConflict=2, **PLACE
        )
        lab.storage.conflict(3)
        await lab.result("document:update", {"n": 1}, _id="d1", retryOnConflict="3", **PLACE)

    async def test_an_answer_waits_for_searches_only_if_asked(self, lab: InProcess) -> None:
        lab.storage.hide_until_refresh()
        query = {"query": {"term": {"n": 77}}}
        await lab.result("document:update", {"n": 77}, _id="d1", refresh="false", **PLACE)
        assert (await lab.result("document:count", query, **PLACE))["count"] == 0
        await lab.result("document:update", {"n": 77}, _id="d1", refresh="wait_for", **PLACE)
        assert (await lab.result("document:count", query, **PLACE))["count"] == 1

    async def test_refusals(self, lab: InProcess) -> None:
        update = "document:update"
        for value in (-1, 101):
            await lab.refused(
                "api.assert.invalid_argument",
                update,
                {},
                _id="d1",
                retryOnConflict=value,
                **PLACE,
            )
        for argument in ({"retryOnConflict": "x"}, {"source": 1}, {"silent": "no"}, {"_id": 5}):
            arguments = {"_id": "d1", **argument, **PLACE}
            await lab.refused("api.assert.invalid_type", update, {}, **arguments)
        await lab.refused("api.assert.missing_argument", update, {}, **PLACE)
        await lab.refused("services.storage.not_found", update, {}, _id="nope", **PLACE)


class TestWholeWrites:
    async def test_replace_leaves_nothing_of_the_old(self, lab: InProcess) -> None:
        written = await lab.result("document:replace", {"name": "new"}, _id="d1", **PLACE)
        assert without_stamp(written["_source"]) == {"name": "new"}
        assert written["_version"] == 2
        stamp = written["_source"]["_kuzzle_info"]
        assert stamp["createdAt"] == stamp["updatedAt"]
        await lab.refused("services.storage.not_found", "document:replace", {}, _id="x", **PLACE)

    async def test_create_or_replace_says_which_it_was(self, lab: InProcess) -> None:
        name = "document:createOrReplace"
        assert (await lab.result(name, {}, _id="d1", **PLACE))["created"] is False
        assert (await lab.result(name, {}, _id="d9", **PLACE))["created"] is True


class TestDelete:
    async def test_it_answers_the_id_or_the_whole(self, lab: InProcess) -> None:
        await lab.result("document:create", {"n": 2}, _id="d2", **PLACE)
        assert await lab.result("document:delete", _id="d1", **PLACE) == {"_id": "d1"}
        whole = await lab.result("document:delete", _id="d2", source=True, **PLACE)
        assert whole["_source"]["n"] == 2
        assert whole["_version"] == 1
        await lab.refused("services.storage.not_found", "document:delete", _id="d1", **PLACE)


class TestReads:
    async def test_exists_is_a_bare_truth(self, lab: InProcess) -> None:
        assert await lab.result("document:exists", _id="d1", **PLACE) is True
        assert await lab.result("document:exists", _id="no", **PLACE) is False

    async def test_search_is_no_id(self, lab: InProcess) -> None:
        await lab.refused(
            "services.storage.search_as_an_id", "document:get", _id="_search", **PLACE
        )
        await lab.refused("services.storage.not_found", "document:get", _id="no", **PLACE)


@pytest.mark.parametrize("name", ["createOrReplace", "replace", "update", "delete"])
async def test_refresh_is_read_strictly(lab: InProcess, name: str) -> None:
    wrong = {"body": {}, "_id": "d1", **PLACE}
    await lab.refused(
        "services.storage.invalid_argument", f"document:{name}", refresh="true", **wrong
    )
    await lab.refused("api.assert.invalid_type", f"document:{name}", refresh=True, **wrong)


@pytest.mark.parametrize("name", ["create", "createOrReplace", "replace", "update"])
async def test_a_content_is_needed(lab: InProcess, name: str) -> None:
    action = f"document:{name}"
    await lab.refused("api.assert.body_required", action, _id="d1", **PLACE)
    await lab.refused("api.assert.invalid_type", action, [1], _id="d1", **PLACE)


@pytest.mark.parametrize(
    "name",
    [
        "count",
        "create",
        "createOrReplace",
        "delete",
        "exists",
        "get",
        "replace",
        "search",
        "update",
    ],
)
async def test_the_place_must_be_named_and_be_there(lab: InProcess, name: str) -> None:
    action, body = f"document:{name}", None if name in ("get", "exists", "delete") else {}
    missing = "api.assert.missing_argument"
    await lab.refused(missing, action, body, _id="d1", index="lab")
    await lab.refused(missing, action, body, _id="d1", collection="things")
    for place, error in (
        ({"index": "lab", "collection": "x"}, "services.storage.unknown_collection"),
        ({"index": "x", "collection": "y"}, "services.storage.unknown_index"),
    ):
        await lab.refused(error, action, body, _id="d1", **place)
