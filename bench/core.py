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

from access.anonymous import OpenAuthority
from access.rights import Grant, Rights
from access.roles import Role
from protocols.codec.frame import FrameLimits, decode, encode
from router.actions import Action, ActionTable
from router.admission import Admission
from router.dispatch import Router
from router.envelope import Connection, Json, Request, Response
from router.events import Events
from router.observe import Observer
from router.places import named, nowhere

FRAME = (
    b'{"controller":"server","action":"now","requestId":"841c9fad-3a8c-4f0e-9c0b-2d1f7c6e5b02",'
    b'"volatile":{"sdkName":"js@7.17.1","sdkInstanceId":"c16970f8-0c2f-4d5e-9f0c-9a2b5a3a7b11"}}'
)
TIMES = 20_000


async def _now(_: Request) -> Json:
    return {"now": int(time.time() * 1000)}


def make_router() -> Router:
    table = ActionTable(
        [
            Action(
                controller="server",
                name="now",
                handler=_now,
                places=nowhere,
                summary="The time of day.",
            )
        ]
    )
    observer, admission = Observer(), Admission(at_work=100, waiting=100)
    observer.watch(table, admission, log_all=False)
    return Router(
        table, events=Events(), authority=OpenAuthority(), admission=admission, meter=observer
    )


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


def restricted_rights() -> Callable[[], object]:
    """A question that is asked with every request of a user whose role is bound to an index."""
    role = Role("reader", {"server": {"now": True}})
    rights = Rights([Grant(role, {"tenant": None}), Grant(role, {"other": frozenset({"c"})})])
    [action], request = (
        make_router().table,
        Request(
            controller="server",
            action="now",
            connection=Connection("bench", "websocket"),
            args={"index": "tenant", "collection": "assets"},
        ),
    )
    return lambda: rights.allows(action, named(request))


async def measure(rounds: int) -> dict[str, float]:
    connection, limits, router = Connection("bench", "websocket"), FrameLimits(), make_router()
    request = decode(FRAME, connection, limits)
    response: Response = await router.dispatch(request)
    parts = ("json", "decode", "dispatch", "encode", "rights")
    took: dict[str, list[float]] = {part: [] for part in parts}
    asking = restricted_rights()
    for _ in range(rounds):
        took["json"].append(calling(lambda: orjson.dumps(orjson.loads(FRAME))))
        took["decode"].append(calling(lambda: decode(FRAME, connection, limits)))
        took["dispatch"].append(await dispatching(router, request))
        took["rights"].append(calling(asking))
        took["encode"].append(calling(lambda: encode(response, room=True, node="node")))
    medians = {name: round(statistics.median(values), 2) for name, values in took.items()}
    medians["all"] = round(sum(medians[name] for name in ("decode", "dispatch", "encode")), 2)
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options, _ = parser.parse_known_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"cpu_us": runner.run(measure(options.rounds))}))


if __name__ == "__main__":
    main()
