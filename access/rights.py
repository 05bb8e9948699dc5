"""What a set of roles, bound to places or not, allows; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from access import topic_filters
from access.roles import Role
from access.topic_filters import Asker, Verb
from router.actions import Action
from router.envelope import Json, JsonObject
from router.places import Place

Collections: TypeAlias = "frozenset[str] | None"
"""The collections of one index; None for all of them."""

Restriction: TypeAlias = Mapping[str, Collections]
"""The indexes that a role is bound to."""

# Names of actions that don't exist come from outside; no more of them are remembered than this.
_REMEMBERED: Final = 4_096


_EVERYTHING: Final = {"*": {"*": True}}


class Grant(NamedTuple):
    """A role, and where it holds: None for everywhere."""

    role: Role
    restriction: Restriction | None = None


class _Reach(NamedTuple):
    """Where an action is allowed: everywhere, or in some indexes, or nowhere at all."""

    everywhere: bool
    indexes: Restriction

    def covers(self, place: Place) -> bool:
        index, collection = place
        if index not in self.indexes:
            return False
        collections = self.indexes[index]
        # Who may do something with one collection may not do it with its whole index.
        return collections is None or collection in collections


class Rights:
    """What several grants allow together: an action, if any of them allows it in that place.

    A restriction binds the indexes that a request names (`Action.places`), however it names
    them; a request that names none is allowed. With several places each must be allowed.
    `is_everything`: nothing is left out, so that nothing needs to be asked.
    """

    __slots__ = ("_grants", "_reaches", "is_everything")

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = tuple(grants)
        self.is_everything = any(
            grant.restriction is None and grant.role.controllers == _EVERYTHING
            for grant in self._grants
        )
        self._reaches: dict[tuple[str, str], _Reach | None] = {}

    def allows(self, action: Action, places: Sequence[Place]) -> bool:
        """Whether an action is allowed in all of these places."""
        key = (action.controller, action.name)
        reach = self._reaches[key] if key in self._reaches else self._learn(key, action)
        if reach is None:
            return False
        return reach.everywhere or all(map(reach.covers, places))

    def topics(self, verb: Verb, asker: Asker) -> tuple[str, ...]:
        """The filters of all topics that a client may publish on, or subscribe to.

        A role that is bound to some collections of an index has no topics of that index.
        """
        name = (topic_filters.CONTROLLER, verb)
        found: dict[str, None] = {}
        for role, restriction in self._grants:
            if role.allows([name]):
                bound = None if restriction is None else _whole(restriction)
                filters = role.topics.get(verb, topic_filters.default(bound))
                found.update(dict.fromkeys(topic_filters.expand(filters, asker, bound)))
        return tuple(found)

    def listed(self) -> list[Json]:
        """Every right as `{controller, action, index, collection, value}`; `*` stands for all."""
        found: dict[tuple[str, str, str, str], bool] = {}
        for role, restriction in self._grants:
            for place in _listed(restriction):
                for controller, actions in role.controllers.items():
                    for action, allowed in actions.items():
                        right = (controller, action, *place)
                        found[right] = found.get(right, False) or allowed
        return [_right(names, allowed) for names, allowed in found.items()]

    def _learn(self, key: tuple[str, str], action: Action) -> _Reach | None:
        if len(self._reaches) >= _REMEMBERED:
            self._reaches.clear()
        reach = self._reaches[key] = _reach(
            [grant.restriction for grant in self._grants if grant.role.allows(action.rights)]
        )
        return reach


def _reach(restrictions: Sequence[Restriction | None]) -> _Reach | None:
    if not restrictions:
        return None
    indexes: dict[str, Collections] = {}
    for restriction in restrictions:
        if restriction is None:
            return _Reach(everywhere=True, indexes={})
        for index, collections in restriction.items():
            indexes[index] = _together(indexes.get(index, frozenset()), collections)
    return _Reach(everywhere=False, indexes=indexes)


def _together(one: Collections, other: Collections) -> Collections:
    return None if one is None or other is None else one | other


def _whole(restriction: Restriction) -> list[str]:
    return [index for index, collections in restriction.items() if collections is None]


def _listed(restriction: Restriction | None) -> list[tuple[str, str]]:
    if restriction is None:
        return [("*", "*")]
    return [
        (index, collection)
        for index, collections in restriction.items()
        for collection in (["*"] if collections is None else sorted(collections))
    ]


def _right(names: tuple[str, str, str, str], allowed: bool) -> JsonObject:
    controller, action, index, collection = names
    return {
        "controller": controller,
        "action": action,
        "index": index,
        "collection": collection,
        "value": "allowed" if allowed else "denied",
    }
