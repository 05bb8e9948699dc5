"""The audit of one router: its folder, its trail and its way back to what was recorded."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from access.audit.journal import Journal
from access.audit.search import Page, Wanted, search
from access.audit.selection import Selection
from access.audit.trail import Trail
from access.audit.writer import Bounds, Clock, Writer
from router.settings import AuditSettings

_MB: Final = 1 << 20

# Files are pruned whole: so many make the whole audit, unless days end before.
_FILES: Final = 16
_MAX_FILE_BYTES: Final = 64 * _MB


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Recorder:
    """Opened before the first request, closed after the last.

    Args:
        folder: Of this router alone.
        search_timeout_s: How long one search may look.
    """

    def __init__(
        self,
        settings: AuditSettings,
        folder: Path,
        *,
        search_timeout_s: float,
        clock: Clock = now_ms,
    ) -> None:
        total = settings.mb * _MB
        bounds = Bounds(settings.days, total, min(total // _FILES, _MAX_FILE_BYTES))
        self._writer = Writer(folder, bounds, clock)
        self._journal = Journal(self._writer, clock, sync=settings.fsync, waiting=settings.waiting)
        self._is_serving = False
        self._search_timeout_s = search_timeout_s
        self._one_search = asyncio.Lock()
        self.trail = Trail(
            Selection(settings.requests),
            self._journal,
            clock,
            refuses=settings.when_failing == "refuse",
        )

    def open(self) -> None:
        """Take the folder and begin to write. Raises: AuditOpenError."""
        self._writer.open()
        self._journal.start()

    def serving(self) -> None:
        """Note that the router serves; that it stopped is noted then, too."""
        self._journal.note("started")
        self._is_serving = True

    async def close(self) -> None:
        """Write what waits, and let go of the folder."""
        if self._is_serving:
            self._journal.note("stopped")
        await self._journal.close()

    async def search(self, wanted: Wanted) -> Page:
        """One page of what was recorded, up to this moment. Searches run one after another.

        Raises:
            OSError: A file can't be read.
        """
        async with self._one_search:
            await self._journal.settled()
            return await asyncio.to_thread(
                search, self._writer.folder, wanted, timeout_s=self._search_timeout_s
            )
