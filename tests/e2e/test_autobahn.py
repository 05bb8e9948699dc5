"""Autobahn's cases against an echo over the very connection that serves requests.

Left out: group 9 (throughput), 12 and 13 (compression, which is never negotiated).
"""

from __future__ import annotations

from aiohttp import web
from kosoku import FailureError, run_fuzzingclient

from protocols import websocket_handshake
from protocols.websocket import Ended
from protocols.websocket_connection import ConnectionLimits, WebSocketConnection
from tests.support.websocket import plain_server

EVERY_LOOP = True
# The cases count messages up to 16 MB; the product's limit is a setting.
MAX_BYTES = 2**24
CASES = 247
# Why: docs/conformance.md, "WebSocket".
NON_STRICT = {"6.4.3", "6.4.4"}
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


class Echo:
    """Sends every message back."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    def message(self, payload: bytes, *, is_text: bool) -> None:
        self._connection.send(payload, is_text=is_text)

    def is_busy(self) -> bool:
        return False

    def gone(self) -> None:
        pass


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    accepted = websocket_handshake.accept(request)
    assert request.transport is not None
    request.transport.write(accepted)
    connection = WebSocketConnection(
        request.transport,
        ConnectionLimits(max_bytes=MAX_BYTES, max_unsent_bytes=MAX_BYTES, idle_timeout_s=60),
    )
    connection.attach(Echo(connection))
    request.protocol.set_parser(connection)
    await connection.closed
    return Ended()


async def verdicts(port: int) -> dict[str, tuple[str, str]]:
    """What each case said of the exchange and of its end."""
    try:
        results = await run_fuzzingclient(
            f"127.0.0.1:{port}", None, ["9.*", "12.*", "13.*"], concurrency=8
        )
    except FailureError as error:
        results = error.results
    return {case.case_id: (case.behavior.value, case.behavior_close.value) for case in results}


async def test_no_case_fails() -> None:
    async with plain_server(echo) as port:
        found = await verdicts(port)

    assert len(found) == CASES
    expected = {
        **dict.fromkeys(NON_STRICT, ("NON-STRICT", "OK")),
        **dict.fromkeys(INFORMATIONAL, ("INFORMATIONAL", "INFORMATIONAL")),
    }
    otherwise = {case: seen for case, seen in found.items() if seen != ("OK", "OK")}
    assert otherwise == expected
