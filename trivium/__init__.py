"""One request router for MQTT, WebSocket and HTTP: the public API of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivium.version import VERSION

if TYPE_CHECKING:
    from router.envelope import Json, JsonObject, Reply, Request
    from router.events import Exchange
    from trivium.app import App
    from trivium.errors import RouterError

__all__ = [
    "App",
    "Exchange",
    "Json",
    "JsonObject",
    "Reply",
    "Request",
    "RouterError",
    "__version__",
]

__version__ = VERSION

_PLACES = {
    "App": "trivium.app",
    "Exchange": "router.events",
    "Json": "router.envelope",
    "JsonObject": "router.envelope",
    "Reply": "router.envelope",
    "Request": "router.envelope",
    "RouterError": "trivium.errors",
}


def __getattr__(name: str) -> object:
    # Loaded when first asked for: `trivium --version` shouldn't wait for the router.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_PLACES[name]), name)
