"""Who may do something in one index learns nothing of another, whatever the action and the wire.

The matrix is made of the action table: every way to name another tenant's thing is tried with every
action that takes it, and an action that takes none has to be listed here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from access.users import NewUser
from router.actions import Action
from router.envelope import Connection, Request
from router.errors import RouterError
from storage.contract import Author
from tests.support.fleet import fleet_app
from tests.support.people import ROOT, login, peopled
from tests.support.wires import WIRES, Payload, Wire
from trivium.server import Server

MINE, THEIRS, ABSENT = "mine", "theirs", "absent"
SECRET = "hidden-thing"
TENANT = {"username": "tenant", "password": "tenant's long password"}

OF_NO_PLACE = {
    "admin": "of the router",
    "auth": "the caller's own",
    "cluster": "of the router",
    "debug": "of the router",
    "memoryStorage": "refused by name",
    "ms": "refused by name",
    "security": "of users, roles and the audit, which belong to no index",
    "server": "of the router",
}
"""Controllers none of whose actions name an index: what they are about instead."""

NAMES_NOTHING = {
    "collection:scrollSpecifications": "a cursor of the caller's own",
    "collection:searchSpecifications": "of all places at once",
    "device-manager/engine:list": "shows what the caller may see",
    "document:scroll": "a cursor of the caller's own",
    "index:list": "shows what the caller may see",
    "index:stats": "shows what the caller may see",
    "realtime:count": "a room, whose place counts",
    "realtime:join": "a room, whose place counts",
    "realtime:list": "shows what the caller may see",
    "realtime:unsubscribe": "a room of the caller's own",
}
"""Single actions whose requests name no index."""

SHOWING = [
    "device-manager/engine:list",
    "cluster:status",
    "index:list",
    "index:stats",
    "realtime:list",
    "server:capabilities",
    "server:getAllStats",
    "server:info",
    "server:metrics",
]

RULING = ("admin", "security")
"""Controllers that say who may do what, anywhere."""

OF_ALL = ["collection:searchSpecifications", "server:getConfig"]
"""What else is everybody's: a right that is bound to places doesn't do for either."""


def ways(index: str) -> dict[str, Payload]:
    """Every way in which the API lets a request name an index."""
    return {
        "index": {"index": index, "collection": "things", "_id": SECRET},
        "index alone": {"index": index},
        "index, in the body too": {"index": index, "collection": "things", "body": {"a": 1}},
        "engineId": {"engineId": index, "_id": SECRET},
        "engineId beside an own index": {"engineId": index, "index": MINE, "_id": SECRET},
        "index beside an own engineId": {"engineId": MINE, "index": index, "_id": SECRET},
        "targets": {"targets": [{"index": index, "collections": ["things"]}], "body": {}},
        "targets, one an own": {"targets": [{"index": MINE}, {"index": index}], "body": {}},
        "targets as text": {"targets": json.dumps([{"index": index}]), "body": {}},
        "body.indexes": {"body": {"indexes": [MINE, index]}},
    }


def names(action: Action, way: Payload, index: str) -> bool:
    arguments = {key: value for key, value in way.items() if key != "body"}
    request = Request(
        controller=action.controller,
        action=action.name,
        connection=Connection("c1", "websocket"),
        args=arguments,
        body=way.get("body"),
    )
    return index in {place for place, _ in action.places(request)}


@pytest.fixture(name="server")
async def server_of_two_tenants() -> AsyncIterator[Server]:
    async with peopled(fleet_app()) as server:
        register, author = server.core.register, Author()
        role: Any = {"controllers": {"*": {"actions": {"*": True}}}}
        await register.roles.write("create_or_replace", "everything", role, author)
        bound: Any = {"policies": [{"roleId": "everything", "restrictedTo": [{"index": MINE}]}]}
        await register.profiles.write("create_or_replace", "tenant", bound, author)
        content: Any = {"profileIds": ["tenant"]}
        await register.users.create(NewUser("t", content, {"local": {**TENANT}}, author))
        for index in (MINE, THEIRS):
            await server.sdk.query(
                {"controller": "device-manager/engine", "action": "create", "index": index}
            )
            await server.sdk.query(
                {
                    "controller": "collection",
                    "action": "create",
                    "index": index,
                    "collection": "things",
                }
            )
            await server.sdk.query(
                {
                    "controller": "document",
                    "action": "create",
                    "index": index,
                    "collection": "things",
                    "_id": SECRET,
                    "body": {"secret": SECRET},
                }
            )
        yield server


@pytest.fixture(params=["http", "http-query", "websocket", "mqtt-5"])
async def wire(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Wire]:
    opened = await WIRES[request.param](server.port, server.mqtt_port)
    yield opened
    await opened.close()


async def ask(wire: Wire, action: Action, way: Payload, jwt: str) -> str:
    """The answer, without what differs by nature."""
    named = {"controller": action.controller, "action": action.name}
    answer = await wire.ask({**named, **way, "jwt": jwt, "requestId": str(uuid.uuid4())})
    return json.dumps({key: answer[key] for key in answer if key not in {"node", "requestId"}})


async def token(wire: Wire) -> str:
    answer = await wire.ask(login(TENANT))
    assert answer["error"] is None, answer
    return str(answer["result"]["jwt"])


async def test_every_action_names_something_or_says_that_it_does_not(server: Server) -> None:
    silent = {
        f"{action.controller}:{action.name}"
        for action in server.core.router.table
        if not any(names(action, way, THEIRS) for way in ways(THEIRS).values())
    }
    of_places = {name for name in silent if name.partition(":")[0] not in OF_NO_PLACE}
    assert of_places == set(NAMES_NOTHING)


async def test_whatever_names_anothers_index_is_refused_as_if_there_were_none(
    server: Server, wire: Wire
) -> None:
    jwt = await token(wire)
    matrix = [
        (action, about)
        for action in server.core.router.table
        for about, way in ways(THEIRS).items()
        if names(action, way, THEIRS)
    ]
    assert len(matrix) > 100
    answers = await asyncio.gather(
        *(
            ask(wire, action, ways(index)[about], jwt)
            for action, about in matrix
            for index in (THEIRS, ABSENT)
        )
    )
    wrong = [
        (action.controller, action.name, about, theirs, absent)
        for (action, about), theirs, absent in zip(matrix, answers[::2], answers[1::2], strict=True)
        if "security.rights.forbidden" not in theirs or theirs.replace(THEIRS, ABSENT) != absent
    ]
    assert wrong == []


@pytest.mark.parametrize("name", SHOWING)
async def test_what_lists_shows_what_the_caller_may_see(
    server: Server, wire: Wire, name: str
) -> None:
    controller, _, action = name.rpartition(":")
    jwt = await token(wire)
    for extra in ({}, {"countCollection": True}):
        answer = await wire.ask({"controller": controller, "action": action, "jwt": jwt, **extra})
        assert answer["error"] is None, answer
        assert THEIRS not in json.dumps(answer["result"])


async def test_what_is_of_all_is_not_for_those_bound_to_a_place(server: Server, wire: Wire) -> None:
    """A tenant whose role allows everything could make an administrator otherwise."""
    names = [it.rpartition(":")[::2] for it in OF_ALL]
    names += [(it.controller, it.name) for it in server.core.table if it.controller in RULING]
    jwt = await token(wire)
    for controller, action in names:
        answer = await wire.ask({"controller": controller, "action": action, "jwt": jwt})
        assert answer["error"]["id"] == "security.rights.forbidden", (controller, action)


async def test_an_own_thing_is_within_reach(server: Server, wire: Wire) -> None:
    jwt = await token(wire)
    found = await wire.ask(
        {"controller": "document", "action": "get", **ways(MINE)["index"], "jwt": jwt}
    )
    assert found["result"]["_source"]["secret"] == SECRET
    listed = await wire.ask({"controller": "index", "action": "list", "jwt": jwt})
    assert listed["result"]["indexes"] == [MINE]


async def test_a_room_of_another_is_as_one_that_is_not_there(server: Server, wire: Wire) -> None:
    jwt = await token(wire)
    listener = await WIRES["websocket"](server.port, server.mqtt_port)
    try:
        root = (await listener.ask(login(ROOT)))["result"]["jwt"]
        subscribed = await listener.ask(
            {
                "controller": "realtime",
                "action": "subscribe",
                "index": THEIRS,
                "collection": "things",
                "body": {},
                "jwt": root,
            }
        )
        room = subscribed["result"]["roomId"]
        for action in ("join", "count"):
            asked = {"controller": "realtime", "action": action, "jwt": jwt}
            theirs = await wire.ask({**asked, "body": {"roomId": room}})
            absent = await wire.ask({**asked, "body": {"roomId": "0" * len(room)}})
            assert theirs["error"] == absent["error"]
            assert theirs["status"] == 403
    finally:
        await listener.close()


async def test_the_application_as_a_user_may_what_the_user_may(server: Server) -> None:
    for action in server.core.router.table:
        for about, way in ways(THEIRS).items():
            if names(action, way, THEIRS):
                named = {"controller": action.controller, "action": action.name}
                with pytest.raises(RouterError) as refused:
                    await server.sdk.as_user("t", "tenant").query({**named, **way})
                assert refused.value.id == "security.rights.forbidden", (named, about)
