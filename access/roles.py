"""Roles: which actions of which controllers are allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from access import topic_filters
from access.natives import NATIVE
from access.topic_filters import TopicFilters
from router.envelope import Json, JsonObject
from router.errors import RouterError

Actions: TypeAlias = Mapping[str, bool]

ALL: Final = "*"

_LOGIN: Final = ("auth", "login")


class Role(NamedTuple):
    """`controllers` says of each controller, or of `*`, which actions, or `*`, are allowed, and
    `topics` which topics the actions of the controller `mqtt` are allowed for."""

    id: str
    controllers: Mapping[str, Actions]
    topics: TopicFilters = MappingProxyType({})

    def allows(self, names: Sequence[tuple[str, str]]) -> bool:
        """Whether an action is allowed under any of its names.

        What is said of one controller hides what is said of `*`; so it is with actions.
        """
        named = [
            (controller, action) for controller, action in names if controller in self.controllers
        ]
        if not named:
            return _allows(self.controllers.get(ALL, {}), names[0][1])
        return any(_allows(self.controllers[controller], action) for controller, action in named)


def read(id: str, content: JsonObject) -> Role:
    """The role that a document or a body holds.

    Raises:
        RouterError: `api.assert.missing_argument`, `api.assert.empty_argument`,
            `api.assert.invalid_type`, with the path to what is wrong;
            `security.role.login_required` for an anonymous role by which nobody could log in.
    """
    controllers = _object(content.get("controllers"), "controllers")
    if not controllers:
        raise RouterError("api.assert.empty_argument", "body.controllers")
    allowed = {name: _actions(name, each) for name, each in controllers.items()}
    role = Role(id, allowed, _topics(controllers.get(topic_filters.CONTROLLER)))
    if id == "anonymous" and not role.allows([_LOGIN]):
        raise RouterError("security.role.login_required")
    return role


def check_names(role: Role, known: Mapping[str, Collection[str]], *, force: bool) -> None:
    """Let a role pass that names only what exists.

    Args:
        known: The actions of each controller of this router and its application.
        force: Let pass what neither the router nor the peer knows; the application that
            brings it may come later.

    Raises:
        RouterError: `security.role.unknown_controller`, `security.role.unknown_action`, which
            say what was probably meant.
    """
    for controller, actions in role.controllers.items():
        if controller == ALL:
            _check_actions(role.id, controller, actions, ())
            continue
        names = {*known.get(controller, ()), *NATIVE.get(controller, ())}
        if controller == topic_filters.CONTROLLER:
            names |= {*topic_filters.VERBS}
        if force and controller not in NATIVE:
            continue
        if not names:
            hint = _meant(controller, {*known, *NATIVE})
            raise RouterError("security.role.unknown_controller", role.id, controller, hint)
        _check_actions(role.id, controller, actions, names)


def _check_actions(id: str, controller: str, actions: Actions, known: Collection[str]) -> None:
    for action in actions:
        if action != ALL and action not in known:
            hint = _meant(action, known)
            raise RouterError("security.role.unknown_action", id, action, controller, hint)


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:128], sorted(known), 1)
    return f'Did you mean "{close[0]}"?' if close else ""


def _allows(actions: Actions, action: str) -> bool:
    return actions.get(action, actions.get(ALL, False))


def _actions(controller: str, value: Json) -> Actions:
    path = f"controllers.{controller}"
    actions = _object(_object(value, path).get("actions"), f"{path}.actions")
    if not actions:
        raise RouterError("api.assert.empty_argument", f"body.{path}.actions")
    for action, allowed in actions.items():
        if not isinstance(allowed, bool):
            raise RouterError("api.assert.invalid_type", f"body.{path}.actions.{action}", "boolean")
    return {action: allowed is True for action, allowed in actions.items()}


def _topics(value: Json) -> TopicFilters:
    if not isinstance(value, dict):
        return {}
    return topic_filters.read(value.get("topics"), f"controllers.{topic_filters.CONTROLLER}.topics")


def _object(value: Json, path: str) -> JsonObject:
    if value is None:
        raise RouterError("api.assert.missing_argument", f"body.{path}")
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", f"body.{path}", "object")
    return value
