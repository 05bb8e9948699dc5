"""ETag and If-Match over HTTP: RFC 9110, 8.8.3 and 13.1.1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import running

ASSET = "/_/device-manager/fleet/assets/Truck-1"


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(fleet_app(), fleet_settings(tmp_path)) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
    ):
        await session.post("/_/device-manager/engine/fleet")
        truck = {"model": "Truck", "reference": "1"}
        await session.post("/_/device-manager/fleet/assets", json=truck)
        yield session


async def update(http: aiohttp.ClientSession, weight: int, match: str) -> tuple[int, Any, str]:
    changes = {"metadata": {"weight": weight}}
    async with http.put(ASSET, json=changes, headers={"If-Match": match}) as answer:
        envelope = await answer.json()
        assert envelope["status"] == answer.status
        return answer.status, envelope, answer.headers.get("ETag", "")


async def test_what_was_read_can_be_written_once(http: aiohttp.ClientSession) -> None:
    async with http.get(ASSET) as answer:
        read = answer.headers["ETag"]
        assert "etag" not in (await answer.json())["headers"]
    status, _, tag = await update(http, 1, read)
    assert (status, tag != read) == (200, True)
    status, envelope, _ = await update(http, 2, read)
    assert (status, envelope["error"]["id"]) == (412, "services.storage.version_conflict")
    assert envelope["error"]["status"] == 412
    *place, document = envelope["error"]["props"]
    assert place == ["fleet", "assets", "Truck-1", 2]
    assert document["metadata"]["weight"] == 1
    status, _, _ = await update(http, 3, f'W/"1", {tag}')
    assert status == 200


async def test_a_star_is_for_an_asset_that_is_there(http: aiohttp.ClientSession) -> None:
    assert (await update(http, 1, "*"))[0] == 200
    async with http.delete(ASSET, headers={"If-Match": "*"}) as answer:
        assert answer.status == 200
    status, envelope, _ = await update(http, 2, "*")
    assert (status, envelope["error"]["id"]) == (404, "services.storage.not_found")


async def test_what_is_no_entity_tag_is_refused(http: aiohttp.ClientSession) -> None:
    status, envelope, _ = await update(http, 1, '"1" oops')
    assert (status, envelope["error"]["id"]) == (400, "api.assert.invalid_argument")
    url = f"{ASSET}?ifVersion=1"
    async with http.put(url, json={}, headers={"If-Match": "1"}) as answer:
        assert (await answer.json())["error"]["id"] == "api.assert.mutually_exclusive"
    async with http.get("/_now", headers={"If-Match": "1"}) as answer:
        assert (await answer.json())["error"]["id"] == "api.process.if_version_unsupported"


async def test_a_page_of_another_origin_may_send_and_read_the_tags(
    http: aiohttp.ClientSession,
) -> None:
    asked = {"Origin": "http://localhost", "Access-Control-Request-Headers": "if-match"}
    async with http.options(ASSET, headers=asked) as answer:
        assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
