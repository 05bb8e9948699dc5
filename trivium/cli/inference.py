"""What the words after `trivium call` mean: Kourou's rules, so that its commands work unchanged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from router.envelope import Json, JsonObject

# The places after controller:action, and whether a word with `{` there is the body instead.
_PLACES: Final = (("index", True), ("collection", False), ("id", True), ("body", False))

_SWITCHES: Final = {"true": True, "false": False}


class UsageError(Exception):
    """A command line that makes no sense; the message is one line."""


@dataclass(frozen=True, slots=True)
class Given:
    """The flags of a call; None where one wasn't given."""

    index: str | None = None
    collection: str | None = None
    id: str | None = None
    body: str | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """What a call is about. `body` is the text of it, still to be read."""

    controller: str
    action: str
    index: str | None
    collection: str | None
    id: str | None
    body: str | None


def infer(words: Sequence[str], given: Given) -> Inferred:
    """Give each word its meaning by its place.

    After `controller:action`: the index, the collection, the id, each unless its flag was
    given; in the first and third place a word with `{` is the body, unless `--body` was
    given; the fourth is the body.

    Raises:
        UsageError: No `:` in the first word, or more words than places.

    Source: Kourou 1.2, hooks/command_not_found.
    """
    controller, colon, action = (words[0] if words else "").partition(":")
    if not (controller and colon and action):
        raise UsageError(f"{words[0] if words else 'nothing'} is no controller:action")
    found = {
        "index": given.index,
        "collection": given.collection,
        "id": given.id,
        "body": given.body,
    }
    rest = deque(words[1:])
    for name, may_be_body in _PLACES:
        if rest and may_be_body and "{" in rest[0] and found["body"] is None:
            found["body"] = rest.popleft()
        elif rest and found[name] is None:
            found[name] = rest.popleft()
    if rest:
        raise UsageError(f"Unexpected argument: {rest[0]}")
    return Inferred(controller=controller, action=action, **found)


def request_of(inferred: Inferred, given: Given, body: Json, *, as_text: bool) -> JsonObject:
    """The request to send. `-a` wins over everything of the same name but the body.

    Args:
        as_text: Leave `true` and `false` of `-a` as text, as HTTP's query is text anyway.

    Raises:
        UsageError: An `-a` without `=`.
    """
    named: JsonObject = {
        "controller": inferred.controller,
        "action": inferred.action,
        "index": inferred.index,
        "collection": inferred.collection,
        "_id": inferred.id,
    }
    request = {name: value for name, value in named.items() if value is not None}
    for argument in given.arguments:
        name, equals, value = argument.partition("=")
        if not (name and equals):
            raise UsageError(f'-a takes name=value, not "{argument}"')
        request[name] = value if as_text else _SWITCHES.get(value, value)
    return {**request, "body": body}
