"""`app.sdk.realtime`: subscriptions of the application itself, on a router that serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from examples import alerts
from router.errors import RouterError
from router.settings import MqttSettings, RealtimeSettings, ServerSettings, Settings
from storage.contract import Author
from storage.memory import MemoryStorage
from tests.support.people import add_user, peopled
from trivium import App
from trivium.errors import StartError
from trivium.sdk import Sdk
from trivium.server import running

SETTINGS = Settings(server=ServerSettings(port=0), mqtt=MqttSettings(port=0))
BOB = {"username": "bob", "password": "bob's long password"}


class Heard:
    """A callback that keeps what it is told."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[Any] = asyncio.Queue()
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, notification: Any) -> None:
        self.all.put_nowait(notification)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.all.get(), 60)


@pytest.fixture
def waiting() -> int:
    return 1_000


@pytest.fixture
async def sdk(waiting: int) -> AsyncIterator[Sdk]:
    app = App()
    bounded = SETTINGS.model_copy(update={"realtime": RealtimeSettings(pipes_waiting=waiting)})
    async with running(app, bounded, MemoryStorage()):
        await app.sdk.collection.create("lab", "things")
        yield app.sdk


async def test_documents_messages_and_their_end(sdk: Sdk) -> None:
    heard = Heard()
    room = await sdk.realtime.subscribe("lab", "things", {"range": {"n": {"gte": 5}}}, heard)
    await sdk.document.create("lab", "things", {"n": 6}, "a")
    notice = await heard.next()
    assert (notice["action"], notice["scope"], notice["result"]["_id"]) == ("create", "in", "a")
    assert notice["room"].startswith(room)
    await sdk.realtime.publish("lab", "things", {"n": 50}, "m")
    assert (await heard.next())["result"]["_source"]["n"] == 50
    assert await sdk.realtime.count(room) == 1
    await sdk.realtime.unsubscribe(room)
    assert await sdk.realtime.count(room) == 0
    await sdk.document.create("lab", "things", {"n": 7}, "b")
    assert heard.all.empty()
    with pytest.raises(RouterError) as caught:
        await sdk.realtime.unsubscribe(room)
    assert caught.value.id == "core.realtime.not_subscribed"


async def test_clients_do_not_see_it_in_the_list(sdk: Sdk) -> None:
    await sdk.realtime.subscribe("lab", "things", {}, Heard(), scope="in")
    assert await sdk.of("realtime").list() == {}


async def test_users_and_volatile_go_with_it(sdk: Sdk) -> None:
    heard = Heard()
    await sdk.realtime.subscribe("lab", "things", {}, heard, users="all", scope="none")
    other = Heard()
    room = await sdk.realtime.subscribe("lab", "things", {}, other, volatile={"who": "me"})
    came = await heard.next()
    assert (came["user"], came["result"], came["volatile"]) == ("in", {"count": 2}, {"who": "me"})
    await sdk.realtime.unsubscribe(room)


async def test_a_bad_filter_leaves_nothing_behind(sdk: Sdk) -> None:
    with pytest.raises(RouterError) as caught:
        await sdk.realtime.subscribe("lab", "things", {"nope": 1}, Heard())
    assert caught.value.id == "api.assert.koncorde_dsl_error"
    assert await sdk.of("server").metrics() is not None


async def test_a_callback_that_fails_or_changes_its_own_harms_nobody(sdk: Sdk) -> None:
    def spoil(notification: Any) -> None:
        notification["result"].clear()
        raise ValueError("no")

    heard = Heard()
    await sdk.realtime.subscribe("lab", "things", {}, spoil)
    await sdk.realtime.subscribe("lab", "things", {}, heard)
    for n in range(2):
        await sdk.realtime.publish("lab", "things", {"n": n})
    assert [(await heard.next())["result"]["_source"]["n"] for _ in range(2)] == [0, 1]


async def test_a_callback_may_call_the_api(sdk: Sdk) -> None:
    heard = Heard()

    async def copy(notification: Any) -> None:
        await sdk.document.create("lab", "copies", notification["result"]["_source"], "c")

    await sdk.collection.create("lab", "copies")
    await sdk.realtime.subscribe("lab", "things", {}, copy)
    await sdk.realtime.subscribe("lab", "copies", {}, heard)
    await sdk.document.create("lab", "things", {"n": 1}, "a")
    assert (await heard.next())["collection"] == "copies"


