"""Envelopes to HTTP responses: the body, its coding, and the head above it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from protocols.codec.compression import compress, preferred
from protocols.codec.frame import encode_with_status
from protocols.codec.rest import Head
from router.envelope import Response, Stream

# What an action, or whoever feeds it, must not set: these frame the answer.
_FRAMING: Final = frozenset({"connection", "content-length", "content-encoding", "date"}) | {
    "content-type",
    "transfer-encoding",
}

# The texts of the peer (Kuzzle reference 2.1) and the headers that only this router knows;
# browsers compare the names.
_CORS: Final = (
    "Access-Control-Allow-Headers: Content-Type, Access-Control-Allow-Headers, Authorization, "
    "X-Requested-With, Content-Encoding, Content-Length, X-Kuzzle-Volatile, If-Match, "
    "Idempotency-Key\r\n"
    "Access-Control-Expose-Headers: ETag\r\n"
    "Access-Control-Allow-Methods: GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD\r\n"
    "Access-Control-Allow-Credentials: true\r\n"
)
# OWASP, "REST Security Cheat Sheet", security headers: an answer is what its content type says,
# is nobody's to keep (some hold tokens), and no part of a page. An action may say otherwise.
_SAFE: Final = {
    "cache-control": "Cache-Control: no-store\r\n",
    "x-content-type-options": "X-Content-Type-Options: nosniff\r\n",
    "x-frame-options": "X-Frame-Options: DENY\r\n",
    "content-security-policy": (
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    ),
}
_ALL_SAFE: Final = "".join(_SAFE.values())
# RFC 9110, 5.6.2, less the characters that nobody uses.
_NO_TOKEN: Final = re.compile(r"[^A-Za-z0-9_-]")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

# Below this the coding costs more than the bytes that it saves (one TCP segment anyway).
_COMPRESS_FROM_BYTES: Final = 1_024


class Answer(msgspec.Struct, frozen=True):
    """A body on its way out, with what its head must say.

    A `stream` is sent behind the head, in chunks unless the client knows none (HTTP/1.0): there
    the connection's end is the body's.
    """

    status: int
    body: bytes
    request_id: str
    headers: Mapping[str, str]
    etag: str = ""
    cookie: str = ""
    content_type: str = "application/json"
    stream: Stream | None = None
    is_chunked: bool = True


def answer_of(response: Response, head: Head | None, node: str) -> Answer:
    """The response as a body; indented if `?pretty` was asked for."""
    if response.stream is not None:
        return Answer(
            response.status,
            b"",
            response.request_id,
            response.headers,
            content_type=response.stream.content_type,
            stream=response.stream,
        )
    pretty = head is not None and head.is_pretty
    body, status = encode_with_status(response, node=node, pretty=pretty)
    media = response.raw or "application/json"
    told = (response.headers, response.etag, response.cookie)
    return Answer(status, body, response.request_id, *told, media)


def common_lines(node: str, *, hsts_s: int) -> str:
    """The header lines that all answers of a listener share.

    Args:
        hsts_s: How long browsers shall insist on TLS (RFC 6797); 0 doesn't ask them.
    """
    hsts = f"Strict-Transport-Security: max-age={hsts_s}\r\n" if hsts_s else ""
    return f"X-Kuzzle-Node: {node}\r\nAccept-Encoding: gzip,deflate,identity\r\n{_CORS}{hsts}"


def encode_answer(
    answer: Answer, head: Head | None, *, common: str, date: str, connection: str, is_allowed: bool
) -> bytes:
    """The response as bytes.

    Args:
        head: Of the request; None where it couldn't be read.
        common: See `common_lines`.
        date: As RFC 9110, 5.6.7 writes it.
        connection: The `Connection` header, empty for none.
        is_allowed: Whether a browser may show the answer to the page that asked.
    """
    headers: Mapping[str, str] = {} if head is None else head.headers
    body, coding = _coded(answer.body, headers.get("accept-encoding"))
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, '')}\r\n"
        f"X-Kuzzle-Request-Id: {_line(answer.request_id)}\r\n"
        f"{common}{_safe(answer.headers)}"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Encoding: {coding}\r\n"
        f"Date: {date}\r\n"
        f"{_length(answer, body)}"
    ]
    if answer.cookie:
        lines.append(f"Set-Cookie: {_line(answer.cookie)}\r\n")
    if answer.etag:
        lines.append(f"ETag: {answer.etag}\r\n")
    if connection:
        lines.append(f"Connection: {connection}\r\n")
    if "origin" in headers:
        origin = _line(headers["origin"])
        allow = f"Access-Control-Allow-Origin: {origin}\r\n" if is_allowed else ""
        lines.append(f"{allow}Vary: Origin\r\n")
    for name, value in answer.headers.items():
        token = _NO_TOKEN.sub("", name)
        if token and token.lower() not in _FRAMING:
            lines.append(f"{token}: {_line(value)}\r\n")
    lines.append("\r\n")
    text = "".join(lines).encode("utf-8", "replace")
    return text if head is not None and head.verb == "HEAD" else text + body


def _safe(headers: Mapping[str, str]) -> str:
    if not headers:
        return _ALL_SAFE
    own = {name.lower() for name in headers}
    return "".join(line for name, line in _SAFE.items() if name not in own)


def chunk(data: bytes) -> bytes:
    """A chunk of a body whose length nobody knows (RFC 9112, 7.1); without data the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _length(answer: Answer, body: bytes) -> str:
    if answer.stream is None:
        return f"Content-Length: {len(body)}\r\n"
    return "Transfer-Encoding: chunked\r\n" if answer.is_chunked else ""


def _coded(body: bytes, accept_encoding: str | None) -> tuple[bytes, str]:
    chosen = None
    if accept_encoding is not None and len(body) >= _COMPRESS_FROM_BYTES:
        chosen = preferred(accept_encoding)
    return (body, "identity") if chosen is None else (compress(body, chosen), chosen)


def _line(value: str) -> str:
    # A line break in a value would let its author write headers of his own.
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)
