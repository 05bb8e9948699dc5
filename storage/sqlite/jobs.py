"""What is handed to the writer thread, and how each piece is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

import apsw

from router.errors import RouterError
from storage.contract import Write, Written
from storage.sqlite.catalog import Catalog
from storage.sqlite.keys import Conclusion

Outcome: TypeAlias = "Written | RouterError"
Task: TypeAlias = Callable[[apsw.Connection, Catalog], Catalog]
"""A change of the catalog within a transaction; gives the catalog after it."""


Work: TypeAlias = "Write | Conclusion | Task"


class Job(Protocol):
    """One write, one answer to keep, or one task."""

    @property
    def work(self) -> Work:
        """What to do."""

    def settle(self, outcome: Outcome | None) -> None:
        """Answer; called once, on the loop."""


class WriteJob:
    """A write with its own future."""

    __slots__ = ("future", "work")

    def __init__(self, write: Write, future: asyncio.Future[Written]) -> None:
        self.work: Work = write
        self.future = future

    def settle(self, outcome: Outcome | None) -> None:
        """Answer the future, unless its owner has given up."""
        if self.future.done():
            return
        if isinstance(outcome, Written):
            self.future.set_result(outcome)
        elif outcome is not None:
            self.future.set_exception(outcome)


class TaskJob:
    """What has no result: a task, or an answer to keep. Its outcome is None or an error."""

    __slots__ = ("future", "work")

    def __init__(self, work: Conclusion | Task, future: asyncio.Future[None]) -> None:
        self.work: Work = work
        self.future = future

    def settle(self, outcome: Outcome | None) -> None:
        """Answer the future, unless its owner has given up."""
        if self.future.done():
            return
        if isinstance(outcome, RouterError):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(None)


class Bulk:
    """Writes that are answered together, in one list."""

    def __init__(self, size: int, future: asyncio.Future[list[Outcome]]) -> None:
        self._outcomes: list[Outcome] = [_UNKNOWN] * size
        self._left = size
        self._future = future

    def note(self, place: int, outcome: Outcome) -> None:
        """Note the outcome of one write; the last one answers the future."""
        self._outcomes[place] = outcome
        self._left -= 1
        if not self._left and not self._future.done():
            self._future.set_result(self._outcomes)


class BulkJob:
    """One write of a bulk."""

    __slots__ = ("_bulk", "_place", "work")

    def __init__(self, write: Write, bulk: Bulk, place: int) -> None:
        self.work: Work = write
        self._bulk = bulk
        self._place = place

    def settle(self, outcome: Outcome | None) -> None:
        """Note the outcome."""
        self._bulk.note(self._place, _UNKNOWN if outcome is None else outcome)


_UNKNOWN = RouterError("services.storage.unexpected_error", "the write was never answered")
