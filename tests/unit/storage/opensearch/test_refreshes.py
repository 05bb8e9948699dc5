"""Forced refreshes are shared by whoever waits, and held for those about to."""

from __future__ import annotations

import asyncio
from typing import Any

from router.settings import OpenSearchSettings
from storage.opensearch.client import Client
from storage.opensearch.refreshes import Refreshes

FAR_S = 3_600.0
"""An interval that no test lives to see the end of."""


class CountingClient(Client):
    """Answers each refresh at once, as a server would that is very fast."""

    def __init__(self) -> None:
        super().__init__(OpenSearchSettings())
        self.refreshed: list[str] = []

    async def request(self, method: str, *path: str, **more: Any) -> Any:
        assert (method, path[1:]) == ("POST", ("_refresh",))
        self.refreshed.append(path[0])
        return {}


async def turns() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_who_wait_share_one() -> None:
    client = CountingClient()
    refreshes = Refreshes(client, 0.0)
    await asyncio.gather(*(refreshes.join("a") for _ in range(9)), refreshes.join("b"))
    assert sorted(client.refreshed) == ["a", "b"]
    await client.close()


async def test_one_is_held_for_writes_under_way() -> None:
    client = CountingClient()
    refreshes = Refreshes(client, FAR_S)
    with refreshes.expecting("a"):
        early = refreshes.join("a")
        await turns()
        assert client.refreshed == []
        await refreshes.join("b")  # others are not held
        late = refreshes.join("a")
    await asyncio.gather(early, late)
    assert client.refreshed == ["b", "a"]
    await client.close()


async def test_one_is_held_no_longer_than_an_interval() -> None:
    client = CountingClient()
    refreshes = Refreshes(client, 0.001)
    with refreshes.expecting("a"):
        await refreshes.join("a")
    assert client.refreshed == ["a"]
    await client.close()


async def test_expectations_within_each_other_end_one_by_one() -> None:
    client = CountingClient()
    refreshes = Refreshes(client, FAR_S)
    with refreshes.expecting("a"):
        with refreshes.expecting("a"):
            pass
        visible = refreshes.join("a")
        await turns()
        assert client.refreshed == []
    await visible
    assert client.refreshed == ["a"]
    await client.close()
