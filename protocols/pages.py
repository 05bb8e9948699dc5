"""Static files that the HTTP listener serves."""

from __future__ import annotations

from typing import Final, NamedTuple

from protocols.codec.answer import Answer

# A page may load, and talk to, what comes from this router and nothing else.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


class Page(NamedTuple):
    """One file: what it holds and its media type."""

    body: bytes
    media_type: str


def answer_with(page: Page, request_id: str) -> Answer:
    """The file as an answer."""
    return Answer(200, page.body, request_id, _HEADERS, content_type=page.media_type)
