"""A real server behind TLS, a password, several addresses, and one that is slow or busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings
from storage.contract import StoreOpenError, Written, outcome
from storage.opensearch.store import OpenSearchStorage
from tests.support.certificates import TestAuthority
from tests.support.fronts import Front
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import TARGET, a_write, found, put, refused

pytestmark = pytest.mark.needs("opensearch")

AWAY = "services.storage.unavailable"
ADA = ("ada", "geheim-é:1")
BOUND_S = 60.0

Fronted = Callable[..., Awaitable[Front]]
Opened = Callable[..., Awaitable[OpenSearchStorage]]


@pytest.fixture
async def front(opensearch: OpenSearchServer) -> AsyncIterator[Fronted]:
    """Opens one more way to the server, which was empty before; closes them all."""
    opensearch.wipe()
    fronts: list[Front] = []

    async def open_front(**more: Any) -> Front:
        fronts.append(await Front(opensearch.url, **more).open())
        return fronts[-1]

    yield open_front
    for each in fronts:
        await each.close()


@pytest.fixture
async def opened(front: Fronted) -> AsyncIterator[Opened]:
    """Opens stores by their settings, one collection in each, and closes them."""
    stores: list[OpenSearchStorage] = []

    async def open_store(**settings: Any) -> OpenSearchStorage:
        chosen = {"refresh_ms": 1, **settings}
        storage = OpenSearchStorage(OpenSearchSettings.model_validate(chosen))
        await storage.open()
        stores.append(storage)
        await storage.create_collection(*TARGET)
        return storage

    yield open_store
    for each in stores:
        await each.close()


class TestTls:
    async def test_name_password_and_ca_open_the_store(
        self, tmp_path: Path, front: Fronted, opened: Opened
    ) -> None:
        authority = TestAuthority(tmp_path)
        way = await front(issued=authority.issue(), credentials=ADA)
        name, password = ADA
        storage = await opened(
            nodes=way.url, ca_file=str(authority.file), username=name, password=password
        )
        written = await put(storage, "one", {"fill": "x" * 2_000_000})
        await storage.write(a_write("update", "one", {"a": 1}))
        assert (await storage.get(*TARGET, "one")).version == written.version + 1
        assert await found(storage) == ["one"]
        assert way.refused == 0

    async def test_a_wrong_password_is_told_at_once(
        self, tmp_path: Path, front: Fronted, opened: Opened
    ) -> None:
        authority = TestAuthority(tmp_path)
        way = await front(issued=authority.issue(), credentials=ADA)
        with pytest.raises(StoreOpenError, match="401"):
            await opened(
                nodes=way.url, ca_file=str(authority.file), username="ada", password="wrong"
            )
        assert way.refused == 1

    @pytest.mark.parametrize("ca", ["", "another"])
    async def test_a_certificate_of_nobody_known_is_refused(
        self, tmp_path: Path, front: Fronted, opened: Opened, ca: str
    ) -> None:
        way = await front(issued=TestAuthority(tmp_path).issue())
        file = str(TestAuthority(tmp_path).file) if ca else ""
        with pytest.raises(StoreOpenError, match=r"(?i)certificate"):
            await opened(nodes=way.url, ca_file=file, start_timeout_s=2)
        storage = await opened(nodes=way.url, verify_certificates=False)
        assert (await put(storage, "one", {})).version == 1


class TestSeveralNodes:
    async def test_where_one_dies_the_other_serves(self, front: Fronted, opened: Opened) -> None:
        first, second = await front(), await front()
        storage = await opened(nodes=f"{first.url}, {second.url}", timeout_s=10)
        await put(storage, "one", {})
        await first.close()
        for number in range(20):
            written = await storage.write(a_write("update", "one", {"n": number}))
            assert written.version == number + 2
            assert (await storage.get(*TARGET, "one")).version == written.version
        assert [row.version for row in await storage.changes(0)] == list(range(1, 22))


class TestBusy:
    async def test_writes_back_off_with_jitter_until_they_are_taken(
        self, front: Fronted, opened: Opened
    ) -> None:
        way = await front()
        storage = await opened(nodes=way.url)
        await put(storage, "one", {})
        await storage.changes(0)  # nothing else is on its way
        way.busy, way.times = 6, []
        written = await storage.write(a_write("update", "one", {"a": 1}))
        assert written.version == 2
        pauses = [later - earlier for earlier, later in pairwise(way.times)]
        # The pause doubles from 0.1 s on, and each is between half and all of it.
        assert len(pauses) == 5
        for number, pause in enumerate(pauses):
            assert pause >= 0.05 * 2 ** min(number, 3)
        assert [row.version for row in await storage.changes(0)] == [1, 2]

    async def test_a_server_that_stays_busy_is_told_in_bounded_time(
        self, front: Fronted, opened: Opened
    ) -> None:
        way = await front()
        storage = await opened(nodes=way.url, patience_s=1)
        await put(storage, "one", {})
        await storage.changes(0)
        way.busy = 1_000
        async with asyncio.timeout(BOUND_S):
            with refused(AWAY):
                await storage.write(a_write("update", "one", {"a": 1}))
        assert way.busy > 900  # nobody hammered at it
        way.busy = 0
        assert (await storage.write(a_write("update", "one", {"a": 2}))).version == 2


class TestSlow:
    async def test_many_callers_share_the_slow_requests(
        self, front: Fronted, opened: Opened
    ) -> None:
        way = await front()
        storage = await opened(nodes=way.url)
        await put(storage, "one", {})
        way.delay_s = 0.3
        writes = [a_write("update", "one", {f"k{n}": n}) for n in range(200)]
        async with asyncio.timeout(BOUND_S):  # one after the other they would take a minute
            answers = await asyncio.gather(*(outcome(storage.write(each)) for each in writes))
        versions = [each.version for each in answers if isinstance(each, Written)]
        assert versions == list(range(2, 202))

    async def test_one_that_is_slower_than_the_timeout_is_away(
        self, front: Fronted, opened: Opened
    ) -> None:
        way = await front()
        await opened(nodes=way.url)
        storage = await opened(nodes=way.url, timeout_s=4, patience_s=1)
        await put(storage, "one", {})
        way.delay_s = 10
        async with asyncio.timeout(BOUND_S):
            with refused(AWAY):
                await storage.write(a_write("update", "one", {"a": 1}))
        way.delay_s = 0
        async with asyncio.timeout(BOUND_S):  # the requests under way must have been given up
            while isinstance(
                written := await outcome(storage.write(a_write("update", "one", {"a": 2}))),
                RouterError,
            ):
                assert written.id == AWAY
        # What was refused may have been done all the same, but nothing was done twice.
        rows = await storage.changes(0)
        assert [row.version for row in rows] == list(range(1, written.version + 1))
