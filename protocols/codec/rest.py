"""HTTP requests to envelopes and envelopes to HTTP responses, once the bytes are framed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from protocols.codec.compression import compress, preferred
from protocols.codec.content import decode_body
from protocols.codec.frame import (
    BadFrameError,
    FrameLimits,
    dumps,
    encode,
    envelope,
    parse,
    request_of,
)
from protocols.codec.route import RouteTable, normal, query_arguments
from router.envelope import Connection, Json, JsonObject, Request, Response
from router.errors import RouterError

VERBS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

# What an action, or whoever feeds it, must not set: these frame the answer.
_FRAMING: Final = frozenset({"connection", "content-length", "content-encoding", "date"}) | {
    "content-type",
    "transfer-encoding",
}

# The texts of the peer (Kuzzle reference 2.1); browsers compare the header names.
_CORS: Final = (
    "Access-Control-Allow-Headers: Content-Type, Access-Control-Allow-Headers, Authorization, "
    "X-Requested-With, Content-Encoding, Content-Length, X-Kuzzle-Volatile\r\n"
    "Access-Control-Allow-Methods: GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD\r\n"
    "Access-Control-Allow-Credentials: true\r\n"
)
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

# Below this the coding costs more than the bytes that it saves (one TCP segment anyway).
_COMPRESS_FROM_BYTES: Final = 1_024


class Head(msgspec.Struct, frozen=True):
    """The head of one request: path as `route.normal` makes it, header names in lower case."""

    verb: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def is_pretty(self) -> bool:
        """Whether the caller wants to read the answer himself."""
        return "pretty" in self.query and "pretty" in query_arguments(self.query)


class Rules(msgspec.Struct, frozen=True):
    """What a request may hold and where it may lead."""

    routes: RouteTable
    limits: FrameLimits
    max_layers: int


class Answer(msgspec.Struct, frozen=True):
    """A body on its way out, with what its head must say."""

    status: int
    body: bytes
    request_id: str
    headers: Mapping[str, str]
    content_type: str = "application/json"


def head_of(verb: str, target: str, headers: Iterable[tuple[str, str]]) -> Head:
    """The head of a request from its parsed parts.

    Args:
        target: In origin or absolute form; bytes that aren't UTF-8 as surrogates.
        headers: In order; those of one name are joined by commas (RFC 9110, 5.3), bytes
            that aren't UTF-8 read as ISO 8859-1.
    """
    named: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower(), value if value.isascii() else _latin(value)
        named[key] = text if key not in named else f"{named[key]}, {text}"
    if not target.startswith("/") and "://" in target:
        # Absolute form: its authority is the host, whatever the header says (RFC 9112, 3.2.2).
        authority, slash, rest = target.partition("://")[2].partition("/")
        named["host"], target = authority, slash + rest
    path, _, query = target.partition("#")[0].partition("?")
    return Head(verb, normal(path or "/"), query, named)


def decode(head: Head, body: bytes, connection: Connection, rules: Rules) -> Request:
    """Read the one request that an HTTP message carries.

    Raises:
        RouterError: `network.http.*`, `api.assert.invalid_type` for a bad `searchBody`.
            Nothing else leaves this function.

    Source: Kuzzle reference 2.1, "URL -> request".
    """
    try:
        f"{head.path}{head.query}".encode()
        content = decode_body(body, head.headers, rules.limits, max_layers=rules.max_layers)
        if head.path == "/_query" and head.verb == "POST":
            payload = _query_payload(content)
        else:
            payload = _route_payload(head, content, rules)
        payload["jwt"] = payload.get("jwt") or bearer(head.headers)
        if "x-kuzzle-volatile" in head.headers:
            payload["volatile"] = _volatile(head.headers["x-kuzzle-volatile"], rules.limits)
        return request_of(payload, connection, request_id=head.headers.get("x-kuzzle-request-id"))
    except BadFrameError as error:
        raise error.as_refusal("network.http.unexpected_error") from None
    except UnicodeEncodeError:
        raise RouterError("network.http.unexpected_error", "the URL is not UTF-8") from None


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of the Authorization header; None, so anonymous, if it isn't `Bearer <token>`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token and " " not in token else None


def answer_of(response: Response, head: Head | None, node: str) -> Answer:
    """The response as a body; indented if `?pretty` was asked for."""
    if head is not None and head.is_pretty:
        body = dumps({**envelope(response), "node": node}, pretty=True)
    else:
        body = encode(response, node=node)
    return Answer(response.status, body, response.request_id, response.headers)


def encode_answer(
    answer: Answer, head: Head | None, *, node: str, date: str, connection: str, is_allowed: bool
) -> bytes:
    """The response as bytes.

    Args:
        head: Of the request; None where it couldn't be read.
        date: As RFC 9110, 5.6.7 writes it.
        connection: The `Connection` header, empty for none.
        is_allowed: Whether a browser may show the answer to the page that asked.
    """
    headers: Mapping[str, str] = {} if head is None else head.headers
    body, coding = answer.body, "identity"
    if len(body) >= _COMPRESS_FROM_BYTES and "accept-encoding" in headers:
        chosen = preferred(headers["accept-encoding"])
        if chosen is not None:
            body, coding = compress(body, chosen), chosen
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, '')}\r\n"
        f"X-Kuzzle-Request-Id: {_line(answer.request_id)}\r\n"
        f"X-Kuzzle-Node: {node}\r\n"
        "Accept-Encoding: gzip,deflate,identity\r\n"
        f"{_CORS}"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Encoding: {coding}\r\n"
        f"Date: {date}\r\n"
        f"Content-Length: {len(body)}\r\n"
    ]
    if connection:
        lines.append(f"Connection: {connection}\r\n")
    if "origin" in headers:
        origin = _line(headers["origin"])
        allow = f"Access-Control-Allow-Origin: {origin}\r\n" if is_allowed else ""
        lines.append(f"{allow}Vary: Origin\r\n")
    for name, value in answer.headers.items():
        if name.lower() not in _FRAMING:
            lines.append(f"{_token(name)}: {_line(value)}\r\n")
    lines.append("\r\n")
    text = "".join(lines).encode("utf-8", "replace")
    return text if head is not None and head.verb == "HEAD" else text + body


def _query_payload(content: Json) -> JsonObject:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadFrameError("a request must be a JSON object")
    return content


def _route_payload(head: Head, content: Json, rules: Rules) -> JsonObject:
    match = rules.routes.find(head.verb, head.path)
    if match is None:
        raise RouterError("network.http.url_not_found", head.path)
    payload = query_arguments(head.query) if head.query else {}
    payload.update(match.args)
    if content is None and head.verb == "GET" and "searchBody" in payload:
        content = _search_body(payload.pop("searchBody"), rules.limits)
    if content is not None or "body" not in payload:
        payload["body"] = content
    payload["controller"] = match.action.controller
    payload["action"] = match.action.name
    return payload


def _search_body(text: Json, limits: FrameLimits) -> Json:
    if text == "":
        return None
    try:
        value = parse(text.encode(), limits) if isinstance(text, str) else None
    except (BadFrameError, UnicodeEncodeError):
        value = None
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", "searchBody", "object")
    return value


def _volatile(text: str, limits: FrameLimits) -> Json:
    try:
        return parse(text.encode(), limits)
    except BadFrameError as error:
        raise RouterError("network.http.volatile_parse_failed", error.reason) from None


def _latin(value: str) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _line(value: str) -> str:
    # A line break in a value would let its author write headers of his own.
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)


def _token(name: str) -> str:
    return "".join(c for c in name if c.isalnum() or c in "-_") or "X-Unnamed"
