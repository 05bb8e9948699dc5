"""What a client may not do with topics is audited, and what it may has its limit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import V3_1_1, V5, Connack, Connect, Puback, Publish, Will
from protocols.codec.mqtt.reasons import Reason
from router.envelope import JsonObject
from tests.support.devices import Device, allow, device, role
from tests.support.mqtt_wire import NOW, raw
from tests.support.people import ROOT, peopled
from trivium.server import Server

LIMIT = 3
FLOOD = 40
"""Far more than twice the limit, which may pass around the turn of a second."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    flags = {"mqtt.allow_pub_sub": True, "audit.folder": str(tmp_path), "twins.enabled": True}
    async with peopled(**flags) as started:
        yield started


async def refused(server: Server) -> list[dict[str, Any]]:
    """What the audit has of those who were kept out, in the order it happened."""
    asked: JsonObject = {"controller": "security", "action": "searchAudit", "size": 100}
    async with device(server, ROOT) as root:
        await root.wire.ask({**asked, "body": {"outcome": "refused"}})
        hits: list[dict[str, Any]] = (await root.wire.answer())["result"]["hits"]
    return hits[::-1]


async def kept_out(server: Server) -> list[tuple[Any, ...]]:
    """The same of each entry: what was asked for, by whom, and how that was answered."""
    return [
        (hit["controller"], hit["action"], hit["id"], hit["kuid"], hit["client"], hit["status"])
        for hit in await refused(server)
    ]


class TestAudit:
    @pytest.mark.parametrize("version", [V3_1_1, V5])
    async def test_who_has_no_right_to_a_topic(self, server: Server, version: int) -> None:
        one = await allow(server, "one", role(publish=["up/#"], subscribe=["down/#"]))
        async with device(server, one, version) as first:
            assert await first.subscribe("down/#", "up/#", "$share/g/#") != (0, 0, 0)
            await first.publish("up/1")
            await first.publish("down/1")
            # Over QoS 0 nothing is answered; the audit has it all the same.
            await first.wire.send(Publish(topic="down/2", payload=b""))
        who = ("one", "device-of-one", 403)
        assert await kept_out(server) == [
            ("mqtt", "subscribe", "up/#", *who),
            ("mqtt", "publish", "down/1", *who),
            ("mqtt", "publish", "down/2", *who),
        ]

    @pytest.mark.parametrize("version", [V3_1_1, V5])
    async def test_many_filters_at_once_are_one_entry(self, server: Server, version: int) -> None:
        async with device(server, None, version) as nobody:
            await nobody.subscribe("Kuzzle/request", *(f"a/{each}" for each in range(999)))
            await nobody.subscribe("b")
        who = ("nobody", 401)
        assert await kept_out(server) == [
            ("mqtt", "subscribe", "a/0", "-1", *who),
            ("mqtt", "subscribe", "b", "-1", *who),
        ]
        assert [entry.get("count") for entry in await refused(server)] == [999, None]

    async def test_the_topic_of_requests_is_no_question_of_rights(self, server: Server) -> None:
        async with device(server) as nobody:
            reasons = await nobody.subscribe("Kuzzle/request", "Kuzzle/response")
            assert reasons == (Reason.NOT_AUTHORIZED, 0)
        assert await kept_out(server) == []

    async def test_nor_without_messages_between_clients(self, tmp_path: Path) -> None:
        async with (
            peopled(**{"audit.folder": str(tmp_path)}) as server,
            device(server) as nobody,
        ):
            assert await nobody.subscribe("Kuzzle/request") == (Reason.NOT_AUTHORIZED,)
            assert await kept_out(server) == []

    async def test_who_is_nobody(self, server: Server) -> None:
        async with device(server) as nobody:
            assert await nobody.publish("a") == Reason.NOT_AUTHORIZED
        assert await kept_out(server) == [("mqtt", "publish", "a", "-1", "nobody", 401)]

    async def test_a_will(self, server: Server) -> None:
        await allow(server, "one", role(publish=["up"]))
        async with raw(server.mqtt_port) as wire:
            will = Will(topic="down", payload=b"")
            login = {"username": "one", "password": b"one's long password"}
            await wire.send(Connect(client_id="c1", will=will, **login))
            assert isinstance(connack := await wire.receive(), Connack)
            assert connack.reason == Reason.NOT_AUTHORIZED
        assert await kept_out(server) == [("mqtt", "publish", "down", "one", "c1", 403)]

    async def test_the_twin_of_an_asset(self, server: Server) -> None:
        one = await allow(server, "one", role())
        async with device(server, one) as first:
            assert await first.subscribe("twins/fleet/a") == (Reason.NOT_AUTHORIZED,)
        asked = ("device-manager/asset", "get", "a", "one", "device-of-one", 403)
        assert await kept_out(server) == [asked]


async def flood(one: Device) -> list[int]:
    """Publish all at once; the reasons."""
    ids = range(1, FLOOD + 1)
    await one.wire.send(*(Publish(topic="a", payload=b"", qos=1, packet_id=each) for each in ids))
    acknowledged = [await one.acknowledgement() for _ in ids]
    return [puback.reason for puback in acknowledged if isinstance(puback, Puback)]


class TestRates:
    async def test_messages_count_against_the_limit_of_the_profile(self, server: Server) -> None:
        one = await allow(server, "one", role(), messageRateLimit=LIMIT)
        async with device(server, one) as first, device(server, ROOT) as root:
            assert await root.subscribe("a") == (0,)
            reasons = await flood(first)
            assert set(reasons) == {0, Reason.QUOTA_EXCEEDED}
            heard = [await root.message() for _ in range(reasons.count(0))]
            assert len(heard) >= LIMIT
            # The administrator has no limit.
            assert await flood(root) == [0] * FLOOD

    async def test_requests_and_messages_count_apart(self, server: Server) -> None:
        everything: JsonObject = {"controllers": {"*": {"actions": {"*": True}}}}
        one = await allow(server, "one", everything, rateLimit=1)
        two = await allow(server, "two", everything, messageRateLimit=1)
        asked = [Publish(topic="Kuzzle/request", payload=json.dumps(NOW).encode())] * FLOOD
        async with device(server, one) as first, device(server, two) as second:
            unheard = Reason.NO_MATCHING_SUBSCRIBERS
            assert await flood(first) == [unheard] * FLOOD
            assert set(await flood(second)) == {unheard, Reason.QUOTA_EXCEEDED}
            await second.wire.send(*asked)
            assert [(await second.wire.answer())["status"] for _ in asked] == [200] * FLOOD

    async def test_what_is_beyond_the_limit_is_not_audited(self, server: Server) -> None:
        one = await allow(server, "one", role(publish=["up"]), messageRateLimit=LIMIT)
        async with device(server, one) as first:
            reasons = await flood(first)
        assert set(reasons) == {Reason.NOT_AUTHORIZED, Reason.QUOTA_EXCEEDED}
        assert len(await kept_out(server)) == reasons.count(Reason.NOT_AUTHORIZED)
