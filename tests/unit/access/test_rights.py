"""Rights: the cases that a reader will ask for; tests/property/test_rights.py draws the others."""

import pytest

from access import roles
from access.rights import Grant, Rights
from router.actions import Action
from router.places import named


def action(controller, name, *aliases):
    return Action(
        controller=controller,
        name=name,
        handler=None,  # type: ignore[arg-type]
        places=named,
        summary="",
        aliases=aliases,
    )


def role(**controllers):
    content = {name.replace("_", "/"): {"actions": each} for name, each in controllers.items()}
    return roles.read("r", {"controllers": content})


GET = action("document", "get")
READER = role(document={"get": True})
BOUND = Grant(READER, {"tenant": frozenset({"assets"}), "shared": None})


@pytest.mark.parametrize(
    ("places", "allowed"),
    [
        ([], True),
        ([("tenant", "assets")], True),
        ([("tenant", "devices")], False),
        ([("tenant", None)], False),
        ([("shared", None)], True),
        ([("shared", "anything")], True),
        ([("other", "assets")], False),
        ([("shared", "x"), ("tenant", "assets")], True),
        ([("shared", "x"), ("other", "assets")], False),
    ],
)
def test_a_restriction_binds_every_place_that_is_named(places, allowed):
    assert Rights([BOUND]).allows(GET, places) is allowed


def test_grants_add_up():
    rights = Rights([BOUND, Grant(READER, {"tenant": frozenset({"devices"})})])
    assert rights.allows(GET, [("tenant", "devices"), ("tenant", "assets")])
    assert not rights.allows(GET, [("tenant", None)])
    assert Rights([BOUND, Grant(READER)]).allows(GET, [("other", None)])


def test_without_grants_nothing_is_allowed():
    assert not Rights([]).allows(GET, [])
    assert Rights([]).listed() == []


def test_what_is_said_of_one_controller_hides_what_is_said_of_all():
    rights = Rights(
        [
            Grant(
                roles.read(
                    "r",
                    {
                        "controllers": {
                            "*": {"actions": {"*": True}},
                            "document": {"actions": {"*": True, "delete": False}},
                        }
                    },
                )
            )
        ]
    )
    assert rights.allows(GET, [])
    assert not rights.allows(action("document", "delete"), [])
    assert rights.allows(action("index", "delete"), [])


def test_no_alias_is_a_way_around_what_is_denied():
    """The plural is denied by name; the singular must not be found under `*`."""
    controllers = {
        "*": {"actions": {"*": True}},
        "device-manager/assets": {"actions": {"update": False}},
    }
    rights = Rights([Grant(roles.read("r", {"controllers": controllers}))])
    singular = action("device-manager/asset", "update", ("device-manager/assets", "update"))
    assert not rights.allows(singular, [])


def test_rights_are_listed_one_by_one():
    assert Rights([BOUND]).listed() == [
        {
            "controller": "document",
            "action": "get",
            "index": index,
            "collection": collection,
            "value": "allowed",
        }
        for index, collection in (("tenant", "assets"), ("shared", "*"))
    ]


def test_names_from_outside_fill_no_memory():
    rights = Rights([Grant(READER)])
    for number in range(10_000):
        assert not rights.allows(action("nothing", f"a{number}"), [])
    assert len(rights._reaches) <= 4_096
