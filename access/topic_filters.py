"""Which topics roles allow: filters with places for whoever asks; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from router import topics
from router.envelope import Json
from router.errors import RouterError

Verb: TypeAlias = Literal["publish", "subscribe"]

VERBS: Final[tuple[Verb, ...]] = ("publish", "subscribe")

CONTROLLER: Final = "mqtt"
"""What roles call it: an action for each verb."""

TopicFilters: TypeAlias = Mapping[str, tuple[str, ...]]
"""What a role says of the topics of each verb; a verb that it says nothing of has all."""

Bound: TypeAlias = "Sequence[str] | None"
"""The indexes that a role is bound to as a whole; None for a role that is not bound."""

_EVERYTHING: Final = ("#",)
_OF_INDEX: Final = ("{index}/#",)
_INDEX: Final = "{index}"
_PLACES: Final = re.compile(r"\{[^/{}]*\}")
_KNOWN: Final = frozenset({_INDEX, "{userId}", "{clientId}"})
_UNSAFE: Final = re.compile(r"[/+#\x00]")
_EXPECTED: Final = "a topic filter, with {index} (a level of its own), {userId} and {clientId}"


class Asker(NamedTuple):
    """Who wants to use a topic. Anybody may call himself anything by the client id."""

    user_id: str
    client_id: str


def read(value: Json, path: str) -> TopicFilters:
    """What a role's document or body says under `topics`.

    Raises:
        RouterError: `api.assert.invalid_type`, `api.assert.invalid_argument`,
            `api.assert.unexpected_argument`, with the path to what is wrong.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", f"body.{path}", "object")
    for verb in value:
        if verb not in VERBS:
            expected = '"publish", "subscribe"'
            raise RouterError("api.assert.unexpected_argument", f"body.{path}.{verb}", expected)
    return {verb: _filters(each, f"body.{path}.{verb}") for verb, each in value.items()}


def expand(filters: Iterable[str], asker: Asker, bound: Bound) -> tuple[str, ...]:
    """The filters with every place filled in for one client.

    One that can't be, since the client's name would change what it means, gives nothing.
    """
    indexes = ["+"] if bound is None else [each for each in bound if _is_safe(each)]
    places = {"{userId}": asker.user_id, "{clientId}": asker.client_id}
    safe = {place: value for place, value in places.items() if _is_safe(value)}
    found = []
    for template in filters:
        named = set(_PLACES.findall(template))
        if named <= {_INDEX, *safe}:
            for index in indexes if _INDEX in named else [""]:
                found.append(_filled(template, {**safe, _INDEX: index}))
    return tuple(found)


def _filled(template: str, values: Mapping[str, str]) -> str:
    # In one go: what a client calls itself is never read as a place.
    return _PLACES.sub(lambda place: values[place.group()], template)


def _is_safe(value: str) -> bool:
    return bool(value) and not _UNSAFE.search(value)


def default(bound: Bound) -> tuple[str, ...]:
    """The filters of a role that names none: whoever is bound to indexes has the topics whose
    first level is the name of one."""
    return _EVERYTHING if bound is None else _OF_INDEX


def _filters(value: Json, path: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise RouterError("api.assert.invalid_type", path, "array")
    return tuple(_filter(each, f"{path}[{number}]") for number, each in enumerate(value))


def _filter(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise RouterError("api.assert.invalid_type", path, "string")
    is_known = set(_PLACES.findall(value)) <= _KNOWN
    is_level = all(level == _INDEX or _INDEX not in level for level in value.split("/"))
    if not (is_known and is_level and topics.is_filter(value)) or topics.is_shared(value):
        raise RouterError("api.assert.invalid_argument", path, _EXPECTED)
    return value
