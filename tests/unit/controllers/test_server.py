"""server:* tells what the router is, offers and does."""

from __future__ import annotations

import time
from typing import Any

from router.errors import RouterError
from storage.memory import MemoryStorage
from tests.support.inprocess import in_process


class BrokenReads(MemoryStorage):
    """A store whose reads fail as one that lost its disk."""

    failing: RouterError | None = None

    async def mget(self, index: str, collection: str, ids: Any) -> Any:
        if self.failing is not None:
            raise self.failing
        return await super().mget(index, collection, ids)


async def test_now_is_the_time_in_milliseconds() -> None:
    async with in_process() as router:
        before = time.time() * 1000
        now = (await router.result("server:now"))["now"]
        assert before - 1 <= now <= time.time() * 1000 + 1


async def test_no_administrator_exists() -> None:
    async with in_process() as router:
        assert await router.result("server:adminExists") == {"exists": False}


class TestInfo:
    async def test_it_has_what_sdks_and_consoles_read(self) -> None:
        async with in_process() as router:
            kuzzle = (await router.result("server:info"))["serverInfo"]["kuzzle"]
        assert kuzzle["version"] == "1.2.3"
        assert kuzzle["api"]["routes"]["server"]["now"]["http"][0]["path"] == "/_now"
        assert kuzzle["memoryUsed"] > 1_000_000
        assert kuzzle["uptime"].endswith("s")
        assert kuzzle["system"]["memory"]["total"] > 0
        assert kuzzle["node"] == "node-1"


class TestPublicApi:
    async def test_routes_stand_in_the_order_that_sdks_choose_by(self) -> None:
        async with in_process() as router:
            api = await router.result("server:publicApi")
        update = api["document"]["update"]["http"]
        assert [route["verb"] for route in update] == ["PUT", "PATCH"]
        assert update[0]["url"] == update[0]["path"] == "/:index/:collection/:_id/_update"
        assert [route["path"] for route in api["server"]["info"]["http"]] == ["/", "/_serverInfo"]
        assert [route["verb"] for route in api["document"]["search"]["http"]] == ["GET", "POST"]

    async def test_natives_are_listed_as_the_peer_lists_them(self) -> None:
        async with in_process() as router:
            api = await router.result("server:publicApi")
        natives = [
            "auth",
            "bulk",
            "cluster",
            "collection",
            "debug",
            "document",
            "index",
            "realtime",
            "security",
            "server",
            "admin",
        ]
        assert list(api)[: len(natives)] == natives
        for controller in ("auth", "collection", "document", "index"):
            assert list(api[controller]) == sorted(api[controller])

    async def test_the_setting_says_which_form_owns_the_shared_paths(self) -> None:
        async with in_process() as router:
            documented = await router.result("server:publicApi")
        async with in_process(http_form="assets") as router:
            current = await router.result("server:publicApi")
        for api, owner, other, argument in (
            (documented, "device-manager/asset", "device-manager/assets", "index"),
            (current, "device-manager/assets", "device-manager/asset", "engineId"),
        ):
            (route,) = api[owner]["update"]["http"]
            assert route["path"] == f"/_/device-manager/:{argument}/assets/:_id"
            assert [entry["verb"] for entry in api[owner]["search"]["http"]] == ["POST", "GET"]
            assert all("http" not in api[other][name] for name in api[owner] if name in api[other])
            assert "http" in api["device-manager/asset"]["importAssets"]

    async def test_every_action_is_described(self) -> None:
        async with in_process() as router:
            for action in router.router.table:
                assert action.summary.endswith((".", "…}}`, merged into the asset's metadata."))
                for argument in action.arguments:
                    assert argument.description.endswith(".")


class TestMetrics:
    async def test_it_counts_what_is_at_work(self) -> None:
        async with in_process() as router:
            router.load.running, router.load.waiting = 3, 4
            router.load.open = {"http": 1, "websocket": 2, "mqtt": 0}
            metrics = await router.result("server:metrics")
        assert metrics == {
            "api": {"concurrentRequests": 3, "pendingRequests": 4},
            "network": {"connections": {"http/1.1": 1, "websocket": 2}},
            "realtime": {"rooms": 0, "subscriptions": 0},
        }


class TestHealthCheck:
    async def test_all_services_are_green(self) -> None:
        async with in_process() as router:
            assert await router.result("server:healthCheck") == {
                "status": "green",
                "services": {
                    "internalCache": "green",
                    "memoryStorage": "green",
                    "storageEngine": "green",
                },
            }

    async def test_services_can_be_chosen_by_list_or_comma(self) -> None:
        async with in_process() as router:
            for services in ("storageEngine, memoryStorage", ["storageEngine", "memoryStorage"]):
                health = await router.result("server:healthCheck", services=services)
                assert list(health["services"]) == ["memoryStorage", "storageEngine"]

    async def test_a_store_that_fails_makes_a_500_with_a_result(self) -> None:
        store = BrokenReads()
        await store.open()
        async with in_process(store) as router:
            store.failing = RouterError("services.storage.not_connected")
            answer = await router.ask("server:healthCheck")
            assert answer.status == 500
            assert answer.error is not None
            assert answer.error["id"] == "core.fatal.service_unavailable"
            assert isinstance(answer.result, dict)
            assert answer.result["status"] == "red"
            # A service that wasn't asked for can't spoil the answer.
            healthy = await router.result("server:healthCheck", services="internalCache")
            assert healthy == {"status": "green", "services": {"internalCache": "green"}}
            store.failing = RouterError("services.storage.unknown_index", "x")
            assert (await router.result("server:healthCheck"))["status"] == "green"
        await store.close()

    async def test_an_empty_store_is_healthy(self) -> None:
        async with in_process() as router:
            await router.result("index:delete", index="device-manager")
            assert (await router.result("server:healthCheck"))["status"] == "green"
