"""The action table finds actions, refuses duplicates, and describes itself to SDKs."""

from __future__ import annotations

import pytest

from router.actions import ActionTable, Route
from router.envelope import Json, Request
from tests.support.requests import action, refused


async def nothing(request: Request) -> Json:
    return None


def test_actions_are_found_by_name() -> None:
    get = action("document:get", nothing)
    table = ActionTable([get, action("server:now", nothing)])
    assert table.find("document", "get") is get
    assert table.has("document", "get")


def test_what_is_not_there_is_refused() -> None:
    table = ActionTable([action("document:get", nothing)])
    assert refused(lambda: table.find("docs", "get")) == (
        "api.process.controller_not_found",
        ["docs"],
    )
    assert refused(lambda: table.find("document", "got")) == (
        "api.process.action_not_found",
        ["document", "got"],
    )
    assert not table.has("docs", "get")
    assert not table.has("document", "got")


def test_a_name_is_declared_once() -> None:
    table = ActionTable([action("a:b", nothing)])
    with pytest.raises(ValueError, match="a:b is declared twice"):
        table.add(action("a:b", nothing))


@pytest.mark.parametrize("path", ["/:index/x", "/:engine/x"])
def test_a_route_leads_to_one_action(path: str) -> None:
    table = ActionTable([action("a:b", nothing, routes=(Route("GET", "/:index/x"),))])
    other = action("a:c", nothing, routes=(Route("GET", path),))
    assert refused(lambda: table.add(other)) == ("network.http.duplicate_url", [f"GET {path}"])
    table.add(action("a:d", nothing, routes=(Route("PUT", path),)))


def test_the_public_api_lists_routes_in_their_order() -> None:
    routes = (Route("GET", "/x"), Route("POST", "/x"))
    table = ActionTable([action("a:b", nothing, routes=routes), action("c:d", nothing)])
    assert table.public_api() == {
        "a": {
            "b": {
                "action": "b",
                "controller": "a",
                "http": [
                    {"path": "/x", "url": "/x", "verb": "GET"},
                    {"path": "/x", "url": "/x", "verb": "POST"},
                ],
            }
        },
        "c": {"d": {"action": "d", "controller": "c"}},
    }


def test_the_table_gives_its_actions_in_order() -> None:
    names = ["a:b", "c:d", "a:e"]
    table = ActionTable(action(name, nothing) for name in names)
    assert [f"{one.controller}:{one.name}" for one in table] == ["a:b", "a:e", "c:d"]


def test_an_alias_counts_for_rights() -> None:
    one = action("device-manager/asset:update", nothing, aliases=(("x", "y"),))
    assert one.rights == (("device-manager/asset", "update"), ("x", "y"))


def test_events_are_named_as_the_peer_names_them() -> None:
    one = action("document:mCreate", nothing)
    assert (one.before_event, one.after_event, one.error_event) == (
        "document:beforeMCreate",
        "document:afterMCreate",
        "document:errorMCreate",
    )
