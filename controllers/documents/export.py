"""`document:export`: what matches a query as a stream of JSON lines or CSV, over HTTP."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec
import orjson

from controllers import arguments
from controllers.documents import matching
from controllers.documents.by_query import BY_QUERY, QUERY, query_of
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request, Stream
from router.errors import RouterError
from storage.contract import Hit, Storage

_PAGE: Final = 1_000
"""Documents that are read at a time; so many are in memory."""

# `html/text` is the peer's own; programs may look for it.
_CONTENT_TYPES: Final = {"jsonl": "html/text", "csv": "text/csv"}
_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)

Place = tuple[str, str]
Encode = Callable[[Sequence[Hit]], bytes]


class Form(NamedTuple):
    """What the file begins with, and how documents stand in it."""

    start: bytes
    encode: Encode


class Export(msgspec.Struct, frozen=True):
    """Streams documents in the order of their ids, a page in memory at a time."""

    storage: Storage

    async def export(self, request: Request) -> Reply:
        """Begin the stream; what is wrong with the request is still told in an envelope."""
        if request.connection.wire != "http":
            wire = request.connection.wire
            raise RouterError("api.assert.unsupported_protocol", wire, "document:export")
        kind = request.string("format", "jsonl") or ""
        if kind not in _CONTENT_TYPES:
            raise RouterError("api.assert.invalid_argument", "format", "jsonl, csv")
        options = _options(request)
        place = request.name("index"), request.name("collection")
        search = query_of(request.replace(body=options))
        mapping = self.storage.mapping(*place)
        form = _csv(request, options, mapping) if kind == "csv" else _lines(place)
        pages = matching.pages(self.storage, place, search, _PAGE)
        first = await anext(pages, None)
        name = f"{place[0]}-{place[1]}.{kind}"
        return Reply(
            headers={"Content-Disposition": _attachment(name)},
            stream=Stream(_chunks(form, first, pages), _CONTENT_TYPES[kind]),
        )

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        path = "/:index/:collection/_export"
        return (
            Action(
                controller="document",
                name="export",
                handler=self.export,
                places=places.named,
                summary="Everything that matches a query as a file; over HTTP only.",
                routes=(Route("GET", path), Route("POST", path)),
                arguments=(
                    *_TARGET,
                    QUERY,
                    Argument("format", "string", "`jsonl`, the default, or `csv`."),
                    Argument("fields", "array", "Columns of CSV; all mapped ones if absent."),
                    Argument("fieldsName", "object", "Headings of CSV, by field."),
                    Argument("separator", "string", "Of CSV, one character; default a comma."),
                    arguments.LANG,
                ),
                body="optional",
                media=tuple(_CONTENT_TYPES.values()),
                result="JSON lines, the first `{type: collection, index, collection}`, then "
                "`{_id, body}`; or CSV, the first column `_id`.",
                errors=(
                    *BY_QUERY,
                    "api.assert.invalid_argument",
                    "api.assert.unsupported_protocol",
                ),
            ),
        )


async def _chunks(
    form: Form, first: list[Hit] | None, pages: AsyncGenerator[list[Hit], None]
) -> AsyncGenerator[bytes, None]:
    yield form.start
    if first is None:
        return
    yield form.encode(first)
    try:
        async with contextlib.aclosing(pages):
            async for hits in pages:
                yield form.encode(hits)
    except RouterError as error:
        # The head is sent; the peer, too, writes such errors into the stream.
        yield orjson.dumps({"error": error.to_json()}) + b"\n"


def _options(request: Request) -> JsonObject:
    """The body or, without one, the arguments that stand for it."""
    if request.body is not None:
        options = request.body_object()
    else:
        names = ("query", "fields", "fieldsName", "collapse")
        given = {name: _structure(request, name) for name in names}
        options = {name: value for name, value in given.items() if value is not None}
    if options.get("collapse") is not None:
        raise RouterError("trivium.unsupported.feature", "collapse")
    return options


def _structure(request: Request, name: str) -> Json:
    value = request.args.get(name)
    if name == "fields" and isinstance(value, str) and not value.startswith("["):
        return [each.strip() for each in value.split(",") if each.strip()]
    return arguments.structure(request, name)


def _lines(place: Place) -> Form:
    index, collection = place
    head: JsonObject = {"type": "collection", "index": index, "collection": collection}

    def encode(hits: Sequence[Hit]) -> bytes:
        lines = [orjson.dumps({"_id": hit.id, "body": hit.source}) for hit in hits]
        return b"\n".join([*lines, b""])

    return Form(orjson.dumps(head) + b"\n", encode)


def _csv(request: Request, options: JsonObject, mapping: JsonObject) -> Form:
    separator = request.string("separator", ",") or ","
    if len(separator) != 1 or separator in '"\r\n\x00' or not separator.isascii():
        raise RouterError("api.assert.invalid_argument", "separator", "one character")
    fields = _fields(options, mapping)
    names = options.get("fieldsName", {})
    if not isinstance(names, dict):
        raise RouterError("api.assert.invalid_type", "fieldsName", "object")
    headings = [str(names.get(field, field)) for field in ("_id", *fields)]

    def encode(hits: Sequence[Hit]) -> bytes:
        rows = ([hit.id, *(_cell(hit.source, field) for field in fields)] for hit in hits)
        return _rows(rows, separator)

    return Form(_rows([headings], separator), encode)


def _fields(options: JsonObject, mapping: JsonObject) -> list[str]:
    given = options.get("fields")
    if given is None or given == []:
        own = mapping.get("properties")
        return [*_leaves(own if isinstance(own, dict) else {})]
    if not isinstance(given, list) or not all(isinstance(field, str) for field in given):
        raise RouterError("api.assert.invalid_type", "fields", "array of strings")
    return [str(field) for field in given if field != "_id"]


def _leaves(properties: JsonObject) -> list[str]:
    found: list[str] = []
    for name, definition in properties.items():
        if name != "_kuzzle_info" and isinstance(definition, dict):
            below = definition.get("properties")
            inner = _leaves(below) if isinstance(below, dict) else []
            found += [f"{name}.{each}" for each in inner] or [name]
    return found


def _rows(rows: Iterable[Sequence[str]], separator: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(source: JsonObject, field: str) -> str:
    value: Json = source.get(field)
    if value is None and field not in source:
        value = source
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return "[OBJECT]"
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _attachment(name: str) -> str:
    # RFC 6266: names beyond ASCII have a form of their own.
    if name.isascii():
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=UTF-8''{quote(name)}"
