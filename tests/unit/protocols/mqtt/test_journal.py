"""Sessions that are written down, and brought back by the next router."""

from __future__ import annotations

import json

import pytest

from protocols.codec.mqtt.packets import Puback, Publish, Pubrec, Pubrel, Will
from protocols.codec.mqtt.properties import Properties
from protocols.mqtt.journal import INDEX, MESSAGES, POSITIONS, RECEIVED, SESSIONS, Journal
from protocols.mqtt.restoring import Restoring
from realtime.memberships import Told
from router.connections import Notification
from router.envelope import Json, JsonObject
from storage.contract import Write
from storage.memory import MemoryStorage
from storage.query import Search
from tests.support.mqtt_client import BOTH, REQUEST, RESPONSE, summary
from tests.unit.protocols.mqtt.test_sessions import House, delayed, kept, listen, numbers

TOPIC = "a/b"


class Nowhere:
    """No rooms; `heard` are channels that every connection hears as somebody else."""

    def __init__(self, *heard: str) -> None:
        self.heard = [*heard]
        self.restored: list[tuple[str, str, list[Json]]] = []
        self.queued: list[dict[str, set[int]]] = []
        self.marks: list[JsonObject] = []
        self.calls: list[str] = []
        self.told = 0
        self.positions: list[JsonObject] = []
        self.at: dict[str, JsonObject] = {}

    def of(self, connection: str, user_id: str) -> tuple[list[Json], list[str]]:
        return [{"of": connection, "as": user_id}], self.heard

    def restore(
        self,
        connection: str,
        user_id: str,
        kept: list[Json],
        told: Told,
    ) -> None:
        self.restored.append((connection, user_id, kept))
        self.queued.append({topic: set(found) for topic, found in told.queued.items()})
        self.marks.append(told.mark)
        self.positions.append(told.behind)

    async def prepare(self) -> None:
        self.calls.append("prepare")

    async def resume(self) -> None:
        self.calls.append("resume")

    def mark(self) -> JsonObject:
        return {"feed": "f", "seq": self.told}

    def behind(self, connection: str) -> JsonObject:
        return {**self.at.get(connection, {})}


class Homes:
    """One store, and the routers that use it one after the other."""

    def __init__(self, places: Nowhere | None = None) -> None:
        self.storage = MemoryStorage()
        self.places = places or Nowhere()

    async def begin(self, **settings: object) -> House:
        """The sessions of the next router; the one before did not end properly."""
        house = House(kept(**settings))
        journal = Journal(self.storage, self.places)
        await Restoring(house.sessions, journal, clock=lambda: house.now).run()
        return house

    async def left(self) -> int:
        """Documents in the store."""
        targets = [(INDEX, name) for name in (SESSIONS, MESSAGES, RECEIVED, POSITIONS)]
        return await self.storage.count(targets, Search())


async def settle(house: House) -> None:
    """Wait until everything is written down."""
    while (pending := house.sessions.pending()) is not None:
        await pending


@pytest.fixture
async def homes() -> Homes:
    homes = Homes()
    await homes.storage.open()
    return homes


@pytest.mark.parametrize("version", BOTH)
async def test_a_session_with_all_that_is_its_own(homes: Homes, version: int) -> None:
    house = await homes.begin()
    client = house.come(version, user="mine")
    client.subscribe()
    for number in range(3):
        house.tell(client, number)
    first = [each for each in client.received() if isinstance(each, Publish)]
    client.send(Puback(packet_id=first[0].packet_id))
    client.ask(qos=2, packet_id=7)
    client.answer()
    await settle(house)
    house = await homes.begin()
    ((id_, user_id, rooms),) = homes.places.restored
    assert rooms == [{"of": id_, "as": "mine"}]
    assert (user_id, id_) == ("mine", client.session.connection.id)
    house.connections.notify(id_, Notification(TOPIC, {"type": "document", "n": 3}))
    again = house.come(version, user="mine")
    assert again.connack.session_present
    told = [each for each in again.after if isinstance(each, Publish) and each.topic == TOPIC]
    assert numbers(list(told)) == [1, 2, 3]
    assert [each.packet_id for each in told[:2]] == [each.packet_id for each in first[1:]]
    assert [each.dup for each in told] == [True, True, False]
    assert summary(again.ask(qos=2, packet_id=7, dup=True)) == ["Pubrec 7 0x00"]
    assert not again.jobs


