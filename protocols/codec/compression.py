"""Content codings of HTTP: bodies out of gzip and deflate, answers into them."""

from __future__ import annotations

import zlib
from typing import Final, Literal, TypeAlias

from router.errors import RouterError

Coding: TypeAlias = Literal["gzip", "deflate"]

# zlib's window bits: 31 is the gzip format, 15 the zlib format that HTTP calls deflate
# (RFC 9110, 8.4.1).
_WINDOW_BITS: Final[dict[str, int]] = {"gzip": 31, "x-gzip": 31, "deflate": 15}

# Level 1 makes JSON of a device fleet about a tenth larger than level 6, in a third of the time.
_LEVEL: Final = 1


def decompress(body: bytes, content_encoding: str, *, max_layers: int, max_bytes: int) -> bytes:
    """The body as it was before the sender applied the named codings, the last one first.

    Args:
        content_encoding: The header: `gzip`, `deflate`, `identity`, comma separated.
        max_bytes: Longest result of any layer, so that a small body can't grow without bound.

    Raises:
        RouterError: `network.http.too_many_encodings`, `network.http.unsupported_compression`,
            `network.http.request_too_large`, `network.http.unexpected_error` (corrupt).
    """
    codings = [name.strip().lower() for name in content_encoding.split(",")]
    if len(codings) > max_layers:
        raise RouterError("network.http.too_many_encodings")
    for coding in reversed(codings):
        if coding in ("identity", ""):
            continue
        if coding not in _WINDOW_BITS:
            raise RouterError("network.http.unsupported_compression", coding)
        body = _inflate(body, _WINDOW_BITS[coding], max_bytes)
    return body


def compress(body: bytes, coding: Coding) -> bytes:
    """The body in that coding."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[coding])
    return packer.compress(body) + packer.flush()


def preferred(accept_encoding: str) -> Coding | None:
    """The coding for an answer, None if it should stay as it is.

    The highest weight wins, gzip on ties; a missing weight is 1, weight 0 forbids; `*` stands
    for what isn't named (RFC 9110, 12.5.3).
    """
    weights = _weights(accept_encoding)
    other = weights.get("*", 0.0)
    gzip = max(weights.get("gzip", other), weights.get("x-gzip", 0.0))
    deflate = weights.get("deflate", other)
    best = max(gzip, deflate)
    if best <= 0 or best < weights.get("identity", 0.0):
        return None
    return "gzip" if gzip == best else "deflate"


def _weights(accept_encoding: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.partition(";")
        key, _, number = parameter.strip().partition("=")
        weights[name.strip()] = _weight(number) if key.strip() == "q" else 1.0
    return weights


def _weight(number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _inflate(body: bytes, window_bits: int, max_bytes: int) -> bytes:
    out: list[bytes] = []
    room = max_bytes
    try:
        # A gzip body may have several members (RFC 1952, 2.2); each takes bytes, so this ends.
        while body:
            inflater = zlib.decompressobj(window_bits)
            piece = inflater.decompress(body, room + 1)
            room -= len(piece)
            if room < 0:
                raise RouterError("network.http.request_too_large")
            if not inflater.eof:
                raise RouterError("network.http.unexpected_error", "the compressed body ends early")
            out.append(piece)
            body = inflater.unused_data
    except zlib.error as error:
        raise RouterError("network.http.unexpected_error", str(error)) from None
    return b"".join(out)
