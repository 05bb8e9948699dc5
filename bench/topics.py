"""What messages between MQTT clients cost: a match among 10 to 100 000 subscriptions, a message to
one and to many, the right to it, all that is retained.

    python -m bench.topics [--subscriptions 10,1000,100000] [--receivers 1000]

CPU times are of this process; the last line runs packets through the sessions, without sockets.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import msgspec

from access.directory import Account
from access.rights import Grant, Rights
from access.roles import read
from access.topic_filters import Asker
from access.topic_rights import ClientTopics
from access.watched import Watched
from protocols.codec.mqtt.packets import Publish, Subscribe, Subscription
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.broker.tree import Tree
from protocols.mqtt.sessions import Sessions
from tests.support.mqtt_client import TERMS, Client

ROUNDS = 5


def median_us(once: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and spread of the CPU time of one call, of five rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(times):
            once()
        found.append((time.process_time_ns() - began) / times / 1_000)
    return statistics.median(found), max(found) - min(found)


def show(what: str, measured: tuple[float, float]) -> None:
    print(f"{what:58} {measured[0]:9.2f} us  (spread {measured[1]:.2f})")


def matching(number: int) -> None:
    tree: Tree[int] = Tree()
    for each in range(number):
        kind = ("site/{}/temperature", "site/{}/+", "site/{}/#")[each % 3]
        tree.put(kind.format(each), each)
    tree.put("+/5/temperature", -1)
    show(
        f"match among {number} subscriptions", median_us(lambda: tree.matching("site/5/x"), 20_000)
    )


def rights() -> None:
    topics = {"publish": ["up/{userId}/#", "status/{clientId}"]}
    content = {"mqtt": {"actions": {"publish": True}, "topics": topics}}
    granted = Rights([Grant(read("device", {"controllers": content}))])
    account = Account("ada", ("p",), {}, granted, 0)
    watched: Watched[Account | None] = Watched(None, lambda _: account)
    client = ClientTopics(watched, Asker("ada", "c1"), lambda _: True)
    show(
        "the right to publish, asked again",
        median_us(lambda: client.may_publish("up/ada/1"), 50_000),
    )


def retained(number: int) -> None:
    kept = Retained(most=number, most_bytes=1 << 40, clock=lambda: 0.0)
    broker = Broker(kept, clock=lambda: 0.0)
    for each in range(number):
        broker.publish(f"site/{each % 100}/{each}", b"x" * 100, retain=True)
    show(
        f"a filter that finds 1 % of {number} retained",
        median_us(lambda: kept.matched("site/5/+"), 50),
    )


def forwarding(receivers: int, qos: int) -> None:
    terms = msgspec.structs.replace(TERMS, allow_pub_sub=True)
    broker = Broker(Retained(most=1, most_bytes=1, clock=lambda: 0.0), clock=lambda: 0.0)
    sessions = Sessions(terms, broker)
    clients = []
    for number in range(receivers):
        client = Client(5, terms=terms, sessions=sessions)
        client.connect(client_id=f"c{number}")
        asked = (Subscription(topic_filter="site/+/temperature", qos=qos),)
        client.send(Subscribe(packet_id=1, subscriptions=asked))
        clients.append(client)
    sender = Client(5, terms=terms, sessions=sessions)
    sender.connect(client_id="sender")
    message = Publish(topic="site/1/temperature", payload=b"21.5" * 25)

    def once() -> None:
        sender.send(message)
        for each in clients:
            each.session.out.clear()

    each, spread = median_us(once, max(1, 20_000 // receivers))
    show(f"a message to each of {receivers}, QoS {qos}", (each / receivers, spread / receivers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", default="10,1000,100000")
    parser.add_argument("--receivers", type=int, default=1_000)
    chosen = parser.parse_args()
    for number in map(int, chosen.subscriptions.split(",")):
        matching(number)
    rights()
    retained(10_000)
    for receivers in (1, chosen.receivers):
        forwarding(receivers, 0)


if __name__ == "__main__":
    main()
