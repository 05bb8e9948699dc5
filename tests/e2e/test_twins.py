"""Twin topics: a device subscribes to twins/<engine>/<id>, and knows how its asset is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from protocols.codec.mqtt.properties import Properties
from storage.contract import Author, Write, Written
from tests.support import mqtt_wire
from tests.support.mqtt_wire import RawClient
from tests.support.opensearch import OpenSearchServer
from tests.support.people import add_user, peopled, settings
from tests.support.server import Server as Program
from tests.support.server import serving, start
from tests.support.websocket import until
from tests.support.wires import WebSocketWire
from trivium import App
from trivium.sdk import Sdk
from trivium.server import Server, running

TOPIC = "twins/fleet/Truck-1"
ASSET: Any = {"model": "Truck", "reference": "1", "metadata": {"n": 1}}
BOB = {"username": "bob", "password": "bob's long password"}
READER: Any = {"controllers": {"device-manager/asset": {"actions": {"get": True}}}}


@asynccontextmanager
async def fleet(folder: Path, app: App | None = None, **more: Any) -> AsyncIterator[Server]:
    """A router on the embedded store, with twins and an engine `fleet`."""
    chosen = settings(**{"twins.enabled": True, "storage.data": folder, **more})
    async with running(app or App(), chosen) as server:
        if not await server.sdk.device_manager.engine.exists("fleet"):
            await server.sdk.device_manager.engine.create("fleet")
        yield server


async def subscribe(client: RawClient, *topics: str, qos: int = 0) -> tuple[int, ...]:
    """The reasons of the SUBACK."""
    asked = tuple(Subscription(topic_filter=topic, qos=qos) for topic in topics)
    await client.send(Subscribe(packet_id=9, subscriptions=asked))
    answer = await client.receive()
    assert isinstance(answer, Suback), answer
    return answer.reasons


async def told(client: RawClient, *, retain: bool = False) -> Any:
    """The next state of the asset; None once it is gone."""
    message = await client.receive()
    assert isinstance(message, Publish), message
    assert (message.topic, message.retain) == (TOPIC, retain)
    return json.loads(message.payload) if message.payload else None


async def n_of(client: RawClient, *, retain: bool = False) -> Any:
    state = await told(client, retain=retain)
    return None if state is None else state["_source"]["metadata"]["n"]


async def nothing_more(client: RawClient) -> None:
    """Fails if the client has been sent anything that it hasn't read."""
    await client.send(Unsubscribe(packet_id=3, topic_filters=("nothing",)))
    assert isinstance(await client.receive(), Unsuback)


@pytest.mark.parametrize("version", [V3_1_1, V5])
async def test_it_is_told_now_and_with_every_change(tmp_path: Path, version: int) -> None:
    app = App()
    app.models.register_asset("Truck", metadata_mappings={"n": {"type": "integer"}})
    async with fleet(tmp_path, app) as server:
        sdk = server.sdk
        await sdk.device_manager.asset.create("fleet", ASSET)
        async with mqtt_wire.client(server.mqtt_port, version) as client:
            assert await subscribe(client, TOPIC) == (0,)
            now = await told(client, retain=True)
            assert (now["_id"], now["_version"]) == ("Truck-1", 1)
            assert now["_source"]["metadata"]["n"] == 1
            for change in changes(sdk):
                await change
                assert await n_of(client) == 2
                await sdk.document.update("fleet", "assets", "Truck-1", {"metadata": {"n": 1}})
                assert await n_of(client) == 1
            await sdk.device_manager.asset.delete("fleet", "Truck-1")
            assert await told(client) is None
            await sdk.device_manager.asset.create("fleet", ASSET)
            assert await n_of(client) == 1
            await client.send(Unsubscribe(packet_id=4, topic_filters=(TOPIC,)))
            await client.receive()
            await sdk.device_manager.asset.delete("fleet", "Truck-1")
            await nothing_more(client)
            assert server.core.twins is not None
            assert len(server.core.twins) == 0


