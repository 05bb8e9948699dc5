"""Which HTTP request an action is: the choice that Kuzzle's SDKs make from the public API."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode

from router.envelope import Json, JsonObject

_NOT_ARGUMENTS = frozenset({"controller", "action", "body", "requestId", "jwt", "volatile"})


class NoRouteError(Exception):
    """The router lists no HTTP route for the action, or an argument of its path is missing."""


class HttpRequest(NamedTuple):
    """One HTTP request; `target` is path and query."""

    verb: str
    target: str
    body: Json


def choose(request: JsonObject, public_api: JsonObject) -> HttpRequest:
    """The HTTP request for an API request.

    Of several routes the one with the shortest path is taken whose parameters are given;
    arguments that the path doesn't hold go into the query.

    Args:
        public_api: `{controller: {action: {"http": [{"verb", "path"}]}}}`.

    Raises:
        NoRouteError: See there.
    """
    name = f"{request.get('controller')}:{request.get('action')}"
    args = {key: value for key, value in request.items() if key not in _NOT_ARGUMENTS}
    routes = _routes(public_api, str(request.get("controller")), str(request.get("action")))
    if not routes:
        raise NoRouteError(f'No URL found for "{name}".')
    missing = [_missing(path, args) for _, path in routes]
    possible = [route for route, lacks in zip(routes, missing, strict=True) if not lacks]
    if not possible:
        raise NoRouteError(f'Missing URL param "{missing[0][0]}" in "{routes[0][1]}"')
    verb, path = min(possible, key=lambda route: len(route[1]))
    used = set(_parameters(path))
    target = "/".join(
        quote(str(args[part[1:]]), safe="") if part.startswith(":") else part
        for part in path.split("/")
    )
    query = {key: _text(value) for key, value in args.items() if key not in used}
    query = {key: value for key, value in query.items() if value is not None}
    return HttpRequest(verb, f"{target}?{urlencode(query)}" if query else target, request["body"])


def _routes(public_api: JsonObject, controller: str, action: str) -> list[tuple[str, str]]:
    described: Json = public_api
    for key in (controller, action, "http"):
        described = described.get(key) if isinstance(described, dict) else None
    listed = described if isinstance(described, list) else []
    return [(str(it["verb"]), str(it["path"])) for it in listed if isinstance(it, dict)]


def _missing(path: str, args: JsonObject) -> list[str]:
    return [name for name in _parameters(path) if args.get(name) in (None, "")]


def _parameters(path: str) -> list[str]:
    return [part[1:] for part in path.split("/") if part.startswith(":")]


def _text(value: Json) -> str | None:
    # A flag counts by its presence, whatever its value.
    if value is None or value is False:
        return None
    if isinstance(value, dict | list):
        import orjson  # noqa: PLC0415 - rare

        return orjson.dumps(value).decode()
    return "true" if value is True else str(value)
