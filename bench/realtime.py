"""What subscriptions cost: matching at 10 to 100 000 rooms, a write with and without listeners, one
writer before many subscribers, memory for each subscription.

    python -m bench.realtime [--rooms 10,100,1000,10000,100000] [--subscribers 1000] [--writes 100]

CPU times are of this process; the fan-out runs against a router of its own (router on core 0,
subscribers on core 1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

from bench.wires import ROOT, machine, router
from realtime.deliveries import Deliveries, PipeLimits
from realtime.koncorde.index import Index
from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.notifier import Notifier
from realtime.rooms import Rooms
from router.connections import Connections, Notification
from router.envelope import Connection, Request
from router.events import Events
from storage.contract import Author, Write, Written

LIMITS = FilterLimits()
RANDOM = random.Random(7)
PLACE = ("bench", "assets")
HTTP, MQTT = 17_612, 17_613
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SENT_AT = re.compile(rb'"sentNs":(\d+)')


def document(**own: Any) -> dict[str, Any]:
    metadata = {f"field{number}": number for number in range(20)}
    return {"_id": "a", "model": "Truck", "reference": "a", "metadata": metadata, **own}


def equality(number: int) -> Any:
    return {"equals": {"reference": f"r{number}"}}


def span(_: int) -> Any:
    low = RANDOM.uniform(0, 100)
    return {"range": {"speed": {"gte": low, "lt": low + 0.5}}}


def fence(_: int) -> Any:
    place = {"lat": 48 + RANDOM.uniform(-1, 1), "lon": 2 + RANDOM.uniform(-1, 1)}
    return {"geoDistance": {"position": place, "distance": f"{RANDOM.uniform(0.1, 5):.2f}km"}}


def pattern(number: int) -> Any:
    return {"regexp": {"reference": f"^r{number}(-.*)?$"}}


KINDS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
    "equals": (equality, lambda rooms: document(reference=f"r{RANDOM.randrange(rooms)}")),
    "range": (span, lambda _: document(speed=RANDOM.uniform(0, 100))),
    "geoDistance": (
        fence,
        lambda _: document(
            position={"lat": 48 + RANDOM.uniform(-1, 1), "lon": 2 + RANDOM.uniform(-1, 1)}
        ),
    ),
    "regexp": (pattern, lambda rooms: document(reference=f"r{RANDOM.randrange(rooms)}-x")),
}


def matching(kind: str, rooms: int) -> dict[str, float]:
    make, draw = KINDS[kind]
    forms = [normal_form(make(number), LIMITS) for number in range(rooms)]
    index: Index[int] = Index()
    started = time.process_time()
    for number, form in enumerate(forms):
        index.add(number, form)
    added = time.process_time() - started
    documents = [draw(rooms) for _ in range(200)]
    met = sum(len(index.match(each)) for each in documents)
    spans = []
    for _ in range(5):
        started = time.process_time()
        for each in documents:
            index.match(each)
        spans.append((time.process_time() - started) / len(documents))
    return {
        "match_us": round(statistics.median(spans) * 1e6, 1),
        "met": round(met / len(documents), 1),
        "add_us": round(added / rooms * 1e6, 1),
    }


class Encoder:
    """A connection that makes the bytes of what it is told, and drops them."""

    def notify(self, notification: Notification) -> None:
        notification.encoded("bench", lambda made: json.dumps(made.content).encode())

    def expel(self, reason: str) -> None:
        """Nobody is expelled here."""

    def unsent(self) -> int:
        """Nothing."""
        return 0

    def hears(self, channel: str) -> bool:  # noqa: ARG002 - the protocol's
        """Always."""
        return True


def writing() -> dict[str, float]:
    """CPU us that the notifier takes for a write of an asset."""
    author = Author("-1", "r1", "websocket", "document", None, 1)
    changes = {"metadata": {"field1": 1}}
    write = Write(
        verb="update", index=PLACE[0], collection=PLACE[1], id="a", content=changes, author=author
    )
    written = Written(id="a", version=2, source=document(), replaced=document(), seq=1)
    took = {}
    for name, contents in (
        ("nobody listens", []),
        ("10 000 rooms, none met", [equality(number) for number in range(10_000)]),
        ("one room, one listener", [{}]),
    ):
        notifier = notifier_with(contents)
        started = time.process_time()
        for _ in range(5_000):
            notifier.written(write, written)
        took[name] = round((time.process_time() - started) / 5_000 * 1e6, 2)
    return took


def notifier_with(contents: list[Any]) -> Notifier:
    connections = Connections()
    connections.opened("c", Encoder())
    deliveries = Deliveries(connections, Events(), PipeLimits())
    notifier = Notifier(Rooms(most=10**6, most_each=10**6), deliveries, feed=lambda: "feed")
    peer = Connection("c", "websocket")
    request = Request(controller="realtime", action="subscribe", connection=peer)
    for content in contents:
        form = normal_form(content, LIMITS)
        notifier.subscribe(request, PLACE, form, users="none", scope="all")
    return notifier


def memory(count: int = 10_000) -> dict[str, float]:
    """KB that the router holds for a subscription to a filter of its own, and to a shared one."""
    held = {}
    for name, contents in (
        ("its own filter", [equality(number) for number in range(count)]),
        ("none", [{}]),
    ):
        tracemalloc.start()
        kept = notifier_with(contents)
        held[name] = tracemalloc.get_traced_memory()[0] / 1_024
        tracemalloc.stop()
        assert len(kept.rooms) == len(contents)
    return {"own_filter_kb": round((held["its own filter"] - held["none"]) / count, 2)}


class Subscriber(asyncio.Protocol):
    """Counts the messages of a WebSocket, and how long each took."""

    def __init__(self, took_ms: list[float]) -> None:
        self._took_ms = took_ms
        self._rest = b""
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self.transport: Any = transport
        self.transport.write(UPGRADE.format(port=HTTP).encode())

    def send(self, request: dict[str, Any]) -> None:
        payload = json.dumps(request).encode()
        # A mask of zeros leaves the payload as it is.
        self.transport.write(b"\x81\xfe" + len(payload).to_bytes(2, "big") + b"\0" * 4 + payload)

    def data_received(self, data: bytes) -> None:
        if self._rest == b"" and data.startswith(b"HTTP/1.1 101"):
            data = data.partition(b"\r\n\r\n")[2]
            place = {"index": PLACE[0], "collection": PLACE[1]}
            self.send({"controller": "realtime", "action": "subscribe", "body": {}, **place})
        now = time.time_ns()
        self._rest += data
        while (size := frame_size(self._rest)) and len(self._rest) >= size:
            payload, self._rest = self._rest[:size], self._rest[size:]
            sent = SENT_AT.search(payload)
            if sent is not None:
                self._took_ms.append((now - int(sent[1])) / 1e6)
            elif not self.joined.done():
                self.joined.set_result(None)


def frame_size(data: bytes) -> int:
    """The bytes of the frame that begins here; 0 while its head isn't there."""
    if len(data) < 4:
        return 0
    short = data[1] & 0x7F
    if short < 126:
        return 2 + short
    if short == 126:
        return 4 + int.from_bytes(data[2:4], "big")
    return 10 + int.from_bytes(data[2:10], "big") if len(data) >= 10 else 0


