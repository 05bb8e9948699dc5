"""Forced refreshes: those who wait share one, and there is at most one in an interval."""

from __future__ import annotations

import asyncio

from storage.opensearch.client import Client
from storage.opensearch.faults import RefusedError, UnreachableError


class Refreshes:
    """Makes writes visible to searches soon after they were acknowledged.

    Args:
        interval_s: Least time between two refreshes of one index, start to start.
    """

    def __init__(self, client: Client, interval_s: float) -> None:
        self._client = client
        self._interval_s = interval_s
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._last: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def join(self, alias: str) -> asyncio.Future[None]:
        """What is done once everything acknowledged before this call is visible.

        It fails with a fault of the server; cancelling it concerns all who wait for it.
        """
        loop = asyncio.get_running_loop()
        future = self._waiting.get(alias)
        if future is None:
            future = self._waiting[alias] = loop.create_future()
        if alias not in self._tasks:
            self._tasks[alias] = loop.create_task(self._run(alias), name=f"refresh {alias}")
        return future

    async def close(self) -> None:
        """Finish what is waited for."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def _run(self, alias: str) -> None:
        loop = asyncio.get_running_loop()
        while alias in self._waiting:
            pause_s = self._last.get(alias, 0.0) + self._interval_s - loop.time()
            # At least one turn of the loop, so that writes answered together share it.
            await asyncio.sleep(max(0.0, pause_s))
            self._last[alias] = loop.time()
            future = self._waiting.pop(alias)
            try:
                await self._client.request("POST", alias, "_refresh")
            except (UnreachableError, RefusedError) as fault:
                if not future.done():
                    future.set_exception(fault)
                    future.exception()  # whoever waited may have given up
            else:
                if not future.done():
                    future.set_result(None)
        del self._tasks[alias]