@pytest.mark.parametrize("waiting", [2])
async def test_a_callback_that_is_too_slow_is_cut_off_and_told(sdk: Sdk) -> None:
    go, heard = asyncio.Event(), Heard()

    async def slow(_: Any) -> None:
        await go.wait()

    room = await sdk.realtime.subscribe("lab", "things", {}, slow, on_end=heard.ends.put_nowait)
    await sdk.realtime.subscribe("lab", "things", {}, heard)
    await sdk.realtime.publish("lab", "things", {"n": 0})
    await heard.next()
    for n in range(1, 4):
        await sdk.realtime.publish("lab", "things", {"n": n})
        assert (await heard.next())["result"]["_source"]["n"] == n
    assert "wait for its callback" in await asyncio.wait_for(heard.ends.get(), 60)
    assert await sdk.realtime.count(room) == 1
    go.set()


async def test_a_user_listens_with_his_own_rights_as_long_as_he_has_them() -> None:
    async with peopled() as server:
        core = server.core
        await core.storage.create_collection("lab", "things")
        await core.storage.create_collection("secret", "things")
        listener: Any = {"controllers": {"realtime": {"actions": {"*": True}}}}
        await core.register.roles.write("create", "listener", listener, Author())
        bound: Any = {"policies": [{"roleId": "listener", "restrictedTo": [{"index": "lab"}]}]}
        await core.register.profiles.write("create", "listeners", bound, Author())
        await add_user(core, "bob-id", BOB, "listeners")
        bob, heard, own = server.sdk.as_user("bob-id"), Heard(), Heard()
        with pytest.raises(RouterError) as caught:
            await bob.realtime.subscribe("secret", "things", {}, heard)
        assert caught.value.id == "security.rights.forbidden"
        room = await bob.realtime.subscribe("lab", "things", {}, heard)
        await server.sdk.realtime.subscribe("lab", "things", {}, own)
        with pytest.raises(RouterError):
            await server.sdk.as_user("ada-id").realtime.unsubscribe(room)
        await bob.realtime.publish("lab", "things", {"n": 1})
        assert (await heard.next())["result"]["_source"]["n"] == 1
        await own.next()
        await core.register.users.update("bob-id", {"profileIds": ["default"]}, Author())
        async with asyncio.timeout(60):
            while await server.sdk.realtime.count(room) > 1:
                await asyncio.sleep(0)
        await server.sdk.realtime.publish("lab", "things", {"n": 2})
        await own.next()
        assert heard.all.empty()


class TestLife:
    async def test_an_application_listens_before_the_first_request(self) -> None:
        app, heard, states = App(), Heard(), list[str]()

        @app.pipe("kuzzle:state:live")
        async def listen(_: object) -> None:
            states.append("live")
            await app.sdk.realtime.subscribe("lab", "things", {}, heard)

        app.hook.register("kuzzle:state:ready", lambda _: states.append("ready"))
        app.hook.register("kuzzle:shutdown", lambda _: states.append("shutdown"))
        async with running(app, SETTINGS, MemoryStorage()):
            await app.sdk.realtime.publish("lab", "things", {"n": 1})
            assert (await heard.next())["result"]["_source"]["n"] == 1
        assert states == ["live", "ready", "shutdown"]

    async def test_one_that_fails_then_is_not_served(self) -> None:
        app = App()

        @app.hook("kuzzle:state:live")
        async def fail(_: object) -> None:
            raise ValueError("the moon is down")

        with pytest.raises(StartError, match=r"kuzzle:state:live.*the moon is down"):
            async with running(app, SETTINGS, MemoryStorage()):
                pass
        assert not app.started

    async def test_callbacks_get_to_finish_when_it_stops(self) -> None:
        app, begun, done = App(), asyncio.Event(), list[int]()

        async def slow(_: object) -> None:
            begun.set()
            for _ in range(50):
                await asyncio.sleep(0)
            done.append(1)

        async with running(app, SETTINGS, MemoryStorage()):
            await app.sdk.realtime.subscribe("lab", "things", {}, slow)
            await app.sdk.realtime.publish("lab", "things", {"n": 1})
            await begun.wait()
        assert done == [1]


async def test_the_example_keeps_an_alert_for_each_hot_truck() -> None:
    heard = Heard()
    async with running(alerts.app, SETTINGS, MemoryStorage()):
        sdk = alerts.app.sdk
        await sdk.realtime.subscribe("fleet", "alerts", {}, heard)
        asset = {"model": "Truck", "reference": "1", "metadata": {"temperature": 20}}
        await sdk.device_manager.asset.create("fleet", asset)
        for temperature, told in ((40, ("create", "in")), (25, ("delete", "out"))):
            changes = {"metadata": {"temperature": temperature, "driver": "Ada"}}
            await sdk.device_manager.asset.update("fleet", "Truck-1", changes)
            notice = await heard.next()
            assert (notice["action"], notice["scope"]) == told
        own = Heard()
        await sdk.realtime.subscribe("fleet", "assets", {}, own)
        await sdk.device_manager.asset.update("fleet", "Truck-1", {"metadata": {"speed": 3}})
        metadata = (await own.next())["result"]["_source"]["metadata"]
        assert "speed" in metadata
        assert "driver" not in metadata
