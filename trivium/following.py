"""Hearing what other routers write into the private store that they share with this one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from access.authority import Papers
from access.directory import Directory
from access.places import API_KEYS, INDEX, TOKENS
from router.errors import RouterError
from router.tasks import ended
from storage.contract import Change, Storage

_EVERY_S: Final = 1.0
"""How long what another router changed may go on counting here, besides the reading of it."""

_AT_ONCE: Final = 1_000
"""Rows of one reading."""

_log: Final = structlog.get_logger("trivium.access")


class Following:
    """Reads the changes feed of the private store and tells it to those who remember some of it:
    users, profiles and roles, tokens, API keys.

    What this router wrote itself is told as well, and costs a reading; so only follow where a
    store has several routers.
    """

    def __init__(self, private: Storage, directory: Directory, papers: Papers) -> None:
        self._private = private
        self._directory = directory
        self._papers = papers
        self._seen = 0

    async def begin(self) -> None:
        """Begin here; call before anybody reads what has been written up to now.

        Raises:
            RouterError: That of the store.
        """
        self._seen = await self._private.newest()

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Follow for the time of the block, from where `begin` was called."""
        task = asyncio.create_task(self._run(), name="changes of users and rights")
        try:
            yield
        finally:
            await ended(task)

    async def catch_up(self) -> None:
        """Tell everything that was written since the last time.

        Raises:
            RouterError: That of the store; what wasn't told is told the next time.
        """
        newest = await self._private.newest()
        if newest == self._seen:
            return
        try:
            await self._read_on()
        except RouterError as error:
            if error.id != "trivium.feed.gone":
                raise
            await self._forget()
        else:
            # Not every number is a row's.
            self._seen = max(self._seen, newest)

    # -- inside ---------------------------------------------------------------------------

    async def _read_on(self) -> None:
        while changes := await self._private.changes(self._seen, _AT_ONCE):
            await self._directory.hear(changes)
            self._papers.tokens.hear(_of(TOKENS, changes))
            self._papers.api_keys.hear(_of(API_KEYS, changes))
            self._seen = changes[-1].seq

    async def _forget(self) -> None:
        _log.warning("other routers' changes were missed: everything is read anew")
        newest = await self._private.newest()
        await self._directory.refresh()
        await self._papers.tokens.recheck()
        await self._papers.api_keys.recheck()
        self._seen = newest

    async def _run(self) -> None:
        is_behind = False
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.catch_up()
            except RouterError as error:
                # The store may be away; there is always a next time.
                if not is_behind:
                    _log.warning("other routers' changes can't be read", reason=str(error))
                is_behind = True
            else:
                is_behind = False


def _of(collection: str, changes: Sequence[Change]) -> list[Change]:
    place = (INDEX, collection)
    return [each for each in changes if (each.index, each.collection) == place]
