"""A login with an unknown name takes as much work as one with a wrong password."""

from __future__ import annotations

import statistics
import time

import pytest

from access.credentials import Credentials
from router.errors import RouterError
from storage.contract import Author
from storage.memory import MemoryStorage

ROUNDS = 15


async def refused_after(credentials: Credentials, name: str) -> float:
    """Seconds that this process worked; what else the machine does is not in them."""
    started = time.process_time()
    with pytest.raises(RouterError) as refused:
        await credentials.verify(name, "wrong password")
    took = time.process_time() - started
    assert refused.value.id == "plugin.strategy.missing_user"
    return took


async def test_nobody_is_refused_as_slowly_as_somebody() -> None:
    storage = MemoryStorage()
    await storage.open()
    credentials = Credentials(storage)
    await credentials.prepare()
    await credentials.create("ada-id", {"username": "ada", "password": "right password"}, Author())
    somebody, nobody = [], []
    for number in range(ROUNDS):
        somebody.append(await refused_after(credentials, "ada"))
        nobody.append(await refused_after(credentials, f"nobody{number}"))
    credentials.close()
    await storage.close()
    # One takes tens of milliseconds, the rest of the way far below one: a short cut would show.
    assert 0.2 < statistics.median(nobody) / statistics.median(somebody) < 5
