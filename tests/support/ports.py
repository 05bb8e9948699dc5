"""Ports for servers that start later, or that come back to the port which they had."""

from __future__ import annotations

import random
import socket
from typing import Final

HOST: Final = "127.0.0.1"
# Below what Linux hands out by itself (from 32 768 on) and macOS (from 49 152 on): whoever asks
# for any port, or connects from one, never gets these between two uses.
_FIRST, _LAST = 20_000, 30_000


def lasting_port() -> int:
    """A free port that the system gives to nobody who doesn't name it."""
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"200 ports between {_FIRST} and {_LAST} are all taken")
