"""multipart/form-data: the parts of a form, as an object (RFC 7578)."""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from router.envelope import Json, JsonObject
from router.errors import RouterError

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


class _Part(NamedTuple):
    name: str
    filename: str | None
    content_type: str
    content: bytes


def decode_form(body: bytes, content_type: str, *, max_parts: int) -> JsonObject:
    """The parts by name: text as a string, a file as `{filename, encoding, file: <base64>}`.

    `encoding` is the part's media type, as in the peer. A repeated name gives an array.

    Raises:
        RouterError: `network.http.unexpected_error`: no boundary, cut off, a part without a
            name, too many parts, text that isn't UTF-8.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _bad("the content type names no boundary")
    boundary = (found[1] or found[2]).encode("utf-8", "surrogateescape")
    form: JsonObject = {}
    for part in _split(body, boundary, max_parts):
        add_field(form, part.name, _value(part))
    return form


def add_field(form: JsonObject, name: str, value: Json) -> None:
    """Put one field into a form; a repeated name collects its values in an array."""
    if name not in form:
        form[name] = value
        return
    known = form[name]
    form[name] = [*known, value] if isinstance(known, list) else [known, value]


def _split(body: bytes, boundary: bytes, max_parts: int) -> list[_Part]:
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, max_parts + 2)
    parts: list[_Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        if len(parts) == max_parts:
            raise _bad(f"more than {max_parts} parts")
        parts.append(_part(piece.lstrip(b" \t")))
    raise _bad("the multipart body ends early")


def _part(piece: bytes) -> _Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"\r\n"):
        raise _bad("a part has no head")
    headers: dict[str, str] = {}
    for line in _text(head).split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    disposition = {
        key.lower(): unquote(value.replace('\\"', '"'))
        for key, value in _PARAMETER.findall(headers.get("content-disposition", ""))
    }
    if "name" not in disposition:
        raise _bad("a part has no name")
    return _Part(
        disposition["name"],
        disposition.get("filename"),
        headers.get("content-type", "text/plain"),
        content,
    )


def _value(part: _Part) -> Json:
    if part.filename is None:
        return _text(part.content)
    return {
        "filename": part.filename,
        "encoding": part.content_type,
        "file": base64.b64encode(part.content).decode("ascii"),
    }


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("a text part is not UTF-8") from None


def _bad(reason: str) -> RouterError:
    return RouterError("network.http.unexpected_error", reason)
