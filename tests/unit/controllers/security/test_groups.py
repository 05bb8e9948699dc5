"""Roles and profiles in process: what the peer's clients send, and what they get."""

from __future__ import annotations

import pytest

from tests.unit.controllers.security.conftest import role, user

READER = role(document="get search")
POLICIES = {
    "policies": [{"roleId": "reader", "restrictedTo": [{"index": "a", "collections": ["c"]}]}]
}


async def test_a_role_is_created_read_changed_and_deleted(router):
    made = await router.result("security:createRole", READER, _id="reader")
    assert made["_source"].keys() == {"controllers", "_kuzzle_info"}
    assert made["_source"]["controllers"] == READER["controllers"]
    await router.refused(
        "services.storage.document_already_exists", "security:createRole", READER, _id="reader"
    )
    changed = await router.result("security:updateRole", role(index="list"), _id="reader")
    assert changed["_source"]["controllers"].keys() == {"index"}, "replaced, not merged"
    again = await router.result("security:createOrReplaceRole", READER, _id="reader")
    assert await router.result("security:getRole", _id="reader") == again
    assert await router.result("security:deleteRole", _id="reader") == {"_id": "reader"}
    for name, body in (("getRole", None), ("updateRole", READER), ("deleteRole", None)):
        await router.refused("security.role.not_found", f"security:{name}", body, _id="reader")


async def test_a_role_may_name_what_an_application_brings_later_only_by_force(router):
    body = role(**{"greenhouse/doors": "open"})
    error = await router.refused(
        "security.role.unknown_controller", "security:createRole", body, _id="r"
    )
    assert error["status"] == 400
    await router.result("security:createRole", body, _id="r", force=True)
    typo = await router.refused(
        "security.role.unknown_action",
        "security:createRole",
        role(document="serch"),
        _id="s",
        force=True,
    )
    assert 'Did you mean "search"?' in typo["message"]


async def test_a_profile_is_created_read_changed_and_deleted(router):
    await router.result("security:createRole", READER, _id="reader")
    made = await router.result("security:createProfile", POLICIES, _id="readers")
    assert made["_source"].keys() == {"policies", "rateLimit", "_kuzzle_info"}
    assert made["_source"]["rateLimit"] == 0
    limits = {"rateLimit": 5, "messageRateLimit": 50}
    changed = await router.result("security:updateProfile", limits, _id="readers")
    assert changed["_source"].items() >= limits.items()
    assert changed["_source"]["policies"] == POLICIES["policies"]
    rights = await router.result("security:getProfileRights", _id="readers")
    assert rights["total"] == 2
    assert rights["hits"][0] == {
        "controller": "document",
        "action": "get",
        "index": "a",
        "collection": "c",
        "value": "allowed",
    }
    await router.refused("security.role.in_use", "security:deleteRole", _id="reader")
    assert await router.result("security:deleteProfile", _id="readers") == {"_id": "readers"}
    for name, body in (("getProfile", None), ("updateProfile", POLICIES), ("deleteProfile", None)):
        await router.refused("security.profile.not_found", f"security:{name}", body, _id="readers")


async def test_a_profile_that_is_held_goes_only_if_it_is_taken_away(router):
    await router.result("security:createRole", READER, _id="reader")
    await router.result("security:createOrReplaceProfile", POLICIES, _id="readers")
    await router.result("security:createUser", user("readers", "default"), _id="ada")
    await router.refused("security.profile.in_use", "security:deleteProfile", _id="readers")
    await router.refused(
        "api.assert.invalid_argument",
        "security:deleteProfile",
        _id="readers",
        onAssignedUsers="ask",
    )
    await router.result("security:deleteProfile", _id="readers", onAssignedUsers="remove")
    assert (await router.result("security:getUser", _id="ada"))["_source"]["profileIds"] == [
        "default"
    ]


@pytest.mark.parametrize("kind", ["Role", "Profile"])
@pytest.mark.parametrize("id", ["admin", "anonymous", "default"])
async def test_the_first_ones_stay(router, kind, id):
    error = f"security.{kind.lower()}.cannot_delete"
    await router.refused(error, f"security:delete{kind}", _id=id)
    answer = await router.ask(f"security:mDelete{kind}s", {"ids": [id]})
    assert (answer.status, answer.result) == (206, [])


async def test_several_at_once(router):
    for name in ("one", "two"):
        await router.result("security:createRole", READER, _id=name)
        await router.result("security:createProfile", {"policies": [{"roleId": name}]}, _id=name)
    for kind in ("Profiles", "Roles"):
        found = await router.result(f"security:mGet{kind}", {"ids": ["one", "none", "two"]})
        assert [hit["_id"] for hit in found["hits"]] == ["one", "two"]
        assert await router.result(f"security:mDelete{kind}", {"ids": ["one", "two"]}) == [
            "one",
            "two",
        ]


async def test_roles_are_found_all_at_once_or_by_controller(router):
    await router.result("security:createRole", READER, _id="reader")
    everything = await router.result("security:searchRoles", {})
    assert everything["total"] == len(everything["hits"]) > 10
    named = await router.result("security:searchRoles", {"controllers": ["document"]})
    assert {hit["_id"] for hit in named["hits"]} == {"admin", "anonymous", "default", "reader"}
    page = await router.result(
        "security:searchRoles", {"controllers": ["document"]}, size=1, **{"from": 1}
    )
    assert (len(page["hits"]), page["total"]) == (1, 4)
    await router.refused(
        "api.assert.invalid_type", "security:searchRoles", {"controllers": "document"}
    )


async def test_profiles_are_found_by_their_roles(router):
    await router.result("security:createRole", READER, _id="reader")
    await router.result("security:createProfile", POLICIES, _id="readers")
    found = await router.result("security:searchProfiles", {"roles": ["reader"]})
    assert [hit["_id"] for hit in found["hits"]] == ["readers"]
    assert (await router.result("security:searchProfiles", {"roles": []}))["total"] == 4
    assert (await router.result("security:searchProfiles"))["total"] == 4
    page = await router.result("security:searchProfiles", {}, size=3, scroll="5s")
    rest = await router.result("security:scrollProfiles", scrollId=page["scrollId"])
    assert len(page["hits"] + rest["hits"]) == 4


@pytest.mark.parametrize("kind", ["User", "Profile", "Role"])
async def test_mappings_are_told_without_what_is_the_routers(router, kind):
    told = await router.result(f"security:get{kind}Mapping")
    assert "_kuzzle_info" not in told["mapping"]
    await router.refused("api.assert.body_required", f"security:update{kind}Mapping")


@pytest.mark.parametrize("collection", ["users", "profiles", "roles"])
async def test_a_collection_is_refreshed(router, collection):
    assert await router.result("security:refresh", collection=collection) is None
    await router.refused("api.assert.invalid_argument", "security:refresh", collection="tokens")


async def test_the_roles_of_the_device_manager_are_there(router):
    reader = await router.result("security:getRole", _id="assets.reader")
    assert (
        reader["_source"]["controllers"]["device-manager/assets"]["actions"]["getMeasures"] is True
    )
    await router.result(
        "security:createProfile", {"policies": [{"roleId": "assets.reader"}]}, _id="p"
    )
    # What the first start made can be written again, although not all of it is done yet.
    await router.result("security:updateRole", reader["_source"], _id="assets.reader")
