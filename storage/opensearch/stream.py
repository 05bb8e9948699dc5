"""What every router writes into the store, told in the order of the feed as it comes in."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from router.errors import RouterError
from router.tasks import ended
from storage.contract import Change, Listener, Write, Written
from storage.listening import either, together
from storage.opensearch import states
from storage.opensearch.catalog import Collection
from storage.opensearch.faults import RefusedError, UnreachableError
from storage.opensearch.lane import Tools
from storage.replay import retold

_log = structlog.get_logger("storage.opensearch")

_EVERY_S: Final = 0.25
"""How long a write of another router may go unheard, besides the reading of it."""

_PAGE: Final = 500

_REMEMBERED: Final = 10_000
"""Own writes whose rows are on their way; those of more are read as others' are."""


class Stream:
    """Follows the feed up to where no row can come any more, and tells it to one listener.

    Nothing is told that isn't in the feed, and all routers tell the same in the same order: so
    whoever knows a position of the feed knows what it has heard, on whichever router.
    """

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._is_wanted: Callable[[], bool] = bool
        self._tools: Tools | None = None
        self._own: OrderedDict[str, tuple[Write, Written]] = OrderedDict()
        self._wake = asyncio.Event()
        self._seen: int | None = None
        self._task: asyncio.Task[None] | None = None

    def listen(self, listener: Listener, is_wanted: Callable[[], bool]) -> None:
        """Tell this listener, too, of what is written from now on, as long as it wants to hear of
        it."""
        self._listener = together(self._listener, listener)
        self._is_wanted = either(self._is_wanted, is_wanted)
        self._start()

    def begin(self, tools: Tools) -> None:
        """Tell what is written from now on."""
        self._tools = tools
        tools.feed.on_settled = self._wake.set
        self._start()

    async def end(self) -> None:
        """Tell nothing more."""
        await ended(self._task)

    def wrote(self, collection: Collection, write: Write, written: Written) -> None:
        """This router has done a write; it is told once its row has its place in the feed."""
        if self._tools is None or not self._is_wanted():
            return
        version = written.version + (write.verb == "delete")
        self._own[self._tools.feed.name_of(collection, written.id, version)] = (write, written)
        if len(self._own) > _REMEMBERED:
            self._own.popitem(last=False)

    # -- inside -------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._tools is not None and self._listener is not None and self._task is None:
            run = self._run(self._tools)
            self._task = asyncio.create_task(run, name="writes of all routers")

    async def _run(self, tools: Tools) -> None:
        is_behind = False
        while True:
            try:
                await self._tell_on(tools)
            except (UnreachableError, RefusedError, RouterError) as fault:
                # The server may be away; there is always a next time.
                if not is_behind:
                    _log.warning("the changes feed can't be followed", fault=str(fault))
                is_behind = True
                await asyncio.sleep(_EVERY_S)
            else:
                is_behind = False
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _tell_on(self, tools: Tools) -> None:
        newest = await tools.feed.checkpoint()
        if self._seen is None or not self._is_wanted():
            self._own.clear()
            self._seen = newest
        while self._seen < newest:
            rows = await tools.feed.named_rows(self._seen, newest, _PAGE)
            for name, change in rows:
                await self._tell(tools, name, change)
                self._seen = change.seq
            if len(rows) < _PAGE:
                self._seen = newest  # not every number is a row's

    async def _tell(self, tools: Tools, name: str, change: Change) -> None:
        assert self._listener is not None
        own = self._own.pop(name, None)
        if own is not None:
            write, written = own
            self._listener(write, msgspec.structs.replace(written, seq=change.seq))
            return
        try:
            write, written = retold(change, await states.before(tools, change))
        except (UnreachableError, RefusedError):
            raise
        except Exception as error:  # noqa: BLE001 - a boundary: one row must not end the others
            _log.error("a change can't be told", seq=change.seq, reason=str(error))
            return
        self._listener(write, written)
