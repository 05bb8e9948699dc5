"""Free ports, for runs beside something else."""

from __future__ import annotations

import errno
import socket
from typing import Final

# As far as `--auto-port` looks; beyond, something else is wrong.
_TRIES: Final = 100

_IN_USE: Final = (errno.EADDRINUSE, errno.EACCES)


def next_free(host: str, port: int, *, taken: frozenset[int] = frozenset()) -> int:
    """The first port from `port` on that nobody listens on; 0 stays 0 (the system chooses).

    Raises:
        OSError: None of the next 100 is free, or the address isn't this machine's.
    """
    if port == 0:
        return 0
    last = min(port + _TRIES, 65_536)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, last):
        if candidate not in taken and _is_free(family, host, candidate):
            return candidate
    raise OSError(f"no free port from {port} to {last - 1}")


def _is_free(family: socket.AddressFamily, host: str, port: int) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the listeners do, so that a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in _IN_USE:
                return False
            raise
    return True
