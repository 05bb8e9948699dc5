"""When the write-ahead log is moved into the database: beside the writer, not in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

import apsw

from storage.sqlite.connection import disconnect

IDLE_PAGES: Final = 500
"""Pages that are worth moving while nobody writes."""

REST_PAGES: Final = 500
"""Pages that the writer moves itself, about two milliseconds of work: only when nothing is left
in the log can it start again at its beginning, and beside a busy writer something always is."""

_LONGEST: Final = 4
"""Times the pages of the setting that the log may hold; then the writer waits for it."""


class Checkpoints:
    """Counts the pages of the log, and has them moved by a thread with a connection of its own.

    Args:
        connection: The writer's.
        connect: Opens another one, for the thread.
        pages: Pages in the log after which they are moved.
    """

    def __init__(
        self, connection: apsw.Connection, connect: Callable[[], apsw.Connection], pages: int
    ) -> None:
        self._connection = connection
        self._other = connect()
        self._pages_max = pages
        self._pages = 0
        self._moved = 0
        self._due = pages
        self._error: apsw.Error | None = None
        self._is_still = threading.Event()
        self._is_still.set()
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._move_all, name="store checkpoints")
        self._thread.daemon = True
        self._thread.start()
        connection.set_wal_hook(self._count)

    def close(self) -> None:
        """End the thread; what is in the log stays there, as good as in the database."""
        self._orders.put(False)
        self._thread.join()
        disconnect(self._other)

    def step(self, *, is_idle: bool) -> None:
        """Have pages moved if it is worth it. To be called between transactions.

        Raises:
            apsw.Error: The disk failed, here or in the thread.
        """
        if self._pages >= _LONGEST * self._pages_max:
            self._is_still.wait()
        if not self._is_still.is_set():
            return
        if self._error is not None:
            raise self._error
        left = self._pages - self._moved
        if not left or self._pages < (IDLE_PAGES if is_idle else self._due):
            return
        if left <= REST_PAGES or self._pages >= _LONGEST * self._pages_max:
            self._moved = _move(self._connection)
            self._due = self._pages + self._pages_max // 8  # a reader may hold some back
        else:
            self._is_still.clear()
            self._orders.put(True)

    def _count(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._pages:  # the log began anew
            self._moved = 0
            self._due = self._pages_max
        self._pages = pages
        return apsw.SQLITE_OK

    def _move_all(self) -> None:
        while self._orders.get():
            try:
                self._moved = _move(self._other)
            except apsw.Error as error:
                self._error = error
            finally:
                self._is_still.set()


def _move(connection: apsw.Connection) -> int:
    """Move all pages that no reader needs in the log; how many of its pages are moved now."""
    _, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return moved
