"""What Kuzzle's admin console asks, in its order, over the WebSocket of its SDK: each answer has
what the console reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.fleet import fleet_app, fleet_settings
from tests.support.sdk_socket import SdkSocket
from trivium.server import running

ROOT = {"username": "root", "password": "root's long password"}
CONTENT = {"name": "Root"}
HERE = {"index": "fleet", "collection": "trucks"}
MAPPINGS = {
    "properties": {
        "name": {"type": "keyword"},
        "note": {"type": "text"},
        "weight": {"type": "integer"},
    }
}
ROLE = {"controllers": {"document": {"actions": {"get": True, "search": True}}}}
PROFILE = {"policies": [{"roleId": "reader", "restrictedTo": [{"index": "fleet"}]}]}
REFRESH = {"refresh": "wait_for"}

NOT_HERE = {
    "kuzzle-plugin-auth-passport-local/password:reset": "api.process.controller_not_found",
}
"""All that the console can call and this router doesn't have, and how it is refused."""

FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "basic search": (
        {
            "bool": {
                "must": [
                    {
                        "multi_match": {
                            "query": "red tr",
                            "type": "phrase_prefix",
                            "fields": ["*"],
                        }
                    }
                ]
            }
        },
        ["t1"],
    ),
    "contains": (
        {"bool": {"should": [{"bool": {"must": [{"match_phrase_prefix": {"note": "blue"}}]}}]}},
        ["t2"],
    ),
    "not contains": (
        {"bool": {"must_not": [{"match_phrase_prefix": {"note": "blue"}}]}},
        ["t1", "t3"],
    ),
    "regexp": ({"bool": {"must": [{"regexp": {"name": {"value": "t.*o"}}}]}}, ["t2"]),
    "greater, no upper bound": (
        {"bool": {"must": [{"range": {"weight": {"gte": 20, "lt": None}}}]}},
        ["t2", "t3"],
    ),
    "less": ({"bool": {"must": [{"range": {"weight": {"lte": 20}}}]}}, ["t1", "t2"]),
    "between": ({"range": {"weight": {"gt": 10, "lt": 30}}}, ["t2"]),
    "exists": ({"bool": {"must": [{"exists": {"field": "note"}}]}}, ["t1", "t2"]),
    "not exists": ({"bool": {"must_not": [{"exists": {"field": "note"}}]}}, ["t3"]),
    "by id": ({"bool": {"must": [{"match": {"_id": "t3"}}]}}, ["t3"]),
    "nothing": ({}, ["t1", "t2", "t3"]),
}
"""The queries that its filters make of three trucks, and what they find."""


