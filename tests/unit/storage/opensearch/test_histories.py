"""The checker of histories at work: it passes this store, and catches one that is broken."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from storage.contract import Storage, Written, outcome
from storage.opensearch.client import Client
from tests.support.linearizability import Operation, State, violation
from tests.support.stores import TARGET, a_write, put

pytestmark = pytest.mark.needs("opensearch")

CLIENTS = 3
OPERATIONS = 17


class CarelessClient(Client):
    """Forgets to ask whether a document is still what was read."""

    async def bulk(self, operations: Sequence[bytes]) -> Any:
        return await super().bulk([_careless(each) for each in operations])


class DeafClient(Client):
    """Answers reads with what it read first; what writes read is fresh."""

    async def request(self, method: str, *path: str, **more: Any) -> Any:
        asked = repr(more.get("body"))
        if path != ("_mget",) or "tombstones" in asked:
            return await super().request(method, *path, **more)
        known = self.__dict__.setdefault("known", {})
        if asked not in known:
            known[asked] = orjson.dumps(await super().request(method, *path, **more))
        return orjson.loads(known[asked])


def _careless(operation: bytes) -> bytes:
    head, _, body = operation.partition(b"\n")
    ((verb, told),) = orjson.loads(head).items()
    kept = {key: value for key, value in told.items() if not key.startswith("if_")}
    return orjson.dumps({verb: kept}) + b"\n" + body


async def history_of(stores: Sequence[Storage]) -> tuple[list[Operation], State]:
    """What clients of several routers see of one document, and what it was at the start."""
    first = await put(stores[0], "one", {"value": "start"})
    seen: list[Operation] = []

    async def read(storage: Storage) -> None:
        invoked = time.monotonic()
        found = await storage.get(*TARGET, "one")
        value = str(found.source["value"])
        seen.append(Operation("read", value, found.version, invoked, time.monotonic()))

    async def update(storage: Storage, value: str) -> None:
        invoked = time.monotonic()
        written = await outcome(
            storage.write(a_write("update", "one", {"value": value}, retries=100))
        )
        assert isinstance(written, Written)
        seen.append(Operation("update", value, written.version, invoked, time.monotonic()))

    async def client(storage: Storage, name: str) -> None:
        draw = random.Random(name)
        for number in range(OPERATIONS):
            if draw.random() < 0.5:
                await read(storage)
            else:
                await update(storage, f"{name}-{number}")

    names = [(store, f"{at}-{n}") for at, store in enumerate(stores) for n in range(CLIENTS)]
    await asyncio.gather(*(client(*each) for each in names))
    return seen, State("start", first.version)


@pytest.mark.parametrize(
    ("connect", "is_linearizable"),
    [(Client, True), (CarelessClient, False), (DeafClient, False)],
    ids=["this store", "without conditions", "with stale reads"],
)
async def test_only_a_broken_store_leaves_a_violation(
    open_store: Any, connect: type[Client], is_linearizable: bool
) -> None:
    stores = [await open_store(connect), await open_store(connect)]
    await stores[0].create_collection(*TARGET)
    await stores[1].catch_up()
    history, start = await history_of(stores)
    assert len(history) == 2 * CLIENTS * OPERATIONS
    assert (violation(history, start) is None) == is_linearizable
