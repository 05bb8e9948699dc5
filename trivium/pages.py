"""The web pages of the router, as files that the HTTP listener serves."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from protocols.pages import Page

_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}

_PAGES: Final = {
    "/_console/api": "api.html",
    "/_console/api.css": "api.css",
    "/_console/api.js": "api.js",
}


def pages() -> dict[str, Page]:
    """Every page by its path."""
    return {path: _page(name) for path, name in _PAGES.items()}


def _page(name: str) -> Page:
    body = files("console").joinpath(name).read_bytes()
    return Page(body, _MEDIA[name.rpartition(".")[2]])
