"""One router's life in this process: start, what it gives, what a failed start leaves."""

import asyncio
import socket
from pathlib import Path

import pytest

from router.errors import RouterError
from router.settings import Settings, load
from storage.memory import MemoryStorage
from tests.support.people import peopled
from tests.support.ports import HOST, lasting_port
from tests.support.raw_http import RawClient, get
from trivium import App
from trivium.client import ConnectionFailedError, connect
from trivium.server import Server, StartError, running


def settings(**flags: object) -> Settings:
    return load(None, {}, {"server.port": 0, "mqtt.port": 0, **flags})


class TestRunning:
    async def test_all_three_wires_answer(self):
        async with running(App(), settings(), MemoryStorage()) as server:
            for protocol, port in (
                ("http", server.port),
                ("ws", server.port),
                ("mqtt", server.mqtt_port),
            ):
                async with connect(protocol, HOST, port) as client:
                    answer = await client.query({"controller": "server", "action": "now"})
                assert answer["status"] == 200

    async def test_the_application_gets_sdk_and_config_for_that_time(self):
        app, chosen = App(), settings()
        async with running(app, chosen, MemoryStorage()):
            assert app.config is chosen
            assert await app.sdk.server.now() > 0
        with pytest.raises(RouterError):
            app.sdk  # noqa: B018 - that it can't be read is the point

    async def test_after_the_block_nobody_listens(self):
        async with running(App(), settings(), MemoryStorage()) as server:
            port = server.port
        with pytest.raises(ConnectionFailedError):
            async with connect("http", HOST, port):
                pass

    async def test_it_is_not_ready_while_the_next_request_would_be_refused(self):
        app, reached, opened = App(), asyncio.Event(), asyncio.Event()

        async def hold(_):
            reached.set()
            await opened.wait()

        app.controller.register("test", {"hold": hold})
        limits = {"limits.requests_at_work": 1, "limits.requests_waiting": 0}
        async with running(app, settings(**limits), MemoryStorage()) as server:
            ready = get("/_ready")
            holder, asker = [await RawClient.connect(server.port) for _ in range(2)]
            assert (await asker.ask(ready)).status == 200
            await holder.send(get("/_/test/hold"))
            await reached.wait()
            assert (await asker.ask(get("/_now"))).error_id == "api.process.overloaded"
            assert (await asker.ask(ready)).status == 503
            opened.set()
            assert (await holder.read()).status == 200
            assert (await asker.ask(ready)).status == 200
            await holder.close()
            await asker.close()

    async def test_mqtt_can_be_left_out(self):
        async with running(App(), settings(**{"mqtt.enabled": False}), MemoryStorage()) as server:
            assert server.mqtt_port == 0
            async with connect("ws", HOST, server.port) as client:
                assert (await client.query({"controller": "server", "action": "now"}))["result"]

    async def test_stopping_does_not_wait_for_what_never_ends(self):
        app, reached, never = App(), [asyncio.Event(), asyncio.Event()], asyncio.Event()

        async def hold(_):
            reached[0].set()
            await never.wait()

        @app.hook("server:afterNow")
        async def hang(_):
            reached[1].set()
            await never.wait()

        app.controller.register("test", {"hold": hold})
        async with running(app, settings(**{"server.stop_timeout_s": 0.2}), MemoryStorage()) as it:
            holder, asker = [await RawClient.connect(it.port) for _ in range(2)]
            await holder.send(get("/_/test/hold"))
            await asker.ask(get("/_now"))
            for event in reached:
                await event.wait()
            async with asyncio.timeout(60):
                await it.stop()
            await holder.close()
            await asker.close()

    async def test_clients_that_are_connected_hear_of_the_end(self):
        async with (
            running(App(), settings(), MemoryStorage()) as server,
            connect("ws", HOST, server.port) as client,
        ):
            await server.stop()
            with pytest.raises(ConnectionFailedError, match="1012"):
                await client.query({"controller": "server", "action": "now"})


class TestFailedStart:
    async def test_a_busy_mqtt_port_frees_the_http_port_and_the_application(self):
        app = App()
        with socket.socket() as busy:
            busy.bind((HOST, 0))
            busy.listen()
            taken, port = busy.getsockname()[1], lasting_port()
            flags = {"server.port": port, "mqtt.port": taken}
            with pytest.raises(StartError, match=f"port {taken} of {HOST} is in use"):
                async with running(app, settings(**flags), MemoryStorage()):
                    pass
        assert not app.started
        async with running(app, settings(**{"server.port": port}), MemoryStorage()) as server:
            assert server.port == port

    async def test_a_public_address_needs_an_administrator(self, tmp_path: Path):
        chosen = settings(**{"server.host": "0.0.0.0", "storage.data": tmp_path / "data"})
        with pytest.raises(StartError, match=r"public address.*trivium admin create"):
            async with running(App(), chosen):
                pass

    async def test_with_an_administrator_it_would_be_served(self):
        async with peopled() as server:
            server.host = "0.0.0.0"
            server._check_host()

    async def test_a_model_with_an_unknown_measure_is_the_applications_fault(self):
        app = App()
        app.models.register_asset("Truck", measures=[{"name": "a", "type": "nothing"}])
        with pytest.raises(StartError, match="nothing"):
            Server(app, settings(), MemoryStorage())


