"""Rights that were taken away end subscriptions, though the store is away at that moment."""

from __future__ import annotations

import asyncio

from realtime.reviews import Reviews
from router.actions import Action
from router.envelope import Request, User
from router.errors import RouterError
from tests.support.inprocess import in_process
from tests.support.listeners import Listener

PLACE = {"index": "lab", "collection": "things"}


class Nothing:
    """A `router.ports.Authority` that allows nothing; its store fails a few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def identify(self, request: Request) -> User:
        return User("-1")

    async def assume(self, user: User) -> User:
        if self.failures:
            self.failures -= 1
            raise RouterError("services.storage.unavailable", "the store")
        return user

    def allows(self, user: User, action: Action, request: Request) -> bool:
        return False


async def test_a_review_that_fails_is_made_again() -> None:
    async with in_process() as lab:
        await lab.result("collection:create", {}, **PLACE)
        Listener(lab.connections, "c1")
        await lab.result("realtime:subscribe", {}, **PLACE)
        reviews = Reviews(lab.notifier, Nothing(failures=2), lab.router.table.find, again_s=0.01)
        left = asyncio.Event()
        lab.notifier.on_change.append(lambda _: left.set())
        reviews.due()
        async with asyncio.timeout(60):
            await left.wait()
        assert not len(lab.notifier.rooms)
        await reviews.close()