async def test_a_request_that_comes_again_is_the_same_delivery(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.ask(qos=2, packet_id=7)
    await settle(house)
    house = await homes.begin()
    again = house.come()
    again.ask(qos=2, packet_id=7, dup=True)
    assert again.jobs[0].request.delivery == client.jobs[0].request.delivery
    again.answer()
    again.send(Pubrel(packet_id=7))
    await settle(house)
    house = await homes.begin()
    later = house.come()
    later.ask(qos=2, packet_id=7)
    assert later.jobs[0].request.delivery != client.jobs[0].request.delivery


async def test_what_is_released_is_not_sent_again(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.session._state.deliver(Publish(topic=TOPIC, payload=b"{}", qos=2))
    (message,) = client.received()
    assert isinstance(message, Publish)
    client.send(Pubrec(packet_id=message.packet_id))
    await settle(house)
    assert (await homes.begin()).come().after == [Pubrel(packet_id=message.packet_id)]


async def test_what_another_user_heard_is_not_for_who_comes_next() -> None:
    homes = Homes(Nowhere(TOPIC))
    await homes.storage.open()
    house = await homes.begin()
    client = house.come()
    client.subscribe()
    house.tell(client, 1)
    client.ask({"controller": "c", "action": "a", "jwt": "secret"}, qos=1, packet_id=1)
    client.answer()
    await settle(house)
    again = (await homes.begin()).come()
    assert again.connack.session_present
    assert again.after == []


async def test_a_session_that_is_over_leaves_nothing(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.subscribe()
    for number in range(3):
        house.tell(client, number)
    client.ask(qos=2, packet_id=7)
    client.answer()
    await settle(house)
    assert await homes.left() == 6
    client.go(expiry_s=0)
    await settle(house)
    assert await homes.left() == 0
    assert not (await homes.begin()).come().connack.session_present


async def test_what_is_at_work_when_a_session_ends_leaves_nothing(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.ask(qos=1, packet_id=1)
    client.ask(qos=2, packet_id=2)
    house.come(clean=True, expiry_s=0).go()
    client.answer()
    client.answer()
    client.session._state.on_change()
    await settle(house)
    assert await homes.left() == 0
    assert house.sessions.queued_bytes == 0


async def test_a_clean_session_and_qos_0_cost_no_write(homes: Homes) -> None:
    house = await homes.begin()
    clean = house.come(clean=True, expiry_s=0)
    clean.subscribe()
    house.tell(clean, 1)
    clean.ask(qos=2, packet_id=1)
    clean.answer()
    assert house.sessions.pending() is None
    lasting = house.come(client_id="another")
    lasting.subscribe(qos=0)
    await settle(house)
    before = await homes.storage.newest()
    house.tell(lasting, 1)
    lasting.ask()
    lasting.answer()
    assert house.sessions.pending() is None
    assert await homes.storage.newest() == before


async def test_time_goes_on_while_no_router_is_there(homes: Homes) -> None:
    house = await homes.begin()
    house.come(will=delayed(10)).lose()
    house.come(client_id="here", will=delayed(10))
    await settle(house)
    house = await homes.begin()
    wills = listen(house)
    house.pass_s(11)
    assert len(wills) == 2
    house.pass_s(100)
    assert house.sessions.kept == 0
    await settle(house)
    assert await homes.left() == 0


async def test_a_will_comes_back_as_it_was(homes: Homes) -> None:
    will = Will(
        topic=REQUEST,
        payload=b"\xff\0",
        qos=1,
        properties=Properties(
            will_delay_interval=5, correlation_data=b"\0", user_properties=(("a", "b"),)
        ),
    )
    house = await homes.begin()
    house.come(will=will).lose()
    await settle(house)
    house = await homes.begin()
    wills = listen(house)
    house.pass_s(6)
    assert wills == [will]


async def test_who_came_before_the_sessions_were_read_keeps_its_own(homes: Homes) -> None:
    house = await homes.begin()
    house.come().go()
    await settle(house)
    house = House()
    house.sessions.is_restored = False
    assert house.come().connack.reason == 0x89
    early = house.come(clean=True, expiry_s=0)
    journal = Journal(homes.storage, homes.places)
    await Restoring(house.sessions, journal, clock=lambda: house.now).run()
    await settle(house)
    assert not early.session.is_ended
    assert await homes.left() == 0


async def test_less_place_than_before_loses_the_newest(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.subscribe()
    client.go()
    for number in range(5):
        house.tell(client, number)
    await settle(house)
    house = await homes.begin(queue_messages=2)
    again = house.come()
    assert numbers(again.after) == [0, 1]
    await settle(house)
    assert await homes.left() == 3


async def test_an_answer_of_qos_1_outlives_the_router(homes: Homes) -> None:
    house = await homes.begin()
    client = house.come()
    client.ask(qos=1, packet_id=1)
    client.answer(result="kept")
    await settle(house)
    (answer,) = (await homes.begin()).come().after
    assert isinstance(answer, Publish)
    assert (answer.topic, json.loads(answer.payload)["result"]) == (RESPONSE, "kept")


async def written(homes: Homes, collection: str) -> dict[str, JsonObject]:
    await homes.storage.refresh(INDEX, collection)
    return {hit.id: hit.source for hit in await homes.storage.scan(INDEX, collection, Search(), "")}


class Behind:
    """A client that reads the past, and has three messages of it to acknowledge."""

    def __init__(self, homes: Homes, house: House) -> None:
        self._homes = homes
        self.house = house
        self.client = house.come()
        self.client.subscribe()
        self.id = self.client.session.connection.id
        self.is_at(3)
        house.sessions.changed(self.id)
        for seq in range(4, 7):
            content: JsonObject = {"type": "document", "seq": seq}
            house.connections.notify(self.id, Notification(TOPIC, content))
        self._told = [each for each in self.client.received() if isinstance(each, Publish)]

    def is_at(self, seq: int) -> None:
        self._homes.places.at = {self.id: {TOPIC: [seq, "past", "r"]}}

    async def acknowledge(self) -> None:
        """Acknowledge the next message."""
        self.client.send(Puback(packet_id=self._told.pop(0).packet_id))
        await settle(self.house)


@pytest.fixture
async def reading(homes: Homes) -> Behind:
    found = Behind(homes, await homes.begin())
    await settle(found.house)
    return found


class TestPositions:
    """Of who is told of the past."""

    async def test_they_are_written_apart_from_what_does_not_change(
        self, homes: Homes, reading: Behind
    ) -> None:
        before = await written(homes, SESSIONS)
        for seq in range(4, 7):
            reading.is_at(seq)
            await reading.acknowledge()
        assert await written(homes, SESSIONS) == before
        position = (await written(homes, POSITIONS))[reading.id]
        assert position["turn"] == before[reading.id]["turn"]
        assert position["behind"] == {TOPIC: [6, "past", "r"]}
        homes.places.at = {}
        await homes.begin()
        assert homes.places.positions == [{TOPIC: [6, "past", "r"]}]

    async def test_what_was_written_as_a_whole_since_then_counts(
        self, homes: Homes, reading: Behind
    ) -> None:
        await reading.acknowledge()
        assert await written(homes, POSITIONS)
        reading.house.sessions.changed(reading.id)
        await settle(reading.house)
        await homes.begin()
        assert homes.places.positions == [{}]

    async def test_who_has_come_to_the_end_is_written_as_a_whole(
        self, homes: Homes, reading: Behind
    ) -> None:
        await reading.acknowledge()
        before = await written(homes, SESSIONS)
        homes.places.at = {}
        await reading.acknowledge()
        after = await written(homes, SESSIONS)
        assert after[reading.id]["turn"] != before[reading.id]["turn"]
        await reading.acknowledge()
        assert await written(homes, SESSIONS) == after
        await homes.begin()
        assert homes.places.positions == [{}]

    async def test_a_session_that_is_over_leaves_none(self, homes: Homes, reading: Behind) -> None:
        await reading.acknowledge()
        assert await written(homes, POSITIONS)
        reading.client.go(expiry_s=0)
        await settle(reading.house)
        assert await homes.left() == 0

    async def test_one_of_no_session_is_forgotten(self, homes: Homes, reading: Behind) -> None:
        await reading.acknowledge()
        delete = Write(verb="delete", index=INDEX, collection=SESSIONS, id=reading.id, content={})
        await homes.storage.write(delete)
        await settle(await homes.begin())
        assert await homes.left() == 0
