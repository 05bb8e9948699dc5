"""The recorded sequence of subscriptions and notifications, replayed with its three connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets

from tests.contract.golden.replay import differences, exchanges
from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import running

OURS = {
    "notifications after document:replace in scope": [
        # The peer tells of a replaced document without its stamp.
        "result._source._kuzzle_info is new"
    ],
}
"""Where a notification differs, and how."""

POSITION = {".feed is new", ".seq is new"}
"""Every notification of a stored document says where the feed tells of it."""

ASSET = "engine-ayse"


@asynccontextmanager
async def peers(folder: Path) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Three clients of a router that has what was there when the sequence was recorded."""
    async with running(fleet_app(), fleet_settings(folder, http_form="assets")) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with (
            websockets.connect(url) as listener,
            websockets.connect(url) as sender,
            websockets.connect(url) as second,
        ):
            await ask(
                sender, controller="collection", action="create", index="golden", collection="c"
            )
            await ask(sender, controller="device-manager/engine", action="create", index=ASSET)
            body = {"model": "Container", "reference": "goldenws", "metadata": {"weight": 1}}
            asset = {"controller": "device-manager/assets", "action": "create", "body": body}
            await ask(sender, engineId=ASSET, **asset)
            yield listener, sender, second


async def ask(socket: Any, **request: Any) -> None:
    await socket.send(json.dumps(request))
    assert (await heard(socket))["status"] == 200


async def heard(socket: Any) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), 60))


async def answered(socket: Any, sent: str) -> Any:
    """The answer to a request; notifications that come before it are put aside."""
    await socket.send(sent)
    while "requestId" not in (message := await heard(socket)) or message.get("type"):
        pass
    return message


async def nothing_more(socket: Any) -> None:
    """Fails if the socket has been sent anything that wasn't read."""
    await socket.send('{"p":1}')
    assert await heard(socket) == {"p": 2}


async def test_realtime(tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    async with peers(tmp_path) as (listener, sender, second):
        for exchange in exchanges("realtime"):
            name = exchange["name"]
            received = [each["json"] for each in exchange["received"]]
            if name.startswith("(sender)"):
                answer = await answered(sender, exchange["sent"])
                found[name] = differences(received[0], answer)
            elif name.startswith("notifications after"):
                for recorded in received:
                    lines = set(differences(recorded, await heard(listener))) - POSITION
                    found[name] = sorted(lines - set(OURS.get(name, [])))
                await nothing_more(listener)
            elif name == "second user subscribes":
                await answered(second, exchange["sent"])
            elif name == "user notification in":
                found[name] = differences(received[0], await heard(listener))
            elif name == "user notification out":
                await second.close()
                found[name] = differences(received[0], await heard(listener))
            else:
                answer = await answered(listener, exchange["sent"])
                found[name] = differences(received[0], answer)
                assert received[0].get("error") or answer["result"] == received[0]["result"]
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert len(found) == 28
