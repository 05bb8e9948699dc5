"""The two forms of the asset API: the documented singular one and the current plural one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final

import msgspec

from controllers.device_manager.engines import ASSETS
from controllers.writes import key_of
from router.actions import Route
from router.envelope import Json, Request

_SHARED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "create": (("POST", ""),),
    "upsert": (("PUT", ""),),
    "delete": (("DELETE", "/:_id"),),
    "get": (("GET", "/:_id"),),
    "search": (("POST", "/_search"), ("GET", "/_search")),
    "update": (("PUT", "/:_id"),),
}
"""Verb and path, behind `assets`, of the actions that both forms have."""


class Form(msgspec.Struct, frozen=True):
    """One form: its controller, and the argument that names the engine.

    Attributes:
        other: The controller of the other form; a right on either counts for both.
        other_engine: The other form's argument, taken where this one's is missing.
        has_paths: Whether the HTTP paths that the forms share lead here.
    """

    controller: str
    engine: str
    other: str
    other_engine: str
    has_paths: bool

    def routes(self, action: str) -> tuple[Route, ...]:
        """The HTTP routes of one of the shared actions."""
        if not self.has_paths:
            return ()
        return tuple(Route(verb, self.path(end)) for verb, end in _SHARED[action])

    def path(self, end: str) -> str:
        """The path of the engine's assets with something behind."""
        return f"/_/device-manager/:{self.engine}/assets{end}"

    def aliases(self, action: str) -> tuple[tuple[str, str], ...]:
        """The other names under which a role may allow the action."""
        return ((self.other, action),)

    def engine_of(self, request: Request) -> str:
        """The engine that a request names.

        Raises:
            RouterError: `api.assert.missing_argument`, `api.assert.invalid_type`.
        """
        return request.name(self._argument(request))

    def order_key(self, id_of: Callable[[Request], Json]) -> Callable[[Request], Hashable | None]:
        """The order key of a write on the asset that `id_of` finds in a request."""

        def key(request: Request) -> Hashable | None:
            return key_of(request.args.get(self._argument(request)), ASSETS, id_of(request))

        return key

    def _argument(self, request: Request) -> str:
        if not request.args.get(self.engine) and request.args.get(self.other_engine):
            return self.other_engine
        return self.engine


def singular(http_form: str) -> Form:
    """`device-manager/asset` with the argument `index`."""
    return Form(
        "device-manager/asset", "index", "device-manager/assets", "engineId", http_form == "asset"
    )


def plural(http_form: str) -> Form:
    """`device-manager/assets` with the argument `engineId`."""
    return Form(
        "device-manager/assets", "engineId", "device-manager/asset", "index", http_form == "assets"
    )


def named_id(request: Request) -> Json:
    """The `_id` argument, whatever it is."""
    return request.args.get("_id")


def born_id(request: Request) -> Json:
    """The id that an asset will be created under; None if the request doesn't tell."""
    given = request.args.get("_id")
    if given:
        return given
    body = request.body if isinstance(request.body, dict) else {}
    kind, model, reference = body.get("type"), body.get("model"), body.get("reference")
    if not (isinstance(model, str) and isinstance(reference, str)):
        return None
    return f"{kind}-{model}-{reference}" if kind else f"{model}-{reference}"
