"""The opening handshake: RFC 6455 section 4.2."""

from __future__ import annotations

import pytest
from aiohttp.http import HttpVersion10
from aiohttp.test_utils import make_mocked_request

from protocols import websocket_handshake
from router.errors import RouterError
from tests.support.websocket import KEY

HEADERS = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def head_of(accepted: bytes) -> list[str]:
    head, _, rest = accepted.decode().partition("\r\n\r\n")
    assert rest == ""
    return head.split("\r\n")


def test_accepted_without_extensions_or_subprotocol() -> None:
    headers = {**HEADERS, "Sec-WebSocket-Extensions": "permessage-deflate"}
    status, *lines = head_of(websocket_handshake.accept(make_mocked_request("GET", "/", headers)))
    assert status == "HTTP/1.1 101 Switching Protocols"
    names = {line.partition(":")[0].lower() for line in lines}
    assert "sec-websocket-accept" in names
    assert names.isdisjoint({"sec-websocket-extensions", "sec-websocket-protocol"})


@pytest.mark.parametrize("offered", ["null", "mqtt", "b , a"])
def test_first_subprotocol_is_echoed(offered: str) -> None:
    headers = {**HEADERS, "Sec-WebSocket-Protocol": offered}
    lines = head_of(websocket_handshake.accept(make_mocked_request("GET", "/x", headers)))
    assert f"Sec-WebSocket-Protocol: {offered.split(',', maxsplit=1)[0].strip()}" in lines


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Upgrade", "h2c"),
        ("Upgrade", None),
        ("Connection", "close"),
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Version", None),
        ("Sec-WebSocket-Key", "YWJj"),
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Protocol", "two words"),
        ("Sec-WebSocket-Key", "\u20ac\x00"),
    ],
)
def test_what_is_no_handshake_is_refused(name: str, value: str | None) -> None:
    headers = {key: v for key, v in {**HEADERS, name: value}.items() if v is not None}
    with pytest.raises(RouterError) as refused:
        websocket_handshake.accept(make_mocked_request("GET", "/", headers))
    assert refused.value.id == "network.websocket.unexpected_error"


def test_other_verbs_and_versions_are_refused() -> None:
    for request in (
        make_mocked_request("POST", "/", HEADERS),
        make_mocked_request("GET", "/", HEADERS, version=HttpVersion10),
    ):
        with pytest.raises(RouterError):
            websocket_handshake.accept(request)