def changes(sdk: Sdk) -> list[Any]:
    """Ways to make the asset's `n` two."""
    changed: Any = {"metadata": {"n": 2}}
    place: Any = {"index": "fleet", "collection": "assets"}
    document, bulk = sdk.of("document"), sdk.of("bulk")
    many: Any = {"documents": [{"_id": "Truck-1", "body": changed}]}
    whole: Any = {**ASSET, **changed}
    lines: Any = {"bulkData": [{"update": {"_id": "Truck-1"}}, {"doc": changed}]}
    silent = sdk.document.update("fleet", "assets", "Truck-1", changed, silent=True)  # type: ignore[call-arg]
    return [
        sdk.device_manager.asset.update("fleet", "Truck-1", changed),
        sdk.device_manager.assets.update(engineId="fleet", _id="Truck-1", body=changed),
        sdk.device_manager.asset.upsert("fleet", {**ASSET, **changed}, "Truck-1"),
        sdk.document.create_or_replace("fleet", "assets", "Truck-1", whole),
        silent,
        document.mUpdate(body=many, **place),
        bulk.mWrite(body={"documents": [{"_id": "Truck-1", "body": whole}]}, **place),
        getattr(bulk, "import")(body=lines, **place),
        document.updateByQuery(body={"query": {}, "changes": changed}, **place),
        bulk.updateByQuery(body={"query": {}, "changes": changed}, refresh="wait_for", **place),
    ]


async def test_an_asset_that_is_not_there_yet_may_be_waited_for(tmp_path: Path) -> None:
    async with fleet(tmp_path) as server, mqtt_wire.client(server.mqtt_port) as client:
        assert await subscribe(client, TOPIC, qos=1) == (1,)
        await nothing_more(client)
        await server.sdk.device_manager.asset.create("fleet", ASSET)
        assert await n_of(client) == 1


async def test_who_does_not_want_what_is_retained_hears_of_changes(tmp_path: Path) -> None:
    async with fleet(tmp_path) as server, mqtt_wire.client(server.mqtt_port) as client:
        await server.sdk.device_manager.asset.create("fleet", ASSET)
        asked = (Subscription(topic_filter=TOPIC, retain_handling=2),)
        await client.send(Subscribe(packet_id=1, subscriptions=asked))
        assert isinstance(await client.receive(), Suback)
        await server.sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"n": 2}})
        assert await n_of(client) == 2


async def test_clients_can_neither_speak_for_an_asset_nor_hear_of_all(tmp_path: Path) -> None:
    async with (
        fleet(tmp_path, **{"mqtt.allow_pub_sub": True}) as server,
        mqtt_wire.client(server.mqtt_port) as client,
    ):
        assert await subscribe(client, "twins/#", TOPIC) == (0, 0)
        await client.send(Publish(topic=TOPIC, payload=b"{}", qos=1, packet_id=2, retain=True))
        answer = await client.receive()
        assert isinstance(answer, Puback)
        assert answer.reason == 0x87
        await server.sdk.device_manager.asset.create("fleet", ASSET)
        assert await n_of(client) == 1
        await nothing_more(client)


async def test_who_wants_it_no_longer_is_not_told(tmp_path: Path) -> None:
    async with fleet(tmp_path) as server, mqtt_wire.client(server.mqtt_port) as client:
        twins = server.core.twins
        assert twins is not None
        await client.send(
            Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter=TOPIC),)),
            Unsubscribe(packet_id=2, topic_filters=(TOPIC,)),
        )
        kinds = {type(await client.receive()), type(await client.receive())}
        assert kinds == {Suback, Unsuback}
        await until(lambda: not len(twins), "nobody follows it")


async def test_what_is_no_asset_is_refused(tmp_path: Path) -> None:
    async with fleet(tmp_path) as server, mqtt_wire.client(server.mqtt_port) as client:
        topics = ("twins/nowhere/Truck-1", TOPIC, "twins/fleet", "twins//x")
        assert await subscribe(client, *topics) == (0x87, 0, 0, 0)
        await nothing_more(client)


async def test_without_the_setting_they_are_topics_like_others(tmp_path: Path) -> None:
    async with fleet(tmp_path, **{"twins.enabled": False}) as server:
        await server.sdk.device_manager.asset.create("fleet", ASSET)
        async with mqtt_wire.client(server.mqtt_port) as client:
            assert await subscribe(client, TOPIC) == (0,)
            await nothing_more(client)


