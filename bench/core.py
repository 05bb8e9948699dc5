"""What decode, dispatch and encode cost, without I/O and pipes; a bare JSON round trip; and
whether a user may do something, asked again ("rights").

python -m bench.core [--rounds 9]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable

import orjson
import uvloop

from access.rights import Grant, Rights
from access.roles import Role
from access.users import NewUser
from protocols.codec.frame import FrameLimits, decode, encode
from router.dispatch import Router
from router.envelope import Connection, JsonObject, Request, Response
from router.places import named
from router.settings import Settings
from storage.contract import Author
from storage.memory import MemoryStorage
from trivium import App
from trivium.assembly import Core

FRAME = (
    b'{"controller":"server","action":"now","requestId":"841c9fad-3a8c-4f0e-9c0b-2d1f7c6e5b02",'
    b'"volatile":{"sdkName":"js@7.17.1","sdkInstanceId":"c16970f8-0c2f-4d5e-9f0c-9a2b5a3a7b11"}}'
)
TIMES = 20_000


async def make_core() -> Core:
    core = Core(App(), Settings(), MemoryStorage())
    await core.register.prepare()
    await core.entrance.prepare()
    return core


async def log_in(core: Core, request: Request) -> Request:
    """The same request with a token of somebody who may not do everything, beside an admin."""
    for name, profile in (("root", "admin"), ("ada", "bench")):
        if profile == "bench":
            await allow_now(core)
        content: JsonObject = {"profileIds": [profile]}
        await core.register.users.create(NewUser(name, content, {}, Author()))
    token = await core.entrance.papers.tokens.issue("ada", 3_600_000)
    return request.replace(jwt=token.text)


async def allow_now(core: Core) -> None:
    role: JsonObject = {"controllers": {"server": {"actions": {"now": True}}}}
    await core.register.roles.write("create", "bench", role, Author())
    profile: JsonObject = {"policies": [{"roleId": "bench"}]}
    await core.register.profiles.write("create", "bench", profile, Author())


async def dispatching(router: Router, request: Request) -> float:
    started = time.process_time()
    for _ in range(TIMES):
        await router.dispatch(request)
    return (time.process_time() - started) / TIMES * 1e6


def calling(function: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(TIMES):
        function()
    return (time.process_time() - started) / TIMES * 1e6


def restricted_rights(core: Core, request: Request) -> Callable[[], object]:
    """A question that is asked with every request of a user whose role is bound to an index."""
    role = Role("reader", {"server": {"now": True}})
    rights = Rights([Grant(role, {"tenant": None}), Grant(role, {"other": frozenset({"c"})})])
    action = core.table.find("server", "now")
    placed = request.replace(args={"index": "tenant", "collection": "assets"})
    return lambda: rights.allows(action, named(placed))


async def measure(rounds: int) -> dict[str, float]:
    connection, limits, core = Connection("bench", "websocket"), FrameLimits(), await make_core()
    router = core.router
    request = decode(FRAME, connection, limits)
    response: Response = await router.dispatch(request)
    parts = ("json", "decode", "dispatch", "encode", "rights")
    took: dict[str, list[float]] = {part: [] for part in parts}
    asking = restricted_rights(core, request)
    for _ in range(rounds):
        took["json"].append(calling(lambda: orjson.dumps(orjson.loads(FRAME))))
        took["decode"].append(calling(lambda: decode(FRAME, connection, limits)))
        took["dispatch"].append(await dispatching(router, request))
        took["rights"].append(calling(asking))
        took["encode"].append(calling(lambda: encode(response, room=True, node="node")))
    with_token = await log_in(core, request)
    assert (await router.dispatch(with_token)).error is None
    took["with_token"] = [await dispatching(router, with_token) for _ in range(rounds)]
    medians = {name: round(statistics.median(values), 2) for name, values in took.items()}
    medians["all"] = round(sum(medians[name] for name in ("decode", "dispatch", "encode")), 2)
    medians["token_and_rights"] = round(medians["with_token"] - medians["dispatch"], 2)
    core.register.close()
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options, _ = parser.parse_known_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"cpu_us": runner.run(measure(options.rounds))}))


if __name__ == "__main__":
    main()
