"""server:getStats and its kin tell frames; server:getConfig tells settings and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.settings import Settings, load
from tests.contract.actions.test_story import InProcess
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.inprocess import in_process
from tests.support.wires import WIRES
from trivium.server import Server, running

SECRET = "planted-secret"
SECRET_WORDS = ("pass", "secret", "token", "key", "credential")
NO_SECRETS = {
    # Names of files, numbers and switches.
    *("tls.key", "access.key_file", "access.token_ttl_s", "access.token_max_ttl_s"),
    *("access.api_key_max_ttl_s", "access.tokens_cached", "frame.max_keys"),
    *("http.keepalive_timeout_s",),
}


async def ask(server: Server, name: str, **more: Any) -> Any:
    controller, _, action = name.partition(":")
    return (await InProcess(server).ask({"controller": controller, "action": action, **more}))[
        "result"
    ]


async def test_frames_count_what_each_wire_was_answered(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        opened = {
            name: await WIRES[name](server.port, server.mqtt_port)
            for name in ("http-query", "websocket", "mqtt-5")
        }
        for number, wire in enumerate(opened.values(), 1):
            for _ in range(number):
                await wire.ask({"controller": "server", "action": "now"})
            await wire.ask({"controller": "nope", "action": "now"})
        server.core.statistics.take()
        await opened["websocket"].ask({"controller": "server", "action": "now"})
        server.core.statistics.take()
        frames = await opened["websocket"].ask({"controller": "server", "action": "getAllStats"})
        for wire in opened.values():
            await wire.close()
        first, second = frames["result"]["hits"]
        last = await ask(server, "server:getLastStats")
        later = await ask(server, "server:getStats", startTime=second["timestamp"] + 1)
        until = await ask(server, "server:getStats", stopTime=str(first["timestamp"]))
    assert first["completedRequests"] == {"http": 1, "websocket": 2, "mqtt": 3}
    assert first["failedRequests"] == {"http": 1, "websocket": 1, "mqtt": 1}
    assert first["connections"] == {"http": 1, "websocket": 1, "mqtt": 1}
    assert second["completedRequests"] == {"websocket": 1}
    assert second["failedRequests"] == {}
    assert last == second
    assert later == {"hits": [], "total": 0}
    assert first in until["hits"]


async def test_requests_that_are_given_up_are_over(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        asked = InProcess(server).ask({"controller": "server", "action": "getLastStats"})
        assert (await asked)["result"]["ongoingRequests"] == {"internal": 1}
        assert server.core.observer.ongoing() == {"internal": 0}


@pytest.mark.parametrize("time", ["soon", "", True, {"at": 1}, "9" * 5000, "2001-13-01"])
async def test_a_time_that_is_none_is_refused(time: object) -> None:
    async with in_process() as router:
        await router.refused("api.assert.invalid_argument", "server:getStats", startTime=time)


def test_every_setting_that_may_be_secret_says_whether_it_is() -> None:
    for section, table in Settings.model_fields.items():
        for name, field in type(table.default).model_fields.items():
            if any(word in name for word in SECRET_WORDS):
                assert (f"{section}.{name}" in NO_SECRETS) is bool(field.repr), (section, name)


def planted() -> Settings:
    """Settings with a secret wherever one may stand."""
    given: dict[str, object] = {
        f"{section}.{name}": SECRET
        for section, table in Settings.model_fields.items()
        for name, field in type(table.default).model_fields.items()
        if not field.repr
    }
    assert len(given) >= 2
    given["opensearch.nodes"] = f"http://me:{SECRET}@127.0.0.1:9200,https://{SECRET}@search:9200"
    return load(None, {}, given)


def test_no_planted_secret_is_shown_anywhere() -> None:
    shown = planted().without_secrets()
    assert SECRET not in json.dumps(shown.model_dump(mode="json", exclude={"access"}))
    assert shown.opensearch.nodes.endswith("@search:9200")
    assert shown.opensearch.username == ""
    # What holds a secret isn't shown by printing it either.
    assert SECRET not in repr(planted().tls)


async def test_the_configuration_tells_no_secret(tmp_path: Path) -> None:
    chosen = fleet_settings(tmp_path)
    access = chosen.access.model_copy(update={"key_file": str(tmp_path / SECRET)})
    update = {"opensearch": planted().opensearch, "access": access}
    async with running(fleet_app(), chosen.model_copy(update=update)) as server:
        for name in ("http", "websocket", "mqtt-5"):
            wire = await WIRES[name](server.port, server.mqtt_port)
            answer = await wire.ask({"controller": "server", "action": "getConfig"})
            await wire.close()
            assert answer["status"] == 200
            assert SECRET not in json.dumps(answer)
            assert answer["result"]["opensearch"]["password"] == "(set, not shown)"
            assert answer["result"]["limits"]["documentsWriteCount"] == 200
