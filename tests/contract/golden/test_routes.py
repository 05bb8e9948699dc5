"""The HTTP routes of users, rights and credentials, as the peer lists them; SDKs choose by them."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.codec.route import RouteTable
from tests.contract.golden.replay import exchanges
from tests.support.inprocess import in_process

NOT_YET = {
    "security": {"createApiKey", "deleteApiKey", "revokeTokens", "searchApiKeys"},
    "auth": {
        *("createApiKey", "createToken", "deleteApiKey", "login", "logout", "refreshToken"),
        "searchApiKeys",
    },
    "admin": {
        *("dump", "loadFixtures", "loadMappings", "refreshIndexCache", "resetCache"),
        *("resetDatabase", "shutdown"),
    },
}


UNSERVED = {"debug": {"enable", "disable", "post", "addListener", "removeListener"}}
"""Refused by name, and so not listed."""


@pytest.mark.parametrize("controller", [*NOT_YET, "server", "cluster", "debug"])
async def test_routes_are_the_peers(controller: str) -> None:
    theirs = recorded_api()[controller]
    async with in_process() as router:
        ours = (await router.result("server:publicApi"))[controller]
    left_out = NOT_YET.get(controller, set()) | UNSERVED.get(controller, set())
    for name, described in theirs.items():
        if name in ours or name not in left_out:
            assert ours[name] == described
    if controller in UNSERVED:
        assert UNSERVED[controller].isdisjoint(ours)


@pytest.mark.parametrize("controller", ["ms", "memoryStorage", "debug"])
async def test_what_is_refused_by_name_is_so_under_the_peers_urls(controller: str) -> None:
    async with in_process() as router:
        routes = RouteTable(router.router.table)
        for name, described in recorded_api()[controller].items():
            if name == "nodeVersion":
                continue
            for route in described.get("http", []):
                path = route["url"].replace(":", "some-")
                found = routes.find(route["verb"], path)
                assert found is not None, route
                assert found.action.name == name
                assert found.action.is_unserved
            answer = await router.ask(f"{controller}:{name}")
            assert answer.status == (412 if controller == "debug" else 501), name
        assert controller == "debug" or controller not in await router.result("server:publicApi")


def recorded_api() -> Any:
    [recorded] = [each for each in exchanges("http") if each["name"] == "server:publicApi"]
    return recorded["response"]["body"]["result"]
