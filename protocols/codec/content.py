"""The body of an HTTP request, by its content type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from protocols.codec.compression import decompress
from protocols.codec.frame import BadFrameError, FrameLimits, parse
from protocols.codec.multipart import add_field, decode_form
from router.envelope import Json, JsonObject
from router.errors import RouterError

_CHARSET: Final = re.compile(r';\s*charset="?([^\s;"]*)', re.IGNORECASE)

# How much of an unreadable body goes back to its sender, as in the peer.
_EXCERPT_CHARACTERS: Final = 50


def decode_body(
    body: bytes, headers: Mapping[str, str], limits: FrameLimits, *, max_layers: int
) -> Json:
    """What a request body says; None for an empty one.

    Args:
        body: As it came, perhaps compressed; read completely.
        headers: Names in lower case; `content-type` (JSON if missing), `content-encoding`.
        max_layers: Most codings in `content-encoding`.

    Raises:
        RouterError: `network.http.` + `unsupported_content`, `unsupported_charset`,
            `body_parse_failed`, `request_too_large`, `unexpected_error` and those of
            `decompress`. Nothing else leaves this function.

    Source: Kuzzle reference 2.1, "Body".
    """
    if not body:
        return None
    content_type = headers.get("content-type", "application/json")
    read = _readers.get(content_type.partition(";")[0].strip().lower())
    if read is None:
        raise RouterError("network.http.unsupported_content", content_type)
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        raise RouterError("network.http.unsupported_charset", charset[1].lower())
    coding = headers.get("content-encoding")
    if coding:
        body = decompress(body, coding, max_layers=max_layers, max_bytes=limits.max_bytes)
    if len(body) > limits.max_bytes:
        raise RouterError("network.http.request_too_large")
    return read(body, content_type, limits) if body else None


def _read_json(body: bytes, content_type: str, limits: FrameLimits) -> Json:
    del content_type
    try:
        return parse(body, limits)
    except BadFrameError:
        excerpt = body[: _EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")
        raise RouterError("network.http.body_parse_failed", excerpt[:_EXCERPT_CHARACTERS]) from None


def _read_urlencoded(body: bytes, content_type: str, limits: FrameLimits) -> Json:
    del content_type
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=limits.max_keys
        )
    except (UnicodeDecodeError, ValueError):
        raise RouterError("network.http.unexpected_error", "not a form, or too long") from None
    form: JsonObject = {}
    for name, value in pairs:
        add_field(form, name, value)
    return form


def _read_multipart(body: bytes, content_type: str, limits: FrameLimits) -> Json:
    return decode_form(body, content_type, max_parts=limits.max_keys)


_readers: Final[dict[str, Callable[[bytes, str, FrameLimits], Json]]] = {
    "application/json": _read_json,
    "application/x-www-form-urlencoded": _read_urlencoded,
    "multipart/form-data": _read_multipart,
}
