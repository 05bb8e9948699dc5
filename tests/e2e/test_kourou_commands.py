"""What Kourou's commands ask for: what one router exports, another one imports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import fleet_app, fleet_settings
from tests.support.sdk_socket import SdkSocket
from trivium.server import running

ADMIN = {"username": "admin", "password": "pw"}
HERE = {"index": "fleet", "collection": "trucks"}
MAPPINGS = {"dynamic": "strict", "properties": {"n": {"type": "integer"}}}
ROLE = {"controllers": {"server": {"actions": {"now": True}}}}
# What nobody here has: Kourou imports it by force.
FOREIGN = {"controllers": {"own-plugin/things": {"actions": {"run": True}}}}
PROFILE = {"rateLimit": 30, "policies": [{"roleId": "clock", "restrictedTo": [{"index": "fleet"}]}]}
USERS = ("ada", "bob", "cem")


async def logged_in(stack: AsyncExitStack, data: Path) -> SdkSocket:
    """Kourou with `--username`, at a router that has nothing but its administrator."""
    server = await stack.enter_async_context(running(fleet_app(), fleet_settings(data)))
    kourou = SdkSocket(server.port, client="kourou@1.2.0", sdkName="js@7.14.0")
    await stack.enter_async_context(kourou)
    body = {"content": {}, "credentials": {"local": ADMIN}}
    await kourou.result("security:createFirstAdmin", body, _id="admin-id", reset=True)
    sent = {"strategy": "local", "expiresIn": "90s", "cookieAuth": False, "verb": "POST"}
    kourou.jwt = (await kourou.result("auth:login", ADMIN, **sent))["jwt"]
    return kourou


@pytest.fixture
async def routers(tmp_path: Path) -> AsyncIterator[tuple[SdkSocket, SdkSocket]]:
    """Kourou at two routers: the one that has everything, and an empty one."""
    async with AsyncExitStack() as stack:
        full = await logged_in(stack, tmp_path / "full")
        empty = await logged_in(stack, tmp_path / "empty")
        yield full, empty


async def pages(kourou: SdkSocket, search: str, scroll: str, **arguments: Any) -> Any:
    """All hits, as SearchResult.next() collects them: `total` says when to stop."""
    page = await kourou.result(search, {}, scroll="20s", **arguments)
    hits = [*page["hits"]]
    while len(hits) < page["total"]:
        page = await kourou.result(scroll, scroll="20s", scrollId=page["scrollId"])
        assert page["hits"]
        hits += page["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


async def test_roles(routers: tuple[SdkSocket, SdkSocket]) -> None:
    full, empty = routers
    await full.result("security:createOrReplaceRole", ROLE, _id="clock")
    await full.result("security:createOrReplaceRole", FOREIGN, _id="foreign", force=True)
    found = await full.result("security:searchRoles", {}, scroll="10s", size=100)
    assert len(found["hits"]) == found["total"]
    exported = {hit["_id"]: hit["_source"]["controllers"] for hit in found["hits"]}
    assert {"admin", "anonymous", "default", "clock", "foreign"} <= {*exported}
    for name, controllers in exported.items():
        body = {"controllers": controllers}
        await empty.result(
            "security:createOrReplaceRole", body, _id=name, force=True, refresh="wait_for"
        )
    for name, controllers in exported.items():
        shown = await empty.result("security:getRole", _id=name)
        assert shown["_source"]["controllers"] == controllers


async def test_a_foreign_role_needs_force(routers: tuple[SdkSocket, SdkSocket]) -> None:
    refusal = "security.role.unknown_controller"
    await routers[0].refused(refusal, "security:createOrReplaceRole", FOREIGN, _id="foreign")
    await routers[0].refused("security.role.not_found", "security:getRole", _id="foreign")


async def test_profiles(routers: tuple[SdkSocket, SdkSocket]) -> None:
    full, empty = routers
    for kourou in routers:
        await kourou.result("security:createOrReplaceRole", ROLE, _id="clock")
    await full.result("security:createOrReplaceProfile", PROFILE, _id="clocks")
    exported = await pages(full, "security:searchProfiles", "security:scrollProfiles", size=2)
    assert {"admin", "anonymous", "default", "clocks"} <= {*exported}
    for name, source in exported.items():
        del source["_kuzzle_info"]
        await empty.result("security:createOrReplaceProfile", source, _id=name, refresh="wait_for")
    shown = (await empty.result("security:getProfile", _id="clocks"))["_source"]
    assert (shown["policies"], shown["rateLimit"]) == (PROFILE["policies"], 30)


async def test_users(routers: tuple[SdkSocket, SdkSocket]) -> None:
    full, empty = routers
    await full.result("security:updateUserMapping", {"properties": {"team": {"type": "keyword"}}})
    for name in USERS:
        content = {"profileIds": ["default"], "team": "north"}
        await full.result("security:createUser", {"content": content}, _id=name)
    mapping = (await full.result("security:getUserMapping"))["mapping"]
    await empty.result("security:updateUserMapping", {"properties": mapping})
    assert (await empty.result("security:getUserMapping"))["mapping"] == mapping
    exported = await pages(full, "security:searchUsers", "security:scrollUsers", size=2)
    assert {*exported} == {*USERS, "admin-id"}
    for name in USERS:
        del exported[name]["_kuzzle_info"]
        login = {"username": name, "password": f"{name}'s generated password"}
        body = {"content": exported[name], "credentials": {"local": login}}
        await empty.result("security:createUser", body, _id=name, refresh="wait_for")
    query = {"query": {"term": {"team": "north"}}}
    assert (await empty.result("security:searchUsers", query))["total"] == len(USERS)
    login = {"username": "cem", "password": "cem's generated password"}
    assert (await empty.result("auth:login", login, strategy="local"))["_id"] == "cem"


async def test_a_collection(routers: tuple[SdkSocket, SdkSocket]) -> None:
    full, empty = routers
    await full.result("index:create", index="fleet")
    await full.result("collection:create", {"mappings": MAPPINGS}, **HERE)
    written = [{"_id": f"t{n}", "body": {"n": n}} for n in range(25)]
    await full.result("document:mCreate", {"documents": written}, refresh="wait_for", **HERE)
    mapping, exported = await export(full)
    await bring_in(empty, mapping, exported)
    assert await export(empty) == (mapping, exported)


async def export(kourou: SdkSocket) -> tuple[Any, Any]:
    listed = await kourou.result("collection:list", index="fleet")
    assert [each["name"] for each in listed["collections"]] == ["trucks"]
    mapping = await kourou.result("collection:getMapping", **HERE)
    count = (await kourou.result("document:count", {"query": {}}, **HERE))["count"]
    found = await pages(kourou, "document:search", "document:scroll", size=10, **HERE)
    assert len(found) == count == 25
    # Every 80 s of a long export the token is made anew, and the old one is gone.
    old = kourou.jwt
    kourou.jwt = (await kourou.result("auth:refreshToken", expiresIn="90s"))["jwt"]
    assert kourou.jwt != old
    return mapping, found


async def bring_in(kourou: SdkSocket, mapping: Any, exported: Any) -> None:
    assert await kourou.result("index:exists", index="fleet") is False
    await kourou.result("index:create", index="fleet")
    await kourou.result("collection:create", {"mappings": mapping}, **HERE)
    documents = [{"_id": name, "body": source} for name, source in exported.items()]
    for start in range(0, len(documents), 10):
        body = {"documents": documents[start : start + 10]}
        wrote = await kourou.result("bulk:mWrite", body, strict=True, **HERE)
        assert len(wrote["successes"]) == len(body["documents"])
        assert wrote["errors"] == []
    await kourou.result("collection:refresh", **HERE)


async def test_api_keys(routers: tuple[SdkSocket, SdkSocket]) -> None:
    kourou, _ = routers
    user = {"userId": "admin-id"}
    made = await kourou.result(
        "security:createApiKey", {"description": "for ever"}, expiresIn="-1", **user
    )
    token = made["_source"]["token"]
    assert token.startswith("kapikey-")
    assert made["_source"]["expiresAt"] == -1
    found = await kourou.result("security:searchApiKeys", {}, **user)
    assert ([hit["_id"] for hit in found["hits"]], found["total"]) == ([made["_id"]], 1)
    checked = await kourou.result("auth:checkToken", {"token": token})
    assert checked == {"valid": True, "kuid": "admin-id", "expiresAt": -1}
    await kourou.result("security:deleteApiKey", _id=made["_id"], **user)
    assert (await kourou.result("auth:checkToken", {"token": token}))["valid"] is False
