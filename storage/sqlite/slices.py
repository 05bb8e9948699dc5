"""Many documents by id, read off the loop a slice at a time, so that nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from storage.contract import Document
from storage.sqlite.catalog import Collection
from storage.sqlite.reader import Reader

SLICE: Final = 100
"""Documents that are read in one go: about a millisecond of work."""


class SlicedReader:
    """Reads as a `Reader` does, in a thread of its own that is started when it is needed.

    Args:
        make: Opens the reader, for that thread alone.
    """

    def __init__(self, make: Callable[[], Reader]) -> None:
        self._make = make
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store slices")

    async def close(self) -> None:
        """Finish the slice that is being read, and let go of the connection."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._reader is not None:
            self._reader.close()

    async def mget(self, collection: Collection, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order; each as of some moment since the call."""
        run = asyncio.get_running_loop().run_in_executor
        found: list[Document | None] = []
        for start in range(0, len(ids), SLICE):
            found += await run(self._thread, self._read, collection, ids[start : start + SLICE])
        return found

    def _read(self, collection: Collection, ids: Sequence[str]) -> list[Document | None]:
        self._reader = self._reader or self._make()
        return self._reader.mget(collection, ids)
