"""What users change about themselves once they are logged in, on every wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.people import ADA, login, peopled
from tests.support.wires import WIRES, Payload, Wire
from trivium.server import Server

CHANGED = {"username": "ada.l", "password": "another long password"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled() as started:
        # The standard rights leave one's own credentials to administrators.
        body: Any = {"controllers": {"auth": {"actions": {"*": True}}}}
        await started.sdk.of("security").createOrReplaceRole(_id="default", body=body)
        yield started


@pytest.fixture(params=WIRES)
async def wire(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Wire]:
    opened = await WIRES[request.param](server.port, server.mqtt_port)
    yield opened
    await opened.close()


class Ada:
    """Ada, logged in on a wire."""

    def __init__(self, wire: Wire, jwt: str) -> None:
        self._wire = wire
        self._jwt = jwt

    async def ask(self, action: str, body: Any = None, **arguments: Any) -> Payload:
        request = {"controller": "auth", "action": action, "jwt": self._jwt, **arguments}
        return await self._wire.ask(request if body is None else {**request, "body": body})

    async def result(self, action: str, body: Any = None, **arguments: Any) -> Any:
        answer = await self.ask(action, body, **arguments)
        assert (answer["error"], answer["status"]) == (None, 200), (action, answer["error"])
        return answer["result"]

    async def local(self, action: str, body: Any = None) -> Any:
        return await self.result(action, body, strategy="local")


@pytest.fixture
async def ada(wire: Wire) -> Ada:
    logged = await wire.ask(login(ADA))
    return Ada(wire, logged["result"]["jwt"])


async def test_content(ada: Ada) -> None:
    changed = await ada.result("updateSelf", {"name": "Ada", "team": {"lead": True}})
    assert (changed["_id"], changed["_source"]["name"]) == ("ada-id", "Ada")
    await ada.result("updateSelf", {"name": "Ada L."}, refresh="wait_for")
    me = await ada.result("getCurrentUser")
    stamp = me["_source"].pop("_kuzzle_info")
    assert stamp["updater"] == "ada-id"
    assert me["_source"] == {"profileIds": ["default"], "name": "Ada L.", "team": {"lead": True}}
    assert me["strategies"] == ["local"]


@pytest.mark.parametrize("field", ["_id", "profileIds"])
async def test_rights_are_not_ones_own(ada: Ada, field: str) -> None:
    answer = await ada.ask("updateSelf", {"name": "Eve", field: ["admin"]})
    assert answer["error"]["id"] == "api.assert.forbidden_argument"
    me = await ada.result("getCurrentUser")
    assert (me["_source"]["profileIds"], "name" in me["_source"]) == (["default"], False)


async def test_changed_credentials(ada: Ada, wire: Wire) -> None:
    assert await ada.local("credentialsExist") is True
    assert (await wire.ask(login(CHANGED)))["status"] == 401
    changed = await ada.local("updateMyCredentials", CHANGED)
    assert changed["username"] == "ada.l"
    assert "password" not in changed
    assert await ada.local("getMyCredentials") == {"username": "ada.l", "kuid": "ada-id"}
    assert (await wire.ask(login(CHANGED)))["result"]["_id"] == "ada-id"
    assert (await wire.ask(login(ADA)))["status"] == 401


async def test_credentials_deleted_and_made_anew(ada: Ada, wire: Wire) -> None:
    assert await ada.local("deleteMyCredentials") == {"acknowledged": True}
    assert await ada.local("credentialsExist") is False
    assert (await wire.ask(login(ADA)))["error"]["id"] == "plugin.strategy.missing_user"
    # The token of the log-in before still speaks for its user.
    assert (await ada.result("getCurrentUser"))["strategies"] == []
    assert await ada.local("validateMyCredentials", CHANGED) is True
    assert await ada.local("credentialsExist") is False
    made = await ada.local("createMyCredentials", CHANGED)
    assert made["username"] == "ada.l"
    assert "password" not in made
    assert (await wire.ask(login(CHANGED)))["result"]["_id"] == "ada-id"