class TestRights:
    @pytest.fixture
    async def server(self) -> AsyncIterator[Server]:
        async with peopled(**{"twins.enabled": True}) as server:
            core, assets = server.core, server.sdk.device_manager
            for engine in ("fleet", "secret"):
                await assets.engine.create(engine)
                await assets.asset.create(engine, ASSET)
            await core.register.roles.write("create", "reader", READER, Author())
            bound: Any = {"policies": [{"roleId": "reader", "restrictedTo": [{"index": "fleet"}]}]}
            await core.register.profiles.write("create", "readers", bound, Author())
            await add_user(core, "bob-id", BOB, "readers")
            yield server

    @pytest.mark.parametrize(("version", "refusal"), [(V3_1_1, 0x80), (V5, 0x87)])
    async def test_one_gets_what_one_may_read(
        self, server: Server, version: int, refusal: int
    ) -> None:
        name: Any = {"username": "bob", "password": BOB["password"].encode()}
        async with mqtt_wire.client(server.mqtt_port, version, **name) as client:
            secret = "twins/secret/Truck-1"
            reasons = await subscribe(client, secret, TOPIC, "twins/secret/no")
            assert reasons == (refusal, 0, refusal)
            assert await n_of(client, retain=True) == 1
            for engine in ("secret", "fleet"):
                changes = {"metadata": {"n": 2}}
                await server.sdk.device_manager.asset.update(engine, "Truck-1", changes)
            assert await n_of(client) == 2
            await nothing_more(client)
        async with mqtt_wire.client(server.mqtt_port, version) as stranger:
            assert await subscribe(stranger, TOPIC) == (refusal,)

    async def test_it_ends_with_the_right(self, server: Server) -> None:
        twins = server.core.twins
        assert twins is not None
        name: Any = {"username": "bob", "password": BOB["password"].encode()}
        async with mqtt_wire.client(server.mqtt_port, **name) as client:
            await subscribe(client, TOPIC)
            assert await n_of(client, retain=True) == 1
            default: Any = {"profileIds": ["default"]}
            await server.core.register.users.update("bob-id", default, Author())
            await until(lambda: not len(twins), "he follows nothing")
            await server.sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"n": 2}})
            await nothing_more(client)


class TestNothingIsStale:
    async def test_what_went_with_its_collection(self, tmp_path: Path) -> None:
        async with fleet(tmp_path, **{"twins.check_s": 0.05}) as server:
            sdk = server.sdk
            await sdk.device_manager.asset.create("fleet", ASSET)
            async with mqtt_wire.client(server.mqtt_port) as client:
                await subscribe(client, TOPIC)
                assert await n_of(client, retain=True) == 1
                await sdk.device_manager.engine.delete("fleet")
                assert await told(client) is None
                await sdk.device_manager.engine.create("fleet")
                await sdk.device_manager.asset.create("fleet", ASSET)
                assert await n_of(client) == 1

    async def test_what_is_told_late(self, tmp_path: Path) -> None:
        # A store may show a write before it tells of it.
        async with fleet(tmp_path) as server:
            sdk, twins = server.sdk, server.core.twins
            assert twins is not None
            for n in (1, 2):
                await sdk.device_manager.asset.upsert("fleet", {**ASSET, "metadata": {"n": n}})
            async with mqtt_wire.client(server.mqtt_port) as client:
                await subscribe(client, TOPIC)
                assert await n_of(client, retain=True) == 2
                now = await server.core.storage.get("fleet", "assets", "Truck-1")
                late = [
                    Written(id="Truck-1", version=n, source={}, incarnation=now.incarnation)
                    for n in (1, 2)
                ]
                write = Write(
                    verb="update",
                    index="fleet",
                    collection="assets",
                    id="Truck-1",
                    content={},
                    author=Author(),
                )
                for written in late:
                    twins.written(write, written)
                await nothing_more(client)

    async def test_a_client_that_was_away_is_told_when_it_is_back(self, tmp_path: Path) -> None:
        async with fleet(tmp_path) as server:
            sdk = server.sdk
            await sdk.device_manager.asset.create("fleet", ASSET)
            kept = Properties(session_expiry_interval=600)
            async with mqtt_wire.client(server.mqtt_port, properties=kept) as client:
                await subscribe(client, TOPIC)
                assert await n_of(client, retain=True) == 1
            await sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"n": 2}})
            async with mqtt_wire.raw(server.mqtt_port) as client:
                await client.send(
                    Connect(client_id="client-1", version=V5, clean_start=False, properties=kept)
                )
                connack = await client.receive()
                assert isinstance(connack, Connack)
                assert connack.session_present
                assert await n_of(client, retain=True) == 2
                await sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"n": 3}})
                assert await n_of(client) == 3

    async def test_a_router_that_was_killed(self, tmp_path: Path) -> None:
        environment = {"TRIVIUM__TWINS__ENABLED": "true"}
        server = await asyncio.to_thread(start, tmp_path, environment=environment)
        try:
            wire = await WebSocketWire(server.port).open()
            engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
            await wire.ask(engine)
            asset = {"controller": "device-manager/asset", "index": "fleet"}
            await wire.ask({**asset, "action": "create", "body": ASSET})
            update = {**asset, "action": "update", "_id": "Truck-1", "body": {"metadata": {"n": 5}}}
            assert (await wire.ask(update))["status"] == 200
            server.kill()
            await wire.close()
            server = await asyncio.to_thread(start, tmp_path, environment=environment)
            async with mqtt_wire.client(server.mqtt_port) as client:
                await subscribe(client, TOPIC)
                assert await n_of(client, retain=True) == 5
        finally:
            server.kill()


