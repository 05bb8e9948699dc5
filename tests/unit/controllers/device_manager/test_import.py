"""device-manager/asset:importAssets: many assets from CSV text, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.inprocess import InProcess, in_process

IMPORT = "device-manager/asset:importAssets"


@pytest.fixture
async def fleet() -> AsyncIterator[InProcess]:
    async with in_process() as router:  # two rows a batch
        await router.fleet()
        yield router


async def imported(fleet: InProcess, csv: str, **arguments: Any) -> Any:
    return await fleet.result(IMPORT, {"csv": csv}, index="fleet", **arguments)


async def stored(fleet: InProcess, id: str) -> Any:
    return (await fleet.result("device-manager/asset:get", index="fleet", _id=id))["_source"]


async def test_rows_become_assets_of_their_model(fleet: InProcess) -> None:
    csv = (
        "model,reference,type,_id,metadata.weight,metadata.note\n"
        "Container,1,,,5,fragile\n"
        "Truck,2,vehicle,,7,\n"
        "Truck,3,,own,,\n"
    )
    ids = ["Container-1", "vehicle-Truck-2", "own"]
    assert await imported(fleet, csv) == {"successes": ids, "errors": []}
    container = await stored(fleet, "Container-1")
    assert container["metadata"] == {
        "height": 20,
        "weight": 5,
        "trailer": {"capacity": 7},
        "note": "fragile",
    }
    assert container["measures"] == {"temperatureExt": None, "position": None}
    assert container["_kuzzle_info"]["author"] == "-1"
    truck = await stored(fleet, "vehicle-Truck-2")
    assert (truck["type"], truck["metadata"]) == ("vehicle", {"weight": 7})


async def test_a_bad_row_spoils_no_other(fleet: InProcess) -> None:
    csv = (
        "model,reference,_id,metadata.weight\n"
        "Container,1,,heavy\n"
        "Container,2,,1\n"
        ",3,,1\n"
        "Container,2,,2\n"
        "Container,4,_own,1\n"
        "_M,5,,1\n"
        "Container,6,,99999999999\n"
        "Container,7,,7\n"
    )
    result = await imported(fleet, csv)
    assert result["successes"] == ["Container-2", "Container-7"]
    assert [(error["line"], error.get("_id")) for error in result["errors"]] == [
        (2, None),
        (4, None),
        (5, "Container-2"),
        (6, "_own"),
        (7, None),
        (8, "Container-6"),
    ]
    assert all(error["status"] == 400 for error in result["errors"])
    assert "whole number" in result["errors"][0]["reason"]
    assert "model" in result["errors"][1]["reason"]


async def test_an_import_again_finds_what_exists_or_merges_into_it(fleet: InProcess) -> None:
    csv = "model,reference,metadata.weight,metadata.a\nTruck,1,1,x\n"
    await imported(fleet, csv)
    await fleet.result(
        "device-manager/asset:update",
        {"softTenant": ["north"], "metadata": {"b": "kept"}},
        index="fleet",
        _id="Truck-1",
    )
    again = await imported(fleet, csv)
    assert again["successes"] == []
    assert again["errors"][0]["_id"] == "Truck-1"
    merged = await imported(
        fleet,
        "model,reference,type,_id,metadata.weight\nTruck,1,,,2\nTruck,9,new,,3\n"
        "Truck,1,van,Truck-1,2\n",
        upsert=True,
    )
    assert merged == {"successes": ["Truck-1", "new-Truck-9", "Truck-1"], "errors": []}
    asset = await stored(fleet, "Truck-1")
    assert asset["metadata"] == {"weight": 2, "a": "x", "b": "kept"}
    assert (asset["softTenant"], asset["type"]) == (["north"], "van")
    fresh = await stored(fleet, "new-Truck-9")
    assert fresh["metadata"] == {"weight": 3}
    assert fresh["linkedDevices"] == []


async def test_others_get_between_the_batches(fleet: InProcess) -> None:
    rows = "".join(f"Truck,{n}\n" for n in range(40))
    importing = asyncio.ensure_future(imported(fleet, "model,reference\n" + rows))
    seen = set()
    for _ in range(10_000):
        if importing.done():
            break
        await asyncio.sleep(0)
        found = await fleet.result("device-manager/asset:search", index="fleet")
        seen.add(found["total"])
    assert len((await importing)["successes"]) == 40
    assert len(seen) > 2


async def test_the_answer_waits_for_searches_if_asked(fleet: InProcess) -> None:
    fleet.storage.hide_until_refresh()
    for reference, refresh, found in (("1", None, 0), ("2", "wait_for", 2)):
        await imported(fleet, f"model,reference\nT,{reference}\n", refresh=refresh)
        search = await fleet.result("device-manager/asset:search", index="fleet")
        assert search["total"] == found


async def test_refusals(fleet: InProcess) -> None:
    await fleet.refused("api.assert.body_required", IMPORT, index="fleet")
    for body in ({}, {"csv": ""}):
        await fleet.refused("api.assert.missing_argument", IMPORT, body, index="fleet")
    body: Any = {"csv": "model,reference\n"}
    await fleet.refused("api.assert.missing_argument", IMPORT, body)
    await fleet.refused("api.assert.invalid_type", IMPORT, {"csv": 5}, index="fleet")
    await fleet.refused("api.assert.invalid_type", IMPORT, body, index="fleet", upsert="yes")
    await fleet.refused("trivium.engine.unknown", IMPORT, body, index="nope")
    header = {"csv": "model,colour\n"}
    await fleet.refused("api.assert.invalid_argument", IMPORT, header, index="fleet")
    assert await imported(fleet, "model,reference\n") == {"successes": [], "errors": []}