class TestApplication:
    """The documented example, on a real store."""

    async def test_before_changes_the_update_and_after_writes_again(self, tmp_path: Path):
        app = App()

        @app.pipe("device-manager:asset:update:before")
        async def enrich(payload):
            payload["updates"].setdefault("metadata", {})["before"] = True
            return payload

        @app.pipe("device-manager:asset:update:after")
        async def follow_up(payload):
            changes = {"metadata": {"after": True}}
            await app.sdk.document.update("fleet", "assets", payload["asset"]["_id"], changes)
            return payload

        async with running(app, settings(**{"storage.data": tmp_path})) as server:
            sdk = server.sdk
            await sdk.device_manager.engine.create("fleet")
            asset = {"model": "Truck", "reference": "1", "metadata": {}}
            await sdk.device_manager.asset.create("fleet", asset)
            async with connect("ws", HOST, server.port) as client:
                answer = await client.query(
                    {
                        "controller": "device-manager/asset",
                        "action": "update",
                        "index": "fleet",
                        "_id": "Truck-1",
                        "body": {"metadata": {"x": 1}},
                    }
                )
            assert answer["result"]["_source"]["metadata"] == {"x": 1, "before": True}
            stored = await sdk.device_manager.asset.get("fleet", "Truck-1")
            assert stored["_version"] == 3
            assert stored["_source"]["metadata"] == {"x": 1, "before": True, "after": True}

    async def test_what_the_application_writes_is_signed_by_nobody(self):
        app = App()
        async with running(app, settings(), MemoryStorage()):
            await app.sdk.collection.create("fleet", "logs")
            written = await app.sdk.document.create("fleet", "logs", {"a": 1}, "1")
            assert written["_source"]["_kuzzle_info"]["author"] is None
            as_ada = await app.sdk.as_user("ada").document.create("fleet", "logs", {"a": 1}, "2")
            assert as_ada["_source"]["_kuzzle_info"]["author"] == "ada"

    async def test_the_methods_of_the_sdk_do_what_they_say(self):
        app = App()
        async with running(app, settings(), MemoryStorage()):
            sdk = app.sdk
            await sdk.index.create("fleet")
            assert await sdk.index.exists("fleet")
            assert "fleet" in await sdk.index.list()
            await sdk.collection.create("fleet", "logs", {"mappings": {"properties": {}}})
            assert await sdk.collection.exists("fleet", "logs")
            assert "properties" in await sdk.collection.get_mapping("fleet", "logs")
            await sdk.document.create("fleet", "logs", {"a": 1}, "1", refresh="wait_for")
            await sdk.document.create_or_replace("fleet", "logs", "2", {"a": 2})
            await sdk.document.replace("fleet", "logs", "2", {"a": 3})
            await sdk.collection.refresh("fleet", "logs")
            assert await sdk.document.count("fleet", "logs") == 2
            found = await sdk.document.search("fleet", "logs", {"sort": ["_id"]}, size=1)
            assert (found["total"], len(found["hits"])) == (2, 1)
            assert (await sdk.document.get("fleet", "logs", "2"))["_source"]["a"] == 3
            await sdk.document.delete("fleet", "logs", "2")
            assert not await sdk.document.exists("fleet", "logs", "2")
            await sdk.collection.delete("fleet", "logs")
            await sdk.index.delete("fleet")
            assert not await sdk.index.exists("fleet")
            await sdk.device_manager.engine.create("tenant")
            assert await sdk.device_manager.engine.exists("tenant")
            asset = {"model": "Truck", "reference": "1"}
            assert (await sdk.device_manager.asset.upsert("tenant", asset))["_id"] == "Truck-1"
            await sdk.device_manager.asset.delete("tenant", "Truck-1")
            assert (await sdk.device_manager.asset.search("tenant"))["total"] == 0
            await sdk.device_manager.engine.delete("tenant")
            assert "serverInfo" in await sdk.server.info()
            assert (await sdk.auth.check_token("nothing"))["valid"] is False
            assert await sdk.auth.get_current_user() is not None
