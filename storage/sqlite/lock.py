"""The lock that keeps a second process out of a store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from storage.contract import StoreOpenError


class FolderLock:
    """Holds a lock file from construction to `release`; the system frees it if the process dies.

    Args:
        path: The lock file; made if missing, and left behind, holding the owner's process id.

    Raises:
        StoreOpenError: Another process (or another store of this one) holds it.
        OSError: The file can't be made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise StoreOpenError(
                f"{path.parent} is in use by process {owner or 'unknown'}"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
