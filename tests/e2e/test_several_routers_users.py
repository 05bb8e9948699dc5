"""Router processes that share one OpenSearch: who may do what is the same on each of them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.needs("opensearch")

# A second until a router looks by itself; the rest is for a busy machine.
SOON_S = 60.0
ROOT = {"username": "root", "password": "root's long password"}
ADA = {"username": "ada", "password": "ada's long password"}


def ask(server: Server, request: dict[str, Any], jwt: str = "") -> Any:
    """The envelope that a request is answered with."""
    headers = {"content-type": "application/json"}
    if jwt:
        headers["authorization"] = f"Bearer {jwt}"
    sent = urllib.request.Request(
        server.url + "/_query", data=json.dumps(request).encode(), method="POST", headers=headers
    )
    try:
        with urllib.request.urlopen(sent, timeout=SOON_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def asked(action: str, body: Any = None, **arguments: Any) -> dict[str, Any]:
    controller, _, name = action.partition(":")
    return {"controller": controller, "action": name, "body": body or {}, **arguments}


def result(server: Server, action: str, body: Any = None, *, jwt: str = "", **more: Any) -> Any:
    """The result of a request that must succeed."""
    answer = ask(server, asked(action, body, **more), jwt)
    assert answer["status"] == 200, answer
    return answer["result"]


def soon(attempt: Callable[[], Any], expected: object) -> None:
    """This has that outcome at once or a little later."""
    ends = time.monotonic() + SOON_S
    while (found := attempt()) != expected:
        assert time.monotonic() < ends, found


def a_user(login: dict[str, str], *profiles: str) -> Any:
    content = {"profileIds": list(profiles)} if profiles else {}
    return {"content": content, "credentials": {"local": login}}


def log_in(server: Server, login: dict[str, str]) -> str:
    told: str = result(server, "auth:login", login, strategy="local")["jwt"]
    return told


def test_what_one_router_takes_away_the_other_refuses(pair: tuple[Server, Server]) -> None:
    first, second = pair
    result(first, "security:createFirstAdmin", a_user(ROOT), _id="root", reset=True)
    # Without a token anybody could do everything until now; on the other one as well.
    soon(lambda: ask(second, asked("security:searchUsers"))["status"], 401)
    root = log_in(first, ROOT)
    result(first, "security:createUser", a_user(ADA, "admin"), jwt=root, _id="ada")
    ada = log_in(second, ADA)
    key = result(first, "security:createApiKey", {"description": "x"}, jwt=root, userId="ada")

    def status(jwt: str) -> int:
        told: int = ask(second, asked("server:info"), jwt)["status"]
        return told

    soon(lambda: status(ada), 200)
    assert status(key["_source"]["token"]) == 200
    result(first, "security:deleteApiKey", jwt=root, userId="ada", _id=key["_id"])
    soon(lambda: status(key["_source"]["token"]), 401)
    assert status(ada) == 200
    # The role behind her profile, then the profile of hers.
    nothing = {"controllers": {"server": {"actions": {"now": True}}}}
    result(first, "security:createRole", nothing, jwt=root, _id="clock")
    policies = {"policies": [{"roleId": "clock"}]}
    result(first, "security:createProfile", policies, jwt=root, _id="clocks")
    result(first, "security:updateUser", {"profileIds": ["clocks"]}, jwt=root, _id="ada")
    soon(lambda: status(ada), 403)
    more = {"controllers": {"server": {"actions": {"*": True}}}}
    result(first, "security:updateRole", more, jwt=root, _id="clock")
    soon(lambda: status(ada), 200)
    result(first, "security:revokeTokens", jwt=root, _id="ada")
    soon(lambda: status(ada), 401)
    # Credentials are not remembered by anybody.
    changed = {"password": "another long password"}
    result(first, "security:updateCredentials", changed, jwt=root, _id="ada", strategy="local")
    assert ask(second, asked("auth:login", ADA, strategy="local"))["status"] == 401
    ada = log_in(second, {**ADA, **changed})
    assert status(ada) == 200
    result(first, "security:deleteUser", jwt=root, _id="ada")
    soon(lambda: status(ada), 401)


def test_two_routers_make_one_first_administrator(pair: tuple[Server, Server]) -> None:
    def make(server: Server) -> Any:
        name = f"root{server.port}"
        login = {**ROOT, "username": name}
        return ask(server, asked("security:createFirstAdmin", a_user(login), _id=name))

    with ThreadPoolExecutor(len(pair)) as pool:
        answers = list(pool.map(make, pair))
    assert sorted(each["status"] for each in answers) == [200, 412], answers
    refused = next(each for each in answers if each["status"] == 412)
    assert refused["error"]["id"] == "api.process.admin_exists"
    made = next(each for each in answers if each["status"] == 200)["result"]["_id"]
    for server in pair:
        assert result(server, "server:adminExists") == {"exists": True}
        login = {**ROOT, "username": made}
        soon(partial(is_let_in, server, login), True)
    found = result(pair[0], "security:searchUsers", jwt=log_in(pair[0], login))
    assert [each["_id"] for each in found["hits"]] == [made]


def is_let_in(server: Server, login: dict[str, str]) -> bool:
    told: bool = ask(server, asked("auth:login", login, strategy="local"))["status"] == 200
    return told
