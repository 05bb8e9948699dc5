"""Ports for servers that start later, or that come back to the port which they had."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"

_HANDED_OUT: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ENOUGH: Final = 1_000


def lasting_port() -> int:
    """A free port that the system gives to nobody who doesn't name it, nor this function to
    anybody else until the process ends."""
    chance = random.SystemRandom()
    ports = _ports()
    for _ in range(200):
        port = chance.choice(ports)
        if claim(port):
            return port
    raise AssertionError(f"200 ports between {ports.start} and {ports.stop} are all taken")


def claim(port: int) -> bool:
    """Take a port for this process; False if it is in use, or some process of tests has it."""
    # The claim is the UDP port of that number, which nobody here has a use for: it holds between
    # processes, and goes with this one however it ends.
    with socket.socket(type=socket.SOCK_DGRAM) as mark, socket.socket() as probe:
        try:
            mark.bind((HOST, port))
            probe.bind((HOST, port))
        except OSError:
            return False
        mark.detach()
        return True


def _ports() -> range:
    # Beside what the system hands out by itself: whoever asks for any port, or connects from one,
    # never gets these between two uses. macOS begins at 49 152.
    if not _HANDED_OUT.exists():
        return range(20_000, 30_000)
    first, last = map(int, _HANDED_OUT.read_text().split())
    below, above = range(max(1_024, first - 10_000), first), range(last + 1, 65_536)
    widest = max(below, above, key=len)
    assert len(widest) >= _ENOUGH, f"the system hands out nearly all ports: {_HANDED_OUT}"
    return widest