async def fan_out(subscribers: int, writes: int) -> dict[str, float]:
    took_ms: list[float] = []
    loop = asyncio.get_running_loop()
    everybody: list[Subscriber] = []
    for _ in range(subscribers):
        made = await loop.create_connection(lambda: Subscriber(took_ms), "127.0.0.1", HTTP)
        everybody.append(made[1])
    await asyncio.gather(*(each.joined for each in everybody))
    started = time.perf_counter()
    place = {"index": PLACE[0], "collection": PLACE[1]}
    for number in range(writes):
        body = document(sentNs=time.time_ns(), number=number)
        everybody[0].send({"controller": "realtime", "action": "publish", "body": body, **place})
        # The next one when the last subscriber has this one.
        while len(took_ms) < (number + 1) * subscribers:  # noqa: ASYNC110 - nothing else to do
            await asyncio.sleep(0)
    seconds = time.perf_counter() - started
    for each in everybody:
        each.transport.abort()
    ordered = sorted(took_ms)
    return {
        "notifications_per_s": round(len(ordered) / seconds),
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", default="10,100,1000,10000,100000")
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--writes", type=int, default=100)
    options, _ = parser.parse_known_args()
    about, rows = machine(), []
    for row in measured(options):
        rows.append(row)
        print(json.dumps(row), flush=True)
    target = ROOT / "bench" / "results" / f"realtime-{about['commit']}.json"
    target.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")


def measured(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All measurements, as they are made."""
    for kind in KINDS:
        for rooms in map(int, options.rooms.split(",")):
            yield {"filters": kind, "rooms": rooms, **matching(kind, rooms)}
    yield {"write_cpu_us": writing()}
    yield {"memory": memory()}
    with router(HTTP, MQTT), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(fan_out(options.subscribers, options.writes))
    yield {"subscribers": options.subscribers, **found}


if __name__ == "__main__":
    main()