@pytest.fixture
def both(tmp_path: Path, opensearch: OpenSearchServer) -> Iterator[list[Program]]:
    """Two routers with twins on one OpenSearch, which don't compare with it by themselves."""
    opensearch.wipe()
    environment = {"TRIVIUM__TWINS__ENABLED": "true", "TRIVIUM__TWINS__CHECK_S": "600"}
    arguments = ("--storage", f"opensearch:{opensearch.url}")
    with ExitStack() as stack:
        started = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            router = serving(tmp_path / name, arguments=arguments, environment=environment)
            started.append(stack.enter_context(router))
        yield started


@pytest.mark.needs("opensearch")
async def test_what_another_router_writes_is_told(
    both: list[Program],
) -> None:
    first, second = both
    wire = await WebSocketWire(second.port).open()
    asset = {"controller": "device-manager/asset", "index": "fleet"}
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    assert (await wire.ask(engine))["status"] == 200
    assert (await wire.ask({**asset, "action": "create", "body": ASSET}))["status"] == 200
    async with mqtt_wire.client(first.mqtt_port) as client:
        assert await subscribe(client, TOPIC) == (0,)
        assert await n_of(client, retain=True) == 1
        for n in (2, 3):
            update = {"action": "update", "_id": "Truck-1", "body": {"metadata": {"n": n}}}
            assert (await wire.ask({**asset, **update}))["status"] == 200
            assert await n_of(client) == n
        assert (await wire.ask({**asset, "action": "delete", "_id": "Truck-1"}))["status"] == 200
        assert await told(client) is None
    await wire.close()


async def test_a_pipe_may_hide_what_is_in_it(tmp_path: Path) -> None:
    app = App()

    @app.pipe("notify:twin")
    def hide(state: Any) -> Any:
        if state["_source"] is not None:
            state["_source"]["metadata"].pop("driver", None)
        return state

    async with fleet(tmp_path, app) as server:
        asset: Any = {**ASSET, "metadata": {"n": 1, "driver": "Ada"}}
        await server.sdk.device_manager.asset.create("fleet", asset)
        async with mqtt_wire.client(server.mqtt_port) as client:
            await subscribe(client, TOPIC)
            assert (await told(client, retain=True))["_source"]["metadata"] == {"n": 1}
            await server.sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"n": 2}})
            assert (await told(client))["_source"]["metadata"] == {"n": 2}


async def test_subscriptions_to_documents_go_on_beside_them(tmp_path: Path) -> None:
    async with fleet(tmp_path) as server:
        heard: list[Any] = []
        await server.sdk.realtime.subscribe("fleet", "assets", {}, heard.append)
        await server.sdk.device_manager.asset.create("fleet", ASSET)
        await until(lambda: bool(heard), "the notification is there")
        assert heard[0]["result"]["_id"] == "Truck-1"
