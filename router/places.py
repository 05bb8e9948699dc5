"""Where a request acts: the indexes and collections that it names, which rights are bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from router.envelope import Json, Request

Place: TypeAlias = "tuple[str, str | None]"
"""An index, and a collection in it; None for the index as a whole."""

Places: TypeAlias = Callable[[Request], Sequence[Place]]
"""Finds every place that a request names. Never raises: what has the wrong type names nothing,
and the handler refuses it."""

_NONE: Final[tuple[Place, ...]] = ()

# No index can be called so.
_ALL: Final[tuple[Place, ...]] = (("*", None),)


def nowhere(_: Request) -> Sequence[Place]:
    """No place: the action is about none, or about all that there are."""
    return _NONE


def everywhere(_: Request) -> Sequence[Place]:
    """All places at once: a right that is bound to some doesn't do."""
    return _ALL


def named(request: Request) -> Sequence[Place]:
    """The arguments `index` and `collection`."""
    index = request.index
    return ((index, request.collection or None),) if index else _NONE


def body_indexes(request: Request) -> Sequence[Place]:
    """Every index in the body's `indexes`."""
    body = request.body
    names = body.get("indexes") if isinstance(body, dict) else None
    return [(name, None) for name in _texts(names)]


def engine(request: Request) -> Sequence[Place]:
    """An engine as a whole, by `engineId` or `index`; both where a request names both."""
    return [(name, None) for name in _engines(request)]


def engine_assets(request: Request) -> Sequence[Place]:
    """The assets of an engine, named in the same way."""
    return [(name, "assets") for name in _engines(request)]


def own(request: Request) -> Sequence[Place]:
    """What an application's action may go by: `index` or `engineId`, and `collection`."""
    collection = request.collection or None
    return [(name, collection) for name in _engines(request)]


def _engines(request: Request) -> list[str]:
    return _texts([request.args.get("index"), request.args.get("engineId")])


def _texts(values: Json) -> list[str]:
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, str) and value]