async def test_the_console(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        async with SdkSocket(server.port) as console:
            await sign_up(console)
            await browse(console)
            await edit(console)
            await watch(console)
            await let_people_in(console)
            await look_at_the_api(console)
            await log_out(console)
        async with SdkSocket(server.port) as again:
            await come_back(again)


async def sign_up(console: SdkSocket) -> None:
    checked = await console.result("auth:checkToken", {})
    assert checked == {"valid": True, "kuid": "-1", "expiresAt": -1}
    assert await console.is_alive()
    assert await console.result("server:adminExists") == {"exists": False}
    body = {"content": CONTENT, "credentials": {"local": ROOT}}
    made = await console.result("security:createFirstAdmin", body, _id="root", reset=True)
    assert made["_id"] == "root"
    await console.refused("security.rights.unauthorized", "server:adminExists")
    await log_in(console)
    assert await console.result("server:adminExists") == {"exists": True}


async def log_in(console: SdkSocket) -> None:
    await console.refused(
        "plugin.strategy.missing_user",
        "auth:login",
        {**ROOT, "password": "wrong"},
        strategy="local",
        expiresIn="2h",
        verb="POST",
        cookieAuth=False,
    )
    logged = await console.result(
        "auth:login", ROOT, strategy="local", expiresIn="2h", verb="POST", cookieAuth=False
    )
    assert logged["_id"] == "root"
    assert (logged["jwt"].count("."), logged["ttl"]) == (2, 7_200_000)
    console.jwt = logged["jwt"]
    await show_who_it_is(console, logged["expiresAt"])


async def show_who_it_is(console: SdkSocket, expires_at: float) -> None:
    checked = await console.result("auth:checkToken", {"token": console.jwt})
    assert checked == {"valid": True, "kuid": "root", "expiresAt": expires_at}
    me = await console.result("auth:getCurrentUser")
    assert (me["_id"], me["_source"]["name"], me["strategies"]) == ("root", "Root", ["local"])
    rights = (await console.result("auth:getMyRights"))["hits"]
    every = dict.fromkeys(("controller", "action", "index", "collection"), "*")
    assert {**every, "value": "allowed"} in rights


async def browse(console: SdkSocket) -> None:
    for name in ("fleet", "old", "older"):
        await console.result("index:create", index=name)
    assert {"fleet", "old", "older"} <= {*(await console.result("index:list"))["indexes"]}
    await console.result("index:delete", index="old")
    gone = await console.result("index:mDelete", {"indexes": ["older"]})
    assert gone["deleted"] == ["older"]
    await console.result("collection:create", {"mappings": MAPPINGS}, **HERE)
    await console.result("collection:update", {"mappings": {"dynamic": "false"}}, **HERE)
    listed = await console.result("collection:list", index="fleet")
    assert listed["collections"] == [{"name": "trucks", "type": "stored"}]
    mapping = await console.result("collection:getMapping", includeKuzzleMeta=True, **HERE)
    assert mapping["dynamic"] == "false"
    assert {*mapping["properties"]} == {"name", "note", "weight", "_kuzzle_info"}
    empty = await console.result("document:search", {"query": {}, "sort": []}, **HERE)
    assert (empty["hits"], empty["total"]) == ([], 0)


async def edit(console: SdkSocket) -> None:
    trucks: dict[str, Any] = {
        "t1": {"name": "one", "note": "red truck", "weight": 10},
        "t2": {"name": "two", "note": "blue truck", "weight": 20},
        "t3": {"name": "three", "weight": 30},
    }
    for truck_id, truck in trucks.items():
        made = await console.result("document:create", truck, _id=truck_id, **HERE, **REFRESH)
        assert (made["_id"], made["_source"]["_kuzzle_info"]["author"]) == (truck_id, "root")
    await filter_and_sort(console)
    await console.result("document:update", {"weight": 11}, _id="t1", **HERE, **REFRESH)
    replaced = {"name": "two", "weight": 21}
    await console.result("document:replace", replaced, _id="t2", **HERE, **REFRESH)
    shown = await console.result("document:get", _id="t2", **HERE)
    stamp = shown["_source"].pop("_kuzzle_info")
    assert shown["_source"] == replaced
    assert {"author", "createdAt", "updater", "updatedAt"} <= {*stamp}
    assert (await console.result("document:count", {"query": {}}, **HERE))["count"] == 3
    gone = await console.result("document:mDelete", {"ids": ["t3"]}, **HERE, **REFRESH)
    assert gone == {"successes": ["t3"], "errors": []}


async def filter_and_sort(console: SdkSocket) -> None:
    for about, (query, expected) in FILTERS.items():
        body = {"query": query, "sort": [{"weight": {"order": "desc"}}]}
        found = await console.result("document:search", body, **HERE, **{"from": 0, "size": 10})
        assert [hit["_id"] for hit in found["hits"]] == expected[::-1], about
        assert found["total"] == len(expected)
        for hit in found["hits"]:
            assert {"author", "createdAt", "updater", "updatedAt"} <= {
                *hit["_source"]["_kuzzle_info"]
            }


async def watch(console: SdkSocket) -> None:
    page = await console.result("realtime:subscribe", {}, **HERE)
    one = await console.result("realtime:subscribe", {"ids": {"values": ["t1"]}}, **HERE)
    await console.result("document:update", {"weight": 12}, _id="t1", **HERE, **REFRESH)
    told = [await console.notification(), await console.notification()]
    assert {message["room"] for message in told} == {page["channel"], one["channel"]}
    for message in told:
        assert (message["type"], message["event"], message["scope"]) == ("document", "write", "in")
        assert message["result"]["_source"]["weight"] == 12
    await console.result("realtime:unsubscribe", {"roomId": one["roomId"]})
    published = await console.result("realtime:publish", {"hello": "there"}, **HERE)
    assert published["published"] is True
    message = await console.notification()
    assert (message["room"], message["event"]) == (page["channel"], "publish")
    assert message["result"]["_source"]["hello"] == "there"
    await console.result("realtime:unsubscribe", {"roomId": page["roomId"]})
    await console.result("collection:truncate", **HERE)
    assert (await console.result("document:count", {}, **HERE))["count"] == 0
    assert console.heard == []


async def let_people_in(console: SdkSocket) -> None:
    await make_roles(console)
    await make_profiles(console)
    await make_users(console)
    for kind, ids in (("Users", ["ada"]), ("Profiles", ["readers"]), ("Roles", ["reader"])):
        gone = await console.result(f"security:mDelete{kind}", {"ids": ids}, **REFRESH)
        assert gone == ids
        await console.refused(
            f"security.{kind[:-1].lower()}.not_found", f"security:get{kind[:-1]}", _id=ids[0]
        )


async def make_roles(console: SdkSocket) -> None:
    await console.result("security:createRole", ROLE, _id="reader", **REFRESH)
    await console.result("security:createOrReplaceRole", ROLE, _id="reader", **REFRESH)
    await console.result("security:updateRole", ROLE, _id="reader", **REFRESH)
    shown = await console.result("security:getRole", _id="reader")
    assert shown["_source"]["controllers"] == ROLE["controllers"]
    found = await console.result("security:searchRoles", {"controllers": ["document"]}, size=100)
    assert "reader" in {hit["_id"] for hit in found["hits"]}
    assert found["total"] == len(found["hits"])
    assert "mapping" in await console.result("security:getRoleMapping")


async def make_profiles(console: SdkSocket) -> None:
    await console.result("security:createProfile", PROFILE, _id="readers", **REFRESH)
    await console.result("security:createOrReplaceProfile", PROFILE, _id="readers", **REFRESH)
    await console.result("security:updateProfile", PROFILE, _id="readers", **REFRESH)
    shown = await console.result("security:getProfile", _id="readers")
    assert shown["_source"]["policies"] == PROFILE["policies"]
    found = await console.result("security:searchProfiles", {"roles": ["reader"]}, size=100)
    assert [hit["_id"] for hit in found["hits"]] == ["readers"]
    assert found["total"] == 1


async def make_users(console: SdkSocket) -> None:
    assert await console.result("auth:getStrategies") == ["local"]
    grown = {"properties": {"name": {"type": "text"}}}
    await console.result("security:updateUserMapping", grown)
    mapping = (await console.result("security:getUserMapping"))["mapping"]
    assert {"name", "profileIds"} <= {*mapping}
    assert (await console.result("security:getAllCredentialFields")) == {
        "local": ["username", "password"]
    }
    login = {"username": "ada", "password": "ada's long password"}
    body = {
        "content": {"profileIds": ["readers"], "name": "Ada"},
        "credentials": {"local": login},
    }
    made = await console.result("security:createUser", body, _id="ada", **REFRESH)
    assert made["_id"] == "ada"
    replaced = {"profileIds": ["readers"], "name": "Ada L."}
    await console.result("security:replaceUser", replaced, _id="ada", **REFRESH)
    shown = await console.result("security:getUser", _id="ada")
    assert (shown["_id"], shown["_source"]["name"]) == ("ada", "Ada L.")
    query = {"query": {"match_phrase_prefix": {"name": "Ada"}}}
    found = await console.result("security:searchUsers", query, **{"from": 0, "size": 10})
    assert ([hit["_id"] for hit in found["hits"]], found["total"]) == (["ada"], 1)
    await change_credentials(console)


async def change_credentials(console: SdkSocket) -> None:
    of_ada = {"_id": "ada", "strategy": "local"}
    assert await console.result("security:hasCredentials", **of_ada) is True
    shown = await console.result("security:getCredentials", **of_ada)
    assert shown == {"username": "ada", "kuid": "ada"}
    changed = {"username": "ada.l"}
    await console.result("security:updateCredentials", changed, **of_ada, **REFRESH)
    assert (await console.result("security:getCredentials", **of_ada))["username"] == "ada.l"
    await console.result("security:deleteCredentials", **of_ada, **REFRESH)
    assert await console.result("security:hasCredentials", **of_ada) is False
    again = {"username": "ada", "password": "another long password"}
    await console.result("security:createCredentials", again, **of_ada, **REFRESH)


async def look_at_the_api(console: SdkSocket) -> None:
    for scope in ("kuzzle", "app"):
        described = await console.bare("server:openapi", scope=scope)
        assert {"info", "paths"} <= {*described}
        assert "error" not in described
    listed = await console.result("server:publicApi")
    assert listed["server"]["now"]["http"][0]["verb"] == "GET"
    token = await console.result("auth:createToken", singleUse=True)
    assert token["singleUse"] is True
    assert token["token"].count(".") == 2
    for named, refusal in NOT_HERE.items():
        await console.refused(refusal, named, {"password": "x", "token": "y"})


async def log_out(console: SdkSocket) -> None:
    await console.result("collection:delete", **HERE)
    await console.result("index:delete", index="fleet")
    await console.result("auth:logout")
    old, console.jwt = console.jwt, None
    checked = await console.result("auth:checkToken", {"token": old})
    assert checked["valid"] is False
    assert isinstance(checked["state"], str)
    await console.refused("security.rights.unauthorized", "index:list")


async def come_back(console: SdkSocket) -> None:
    """On the log-in page whoever comes is anonymous: 401 to this question counts as a yes."""
    assert (await console.result("auth:checkToken", {}))["kuid"] == "-1"
    await console.refused("security.rights.unauthorized", "server:adminExists")
    rights = (await console.result("auth:getMyRights"))["hits"]
    logging_in = {"controller": "auth", "action": "login", "index": "*", "collection": "*"}
    assert {**logging_in, "value": "allowed"} in rights
    await log_in(console)
