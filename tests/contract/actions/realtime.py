"""The realtime actions as far as they are the same on every wire; who can be told of something
later is shown in tests/contract/golden and tests/e2e."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.steps import Payload, Step

PLACE: Payload = {"index": "lab", "collection": "things"}
SUBSCRIBE: Payload = {**PLACE, "controller": "realtime", "action": "subscribe", "body": {}}
JOIN: Payload = {"controller": "realtime", "action": "join", "body": {"roomId": "none"}}
PUBLISH: Payload = {**PLACE, "controller": "realtime", "action": "publish", "body": {"n": 1}}
VALIDATE: Payload = {**PUBLISH, "action": "validate"}
OF_A_ROOM = tuple(
    {"controller": "realtime", "action": action, "body": {"roomId": "none"}}
    for action in ("count", "join", "unsubscribe")
)


def _refused(ask: Payload, error: str, why: str, status: int = 400) -> Step:
    about = f"{ask['controller']}:{ask['action']} {why}"
    return Step(about=about, ask=ask, status=status, error=error)


def _without(ask: Payload, key: str) -> Payload:
    return {name: value for name, value in ask.items() if name != key}


def _asserting(ask: Payload, names: tuple[str, ...]) -> list[Step]:
    missing, wrong = "api.assert.missing_argument", "api.assert.invalid_type"
    return [
        _refused(_without(ask, "body"), "api.assert.body_required", "without a body"),
        *(_refused(_without(ask, name), missing, f"without {name}") for name in names),
        *(_refused({**ask, name: 5}, wrong, f"with {name} 5") for name in names),
    ]


def _of_a_room(ask: Payload) -> list[Step]:
    bodies: tuple[tuple[Any, str], ...] = (
        ({}, "api.assert.missing_argument"),
        ({"roomId": 5}, "api.assert.invalid_type"),
    )
    return [
        _refused(_without(ask, "body"), "api.assert.body_required", "without a body"),
        *(_refused({**ask, "body": body}, error, f"with {body}") for body, error in bodies),
    ]


def _choices(ask: Payload) -> list[Step]:
    return [
        _refused({**ask, name: "some"}, f"core.realtime.invalid_{name}", f"with {name} some")
        for name in ("scope", "users")
    ]


def _starts(ask: Payload) -> list[Step]:
    return [
        _refused({**ask, "from": "17000"}, "trivium.feed.gone", "from the future", 410),
        _refused({**ask, "from": "x:1"}, "trivium.feed.gone", "from another feed", 410),
        _refused({**ask, "from": "once"}, "api.assert.invalid_argument", "from once"),
    ]


REALTIME: list[Step] = [
    Step(
        about="nobody listens",
        ask={"controller": "realtime", "action": "list"},
        sees=lambda result: result == {},
    ),
    Step(about="a message", ask=PUBLISH, sees=lambda result: result == {"published": True}),
    Step(about="a message by an id", ask={**PUBLISH, "_id": "m1"}),
    Step(about="an empty room", ask=OF_A_ROOM[0], sees=lambda result: result == {"count": 0}),
    _refused(JOIN, "core.realtime.room_not_found", "of no room", 404),
    *_choices(JOIN),
    *_starts(JOIN),
    *(step for ask in OF_A_ROOM for step in _of_a_room(ask)),
    *_asserting(PUBLISH, ("index", "collection")),
    Step(
        about="a message without specifications",
        ask=VALIDATE,
        sees=lambda result: result == {"valid": True, "errorMessages": {}},
    ),
    *_asserting(VALIDATE, ("index", "collection")),
    *_asserting(SUBSCRIBE, ("index", "collection")),
    *_choices(SUBSCRIBE),
    _refused({**SUBSCRIBE, "body": {"nope": 1}}, "api.assert.koncorde_dsl_error", "badly"),
    *_starts(SUBSCRIBE),
]
