"""A real HTTP listener over a real router with a few actions, on a port of the system's choice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from protocols.crowd import Crowd
from protocols.http import HttpListener
from protocols.http_front import Upgrade
from router.dispatch import Router
from router.settings import Settings
from tests.support.raw_http import RawAnswer, RawClient
from tests.support.small_router import (
    CountingMeter,
    CountingObserver,
    Gate,
    small_router,
    small_table,
)

NODE = "knode-test"


class House:
    """The listener with what tests look at and turn."""

    def __init__(self, settings: Settings, upgrade: Upgrade | None) -> None:
        self.gate = Gate()
        self.observer = CountingObserver()
        self.is_ready = True
        self.is_guarded = True
        self.port = 0
        limits = settings.limits
        table = small_table(self.gate)
        meter = CountingMeter()
        self.statuses = meter.statuses
        self.router: Router = small_router(
            table,
            at_work=limits.requests_at_work,
            waiting=limits.requests_waiting,
            meter=meter,
        )
        self.listener = HttpListener(
            self.router,
            table,
            settings,
            observer=self.observer,
            crowd=Crowd(settings.limits.connections_per_address),
            node=NODE,
            readiness=lambda: self.is_ready,
            metrics=lambda: (b"requests_total 1\n", "text/plain; version=0.0.4"),
            upgrade=upgrade,
            guard=lambda: self.is_guarded,
        )
        self._clients: list[RawClient] = []

    async def client(self, *, limit: int = 2**20) -> RawClient:
        """A new connection."""
        client = await RawClient.connect(self.port, limit=limit)
        self._clients.append(client)
        return client

    async def ask(self, data: bytes, *, has_body: bool = True) -> RawAnswer:
        """One request on a connection of its own."""
        return await (await self.client()).ask(data, has_body=has_body)

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        await self.listener.stop(5)


@asynccontextmanager
async def open_house(
    settings: Settings | None = None, *, upgrade: Upgrade | None = None
) -> AsyncIterator[House]:
    """A listener that serves for the length of the block."""
    house = House(settings or Settings(), upgrade)
    house.port = await house.listener.start("127.0.0.1", 0)
    try:
        yield house
    finally:
        await house.close()


async def until(condition: Callable[[], bool], *, within_s: float = 60) -> None:
    """Return once the condition holds; fail after a minute, or when the time given is over."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
