"""security:*User* in process: what the peer's clients send, and what they get."""

from __future__ import annotations

import re

import pytest

from tests.unit.controllers.security.conftest import user

INFO = {"author", "createdAt", "updatedAt", "updater"}


async def test_a_user_is_created_read_changed_and_deleted(router):
    made = await router.result(
        "security:createUser", user("default", name="ada", city="Oslo"), _id="ada"
    )
    assert made["_id"] == "ada"
    assert made["_source"].keys() == {"profileIds", "city", "_kuzzle_info"}
    assert made["_source"]["_kuzzle_info"].keys() == INFO
    assert await router.result("security:getUser", _id="ada") == made
    changed = await router.result("security:updateUser", {"city": "Rome"}, _id="ada")
    assert changed["_source"]["profileIds"] == ["default"]
    assert changed["_source"]["city"] == "Rome"
    replaced = await router.result("security:replaceUser", {"profileIds": ["admin"]}, _id="ada")
    assert replaced["_source"].keys() == {"profileIds", "_kuzzle_info"}
    assert await router.result("security:deleteUser", _id="ada") == {"_id": "ada"}
    await router.refused("security.user.not_found", "security:getUser", _id="ada")
    await router.refused("security.user.not_found", "security:deleteUser", _id="ada")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        (None, r"kuid-[a-z]+-[a-z]+-\d{8}"),
        ("human", r"kuid-[a-z]+-[a-z]+-\d{8}"),
        ("uuid", r"kuid-[0-9a-f-]{36}"),
    ],
)
async def test_users_without_an_id_get_one(router, form, pattern):
    made = await router.result("security:createUser", user("default"), kuid=form)
    assert re.fullmatch(pattern, made["_id"])


@pytest.mark.parametrize(
    ("body", "arguments", "error"),
    [
        (None, {}, "api.assert.body_required"),
        ({}, {}, "api.assert.missing_argument"),
        ({"content": 3}, {}, "api.assert.invalid_type"),
        ({"content": {}}, {}, "api.assert.missing_argument"),
        (user("default"), {"_id": "_ada"}, "api.assert.invalid_id"),
        (user("default"), {"kuid": "short"}, "api.assert.invalid_argument"),
        ({**user("default"), "credentials": 3}, {}, "api.assert.invalid_type"),
        ({**user("default"), "credentials": {"local": 3}}, {}, "security.credentials.rejected"),
        (
            {**user("default"), "credentials": {"oauth": {}}},
            {},
            "security.credentials.unknown_strategy",
        ),
        ({**user("default"), "credentials": {"local": {}}}, {}, "security.credentials.rejected"),
        (user("nobody"), {}, "security.user.cannot_hydrate"),
        (user("default"), {"_id": "-1"}, "security.user.anonymous_profile_required"),
    ],
)
async def test_users_that_make_no_sense_are_refused(router, body, arguments, error):
    await router.refused(error, "security:createUser", body, **arguments)
    assert (await router.result("security:searchUsers", {}))["total"] == 0


async def test_a_second_user_of_that_id_is_refused(router):
    await router.result("security:createUser", user("default"), _id="ada")
    await router.refused(
        "security.user.already_exists", "security:createUser", user("default"), _id="ada"
    )


async def test_who_signs_up_gets_the_default_profile(router):
    made = await router.result("security:createRestrictedUser", {"content": {"a": 1}}, _id="ada")
    assert made["_source"]["profileIds"] == ["default"]
    for body in ({"content": {"profileIds": ["admin"]}}, user("default")):
        await router.refused("api.assert.forbidden_argument", "security:createRestrictedUser", body)


