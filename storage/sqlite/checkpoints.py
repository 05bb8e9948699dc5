"""When the write-ahead log is moved into the database."""

from __future__ import annotations

from typing import Final

import apsw

IDLE_PAGES: Final = 500
"""Pages that are worth moving while nobody waits: about two milliseconds of work."""


class Checkpoints:
    """Counts the pages of the log and moves them when they are many, or when nobody waits."""

    def __init__(self, connection: apsw.Connection, pages: int) -> None:
        self._connection = connection
        self._pages_max = pages
        self._pages = 0
        connection.set_wal_hook(self._count)

    def _count(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def step(self, *, is_idle: bool) -> bool:
        """Move the pages that no reader needs in the log, if it is worth it; False if not."""
        if self._pages < (IDLE_PAGES if is_idle else self._pages_max):
            return False
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._pages = 0
        return True
