"""What a client is promised is said only once all of it is on disk."""

from __future__ import annotations

import asyncio
from typing import Any

from protocols.mqtt.held import Held
from protocols.mqtt.journal import MESSAGES
from router.errors import RouterError
from storage.contract import Write, Written
from storage.memory import MemoryStorage
from tests.unit.protocols.mqtt.test_journal import Homes
from tests.unit.protocols.mqtt.test_sessions import House


class Connection:
    """What is said on it, and whether it was dropped."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.is_dropped = False

    def say(self, chunk: bytes) -> None:
        self.said.append(chunk)

    def abort(self) -> None:
        self.is_dropped = True

    def said_all(self) -> None:
        """Nothing follows."""


class Crowded(MemoryStorage):
    """Refuses one write, as a store does that has too many to do, and takes the next."""

    refuses = False

    async def write(self, write: Write) -> Written:
        if self.refuses and write.collection == MESSAGES:
            self.refuses = False
            raise RouterError("api.process.overloaded")
        return await super().write(write)


async def held(house: House) -> tuple[Connection, Any]:
    """Two messages for a client that is away, acknowledged together."""
    client = house.come()
    client.subscribe()
    client.lose()
    house.tell(client, 1)
    house.tell(client, 2)
    connection = Connection()
    line = Held(connection, lambda: house.sessions.failures)
    pending = house.sessions.pending()
    assert pending is not None
    line.put(b"acknowledged", pending)
    await pending
    await asyncio.sleep(0)
    return connection, line


async def begun() -> tuple[Crowded, House]:
    homes, storage = Homes(), Crowded()
    homes.storage = storage
    await storage.open()
    return storage, await homes.begin()


async def test_it_is_said_once_the_disk_has_it() -> None:
    _, house = await begun()
    connection, _ = await held(house)
    assert connection.said == [b"acknowledged"]
    assert not connection.is_dropped


async def test_it_is_not_said_where_an_earlier_write_failed() -> None:
    storage, house = await begun()
    storage.refuses = True
    connection, line = await held(house)
    assert connection.said == []
    assert connection.is_dropped
    assert not line
