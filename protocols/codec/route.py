"""The route table: from a verb and a URL to an action and the arguments that the URL holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from router.actions import Action
from router.envelope import Json, JsonObject

_BAD_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_SLASHES: Final = re.compile("/{2,}")


class Match(NamedTuple):
    """The action that a URL leads to, and the values of its `:name` segments, decoded."""

    action: Action
    args: dict[str, str]


class _Leaf(NamedTuple):
    action: Action
    names: tuple[str, ...]


class _Node:
    __slots__ = ("leaves", "literal", "parameter")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.leaves: dict[str, _Leaf] = {}


class RouteTable:
    """All HTTP routes of some actions, compiled into a tree of path segments.

    A literal segment beats a `:name`, as in the peer (Kuzzle reference 2.1). Where the
    literal way leads nowhere the search goes back and takes the `:name`, so that an index
    which is called as a literal (`users`) stays reachable.
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        self._root = _Node()
        self._literal: dict[tuple[str, str], Match] = {}
        for action in actions:
            for route in action.routes:
                self._add(route.verb, route.path, action)

    def find(self, verb: str, path: str) -> Match | None:
        """The action of a normal path (see `normal`), None if no route leads there.

        HEAD asks for what GET would answer (RFC 9110, 9.3.2).
        """
        if verb == "HEAD":
            verb = "GET"
        match = self._literal.get((verb, path))
        if match is not None:
            return Match(match.action, {})
        values: list[str] = []
        leaf = _walk(self._root, path.split("/"), 1, verb, values)
        if leaf is None:
            return None
        if "%" in path:
            values = [decoded(value) for value in values]
        return Match(leaf.action, dict(zip(leaf.names, values, strict=True)))

    def _add(self, verb: str, path: str, action: Action) -> None:
        node, names = self._root, []
        for segment in normal(path).split("/")[1:]:
            if segment.startswith(":"):
                names.append(segment[1:])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        node.leaves[verb] = _Leaf(action, tuple(names))
        if not names:
            self._literal[verb, normal(path)] = Match(action, {})


def normal(path: str) -> str:
    """The path with repeated slashes as one and without a slash at its end; `/` stays."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path[:-1] if path.endswith("/") and len(path) > 1 else path


def decoded(segment: str) -> str:
    """A path segment without its percent escapes; kept as it is where they make no UTF-8 text."""
    if "%" not in segment:
        return segment
    if _BAD_PERCENT.search(segment):
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return segment


def query_arguments(query: str) -> JsonObject:
    """The arguments of a query string: texts, an array of texts where a key is repeated.

    A key without a value is the empty text. Escapes that make no UTF-8 become U+FFFD.
    """
    args: dict[str, Json] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        known = args.get(key)
        if known is None:
            args[key] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            args[key] = [known, value]
    return args


def _walk(node: _Node, parts: list[str], at: int, verb: str, values: list[str]) -> _Leaf | None:
    # Visits each node of the tree at most once, and no deeper than the longest route.
    if at == len(parts):
        return node.leaves.get(verb)
    part = parts[at]
    literal = node.literal.get(part)
    if literal is not None:
        found = _walk(literal, parts, at + 1, verb, values)
        if found is not None:
            return found
    if node.parameter is None or not part:
        return None
    values.append(part)
    found = _walk(node.parameter, parts, at + 1, verb, values)
    if found is None:
        values.pop()
    return found
