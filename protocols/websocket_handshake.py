"""The opening handshake: from an HTTP upgrade request to the answer that accepts or refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.http import HttpVersion11
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from router.errors import RouterError

_READ: Final = (
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
)


def accept(request: web.BaseRequest) -> bytes:
    """The `101 Switching Protocols` response to an upgrade request, as bytes for the wire.

    Any path is accepted and the first sub-protocol that the client offers is taken, whatever
    it says: browsers' `new WebSocket(url, null)` offers `null`, and hangs up when nothing
    comes back. No extension is taken, so messages are never compressed.

    Raises:
        RouterError: `network.websocket.unexpected_error`, not a handshake of RFC 6455.

    Source: RFC 6455 section 4.2; Kuzzle SDK for JavaScript, protocols/WebSocket.
    """
    if request.method != "GET" or request.version != HttpVersion11:
        raise _refusal("the upgrade must be a GET request of HTTP/1.1")
    handshake = ServerProtocol(select_subprotocol=_first)
    try:
        head = Headers([(name, v) for name in _READ for v in request.headers.getall(name, ())])
    except InvalidHandshake as error:
        raise _refusal(str(error)) from None
    response = handshake.accept(Request("/", head))
    if response.status_code != 101:
        raise _refusal(str(handshake.handshake_exc))
    return response.serialize()


def _first(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:  # noqa: ARG001 - the signature that the library calls
    return offered[0] if offered else None


def _refusal(reason: str) -> RouterError:
    return RouterError("network.websocket.unexpected_error", reason)