async def test_an_upsert_says_whether_it_created(router):
    body = {"content": {"a": 1}, "default": {"profileIds": ["default"]}}
    assert (await router.result("security:upsertUser", body, _id="ada"))["created"] is True
    again = await router.result("security:upsertUser", {"content": {"b": 2}}, _id="ada")
    assert (again["created"], again["_source"]["a"]) == (False, 1)
    await router.refused(
        "api.assert.missing_argument", "security:upsertUser", {"content": {}}, _id="bob"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"body": {"ids": ["ada", "nobody", "bob"]}},
        {"ids": "ada,nobody, bob"},
        {"ids": '["ada","bob"]'},
    ],
)
async def test_several_users_at_once(router, arguments):
    for name in ("ada", "bob"):
        await router.result("security:createUser", user("default"), _id=name)
    found = await router.result("security:mGetUsers", arguments.pop("body", None), **arguments)
    assert [hit["_id"] for hit in found["hits"]] == ["ada", "bob"]


async def test_several_are_deleted_and_failures_told(router):
    for name in ("ada", "bob"):
        await router.result("security:createUser", user("default"), _id=name)
    assert await router.result("security:mDeleteUsers", {"ids": ["ada", "ada"]}) == ["ada"]
    answer = await router.ask("security:mDeleteUsers", {"ids": ["ada", "bob"]})
    assert (answer.status, answer.result) == (206, ["bob"])
    assert answer.error["id"] == "services.storage.incomplete_delete"
    for body in ({}, {"ids": "ada"}, {"ids": [1]}):
        assert (await router.ask("security:mDeleteUsers", body)).status == 400


class TestSearch:
    async def people(self, router):
        for number in range(5):
            profile = "admin" if number == 3 else "default"
            await router.result("security:createUser", user(profile), _id=f"u{number}")

    async def test_users_are_found_by_what_is_mapped(self, router):
        await self.people(router)
        found = await router.result(
            "security:searchUsers", {"query": {"terms": {"profileIds": ["admin"]}}}
        )
        assert found["total"] == 1
        assert found["hits"][0].keys() == {"_id", "_source"}
        assert found["hits"][0]["_id"] == "u3"
        page = await router.result(
            "security:searchUsers", {"sort": ["_id"]}, **{"from": 1, "size": 2}
        )
        assert [hit["_id"] for hit in page["hits"]] == ["u1", "u2"]
        assert page["total"] == 5

    async def test_a_scroll_reads_all(self, router):
        await self.people(router)
        page = await router.result("security:searchUsers", {"sort": ["_id"]}, size=2, scroll="10s")
        ids = [hit["_id"] for hit in page["hits"]]
        while len(ids) < 5:
            page = await router.result("security:scrollUsers", scrollId=page["scrollId"])
            assert page["hits"][0].keys() == {"_id", "_source"}
            ids += [hit["_id"] for hit in page["hits"]]
        assert ids == [f"u{number}" for number in range(5)]
        await router.refused(
            "services.storage.unknown_scroll_id", "security:scrollUsers", scrollId="x"
        )

    async def test_the_scroll_of_users_is_none_of_documents(self, router):
        await self.people(router)
        page = await router.result("security:searchUsers", {}, size=1, scroll="10s")
        await router.refused(
            "services.storage.unknown_scroll_id", "document:scroll", scrollId=page["scrollId"]
        )

    async def test_more_fields_are_found_once_they_are_mapped(self, router):
        await router.result("security:createUser", user("default", city="Oslo"), _id="ada")
        query = {"query": {"term": {"city": "Oslo"}}}
        assert (await router.result("security:searchUsers", query))["total"] == 0
        mapping = {"properties": {"city": {"type": "keyword"}}}
        told = await router.result("security:updateUserMapping", mapping)
        assert told["properties"]["city"] == {"type": "keyword"}
        assert (await router.result("security:searchUsers", query))["total"] == 1
        assert await router.result("security:getUserMapping") == {"mapping": told["properties"]}

    async def test_no_action_on_documents_reaches_them(self, router):
        await self.people(router)
        for index in ("kuzzle", "%kuzzle"):
            answer = await router.ask("document:search", {}, index=index, collection="users")
            assert answer.error["id"].startswith("services.storage.")
        assert "kuzzle" not in (await router.result("index:list"))["indexes"]
