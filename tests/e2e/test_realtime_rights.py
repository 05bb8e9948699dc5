"""Subscriptions end with the rights, the token and the user that they rest on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from storage.contract import Author
from tests.support.people import ADA, ROOT, add_user, login, peopled
from tests.support.websocket import until
from trivium.server import Server

PLACE = {"index": "lab", "collection": "things"}
LISTENER: Any = {
    "controllers": {"realtime": {"actions": {"*": True}}, "auth": {"actions": {"*": True}}}
}
BOB = {"username": "bob", "password": "bob's long password"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled() as started:
        core = started.core
        await core.storage.create_collection("lab", "things")
        await core.register.roles.write("create", "listener", LISTENER, Author())
        bound: Any = {"policies": [{"roleId": "listener", "restrictedTo": [{"index": "lab"}]}]}
        await core.register.profiles.write("create", "listeners", bound, Author())
        await add_user(core, "bob-id", BOB, "listeners")
        yield started


class Client:
    """A WebSocket whose answers and notifications are told apart."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.notices: list[Any] = []
        self.jwt = ""

    async def ask(self, **request: Any) -> Any:
        token = {"jwt": self.jwt} if self.jwt else {}
        await self.socket.send(json.dumps({"requestId": "q", **token, **request}))
        while True:
            message = await self.hear()
            if message.get("room") == "q":
                return message
            self.notices.append(message)

    async def hear(self) -> Any:
        return json.loads(await asyncio.wait_for(self.socket.recv(), 60))

    async def log_in(self, who: dict[str, str], **more: Any) -> None:
        self.jwt = ""
        self.jwt = (await self.ask(**login(who, **more)))["result"]["jwt"]

    async def subscribe(self, **place: str) -> Any:
        place = place or PLACE
        return await self.ask(controller="realtime", action="subscribe", body={}, **place)


@pytest.fixture
async def bob(server: Server) -> AsyncIterator[Client]:
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        client = Client(socket)
        await client.log_in(BOB)
        yield client


def rooms(server: Server) -> int:
    return len(server.core.realtime.notifier.rooms)


async def test_one_listens_where_one_may_and_nowhere_else(server: Server, bob: Client) -> None:
    room = (await bob.subscribe())["result"]["roomId"]
    refused = await bob.subscribe(index="secret", collection="things")
    assert refused["error"]["id"] == "security.rights.forbidden"
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        root = Client(socket)
        await root.log_in(ROOT)
        secret = await root.subscribe(index="secret", collection="things")
        body = {"roomId": secret["result"]["roomId"]}
        for action in ("join", "count"):
            guessed = await bob.ask(controller="realtime", action=action, body=body)
            assert guessed["error"]["id"] == "security.rights.forbidden"
        seen = await bob.ask(controller="realtime", action="list")
        assert seen["result"] == {"lab": {"things": {room: 1}}}
        publish = {"controller": "realtime", "action": "publish", "body": {}}
        await root.ask(**publish, index="secret", collection="things")
        assert len(root.notices) == 1
        assert bob.notices == []


@pytest.mark.parametrize("change", ["role", "profile", "user", "deleted"])
async def test_a_subscription_ends_with_the_right_to_it(
    server: Server, bob: Client, change: str
) -> None:
    await bob.subscribe()
    register = server.core.register
    elsewhere: Any = {"policies": [{"roleId": "listener", "restrictedTo": [{"index": "other"}]}]}
    nothing: Any = {"controllers": {"auth": {"actions": {"*": True}}}}
    if change == "role":
        await register.roles.write("replace", "listener", nothing, Author())
    elif change == "profile":
        await register.profiles.write("replace", "listeners", elsewhere, Author())
    elif change == "user":
        await register.users.update("bob-id", {"profileIds": ["default"]}, Author())
    else:
        await register.users.keeping.delete("bob-id", Author())
    await until(lambda: not rooms(server), "he is out")


async def test_other_changes_end_nothing(server: Server, bob: Client) -> None:
    await bob.subscribe()
    more: Any = {"controllers": {**LISTENER["controllers"], "document": {"actions": {"get": True}}}}
    await server.core.register.roles.write("replace", "listener", more, Author())
    eve = {"username": "eve", "password": "eve's long password"}
    await add_user(server.core, "eve-id", eve, "admin")
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        root = Client(socket)
        await root.log_in(ROOT)
        await root.ask(controller="realtime", action="publish", body={"n": 1}, **PLACE)
    assert (await bob.hear())["result"]["_source"]["n"] == 1


async def test_a_subscription_ends_with_its_token(server: Server, bob: Client) -> None:
    await bob.log_in(BOB, expiresIn=4_000)
    await bob.subscribe()
    assert (await bob.hear())["type"] == "TokenExpired"
    await until(lambda: not rooms(server), "he is out")
    await bob.log_in(BOB)
    await bob.subscribe()
    assert rooms(server) == 1


async def test_a_subscription_ends_with_the_logout(server: Server, bob: Client) -> None:
    await bob.subscribe()
    await bob.ask(controller="auth", action="logout")
    await until(lambda: not rooms(server), "he is out")
    assert bob.notices == []


async def test_strangers_do_not_listen(server: Server) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        stranger = Client(socket)
        refused = await stranger.subscribe()
        assert refused["error"]["id"] == "security.rights.unauthorized"
        await stranger.log_in(ADA)
        refused = await stranger.subscribe()
        assert refused["error"]["id"] == "security.rights.forbidden"
