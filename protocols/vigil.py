"""The system's watch over clients whose machine or line is gone without a word."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Final, Protocol

BACKLOG: Final = 4_096
"""Clients that wait to be let in, so that thousands may come back at once (Linux' own bound)."""

# An idle client's machine is asked after a minute, and gone after another one. RFC 1122, 4.2.3.6
# wants two hours by default, which was meant for lines that are paid by the packet.
_IDLE_S: Final = 60
_ASKED_EVERY_S: Final = 15
_ASKED: Final = 4

_UNACKNOWLEDGED_MS: Final = 120_000
"""What was sent and not acknowledged for so long ends the connection (RFC 5482)."""

_OPTIONS: Final = {
    "TCP_KEEPIDLE": _IDLE_S,
    "TCP_KEEPINTVL": _ASKED_EVERY_S,
    "TCP_KEEPCNT": _ASKED,
    "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS,
}


class _Socket(Protocol):
    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        """As `socket.socket`."""


def keep(listening: Iterable[_Socket]) -> None:
    """Have the system find clients that vanished, whatever their wire, within two minutes.

    What is accepted later inherits it from the sockets that listen. Clients that are silent
    although their machine is there are the wires' own affair.
    """
    for each in listening:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            # Other systems than Linux lack some.
            option = getattr(socket, name, None)
            if option is not None:
                each.setsockopt(socket.IPPROTO_TCP, option, value)
