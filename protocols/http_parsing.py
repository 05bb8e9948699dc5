"""aiohttp's parser in our terms: bodies as bytes, its errors as the client's."""

from __future__ import annotations

import re
from typing import Final

from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.streams import StreamReader

from protocols.codec.rest import VERBS
from router.errors import RouterError
from router.settings import HttpSettings

# RFC 9112, 3: enough of a request line to name its verb.
_REQUEST_LINE: Final = re.compile(rb"(?:^|\n)([A-Za-z-]{1,32}) [!-~]+ HTTP/1\.[01]\r?\n")


async def collect(payload: StreamReader, limit: int) -> bytes:
    """The whole of a body that is still arriving.

    Raises:
        RouterError: `network.http.request_too_large`, as soon as it is longer than the limit.
        RequestPayloadError: It is malformed or was cut.
    """
    pieces: list[bytes] = []
    size = 0
    while not payload.at_eof():
        piece = await payload.readany()
        size += len(piece)
        if size > limit:
            raise RouterError("network.http.request_too_large")
        pieces.append(piece)
    return b"".join(pieces)


def fault_of(error: BaseException, data: bytes, http: HttpSettings) -> RouterError:
    """The client's name for what the parser raised.

    Args:
        data: What the parser had been fed with, for the verb that it doesn't tell.
    """
    if isinstance(error, LineTooLong):
        return RouterError("network.http.head_too_large", http.max_line_bytes)
    if isinstance(error, BadHttpMethod):
        for verb in _REQUEST_LINE.findall(data):
            if (name := verb.decode("ascii")) not in VERBS:
                return RouterError("network.http.unsupported_verb", name)
        return RouterError("network.http.unexpected_error", "this is no HTTP request")
    # The parser's text goes on with an excerpt of what it read.
    reason = str(getattr(error, "message", "") or error).partition(":\n")[0]
    return RouterError("network.http.unexpected_error", reason)
