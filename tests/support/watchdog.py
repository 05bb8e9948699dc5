"""Servers of tests must not outlive the tests, however those end."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

# The shell reads from a pipe that nobody writes to. The system closes the other end when this
# process is gone, be it by kill -9, and only then the shell goes on.
_SCRIPT: Final = """
read _
kill -9 "$1"
tries=0
while kill -0 "$1" 2>/dev/null && [ $tries -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
rm -rf "$2"
"""


class Watchdog:
    """Ends a process and removes its folder once this process is gone.

    A parent-death signal won't do: it comes when the thread ends that started the child.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "watchdog", str(pid), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Watch no longer, the process having ended."""
        self._shell.kill()
        self._shell.wait()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
