"""HTTP requests to envelopes, once the bytes are framed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from protocols.codec.content import decode_body
from protocols.codec.frame import BadFrameError, FrameLimits, parse, request_of
from protocols.codec.route import Match, RouteTable, normal, query_arguments
from router.envelope import Connection, Json, JsonObject, Request
from router.errors import RouterError

VERBS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


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


def decode(
    head: Head, body: bytes, *, connection: Connection, rules: Rules, new_id: str
) -> Request:
    """Read the one request that an HTTP message carries.

    Args:
        new_id: The request's id, unless its header, query or frame brings one.

    Raises:
        RouterError: `network.http.*`, `api.assert.invalid_type` for a bad `searchBody`.
            Nothing else leaves this function.

    Source: Kuzzle reference 2.1, "URL -> request".
    """
    try:
        return _decode(head, body, connection, rules, new_id)
    except BadFrameError as error:
        raise error.as_refusal("network.http.unexpected_error") from None
    except UnicodeEncodeError:
        raise RouterError("network.http.unexpected_error", "the URL is not UTF-8") from None


def _decode(head: Head, body: bytes, connection: Connection, rules: Rules, new_id: str) -> Request:
    if not (head.path.isascii() and head.query.isascii()):
        f"{head.path}{head.query}".encode()
    content = decode_body(body, head.headers, rules.limits, max_layers=rules.max_layers)
    if head.path == "/_query" and head.verb == "POST":
        payload = _query_payload(content)
    else:
        match = rules.routes.find(head.verb, head.path)
        if match is None:
            raise RouterError("network.http.url_not_found", head.path)
        if _is_plain(head) and (content is None or isinstance(content, dict | list)):
            # The short way of most requests; the long one would come to the same.
            return Request(
                controller=match.action.controller,
                action=match.action.name,
                connection=connection,
                request_id=_own_id(head) or new_id,
                args=dict(match.args),
                body=content,
                jwt=bearer(head.headers),
                if_match=head.headers.get("if-match"),
            )
        payload = _route_payload(head, match, content, rules.limits)
    if payload.get("jwt") is None:
        payload["jwt"] = bearer(head.headers)
    if "idempotency-key" in head.headers:
        payload.setdefault("idempotencyKey", head.headers["idempotency-key"])
    if "x-kuzzle-volatile" in head.headers:
        payload["volatile"] = _volatile(head.headers, rules.limits)
    payload["requestId"] = _own_id(head) or payload.get("requestId") or new_id
    request = request_of(payload, connection)
    wanted = head.headers.get("if-match")
    return request if wanted is None else request.replace(if_match=wanted)


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of the Authorization header; None, so anonymous, if it isn't `Bearer <token>`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token and " " not in token else None


def _query_payload(content: Json) -> JsonObject:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadFrameError("a request must be a JSON object")
    return content


def _route_payload(head: Head, match: Match, content: Json, limits: FrameLimits) -> JsonObject:
    payload = query_arguments(head.query)
    payload.update(match.args)
    if content is None and head.verb == "GET" and "searchBody" in payload:
        content = _search_body(payload.pop("searchBody"), limits)
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


def _is_plain(head: Head) -> bool:
    headers = head.headers
    return not (head.query or "x-kuzzle-volatile" in headers or "idempotency-key" in headers)


def _own_id(head: Head) -> str | None:
    return head.headers.get("x-kuzzle-request-id")


def _volatile(headers: Mapping[str, str], limits: FrameLimits) -> Json:
    try:
        return parse(headers["x-kuzzle-volatile"].encode(), limits)
    except BadFrameError as error:
        raise RouterError("network.http.volatile_parse_failed", error.reason) from None


def _latin(value: str) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
