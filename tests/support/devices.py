"""Users with rights of their own to topics, and the devices that they connect."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from access.users import NewUser
from protocols.codec.mqtt.packets import (
    V5,
    Packet,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from router.envelope import JsonObject
from storage.contract import Author
from tests.support.mqtt_wire import RawClient, client
from trivium.server import Server

BY = Author("root-id", "r1", "http")


def role(**topics: Any) -> JsonObject:
    """A role that lets publish and subscribe, to these topics if there are any."""
    actions: JsonObject = {"publish": True, "subscribe": True}
    return {"controllers": {"mqtt": {"actions": actions, "topics": topics}}}


async def allow(
    server: Server, name: str, content: JsonObject, *indexes: str, **limits: int
) -> dict[str, str]:
    """A user of that name with a role of its own; what it logs in with.

    Args:
        limits: `rateLimit`, `messageRateLimit` of its profile.
    """
    register = server.core.register
    policy: JsonObject = {"roleId": name}
    if indexes:
        policy["restrictedTo"] = [{"index": index} for index in indexes]
    await register.roles.write("create_or_replace", name, content, BY)
    await register.profiles.write("create_or_replace", name, {"policies": [policy], **limits}, BY)
    login = {"username": name, "password": f"{name}'s long password"}
    await register.users.create(NewUser(name, {"profileIds": [name]}, {"local": {**login}}, BY))
    return login


class Device:
    """A client; messages that come before an acknowledgement wait to be looked at."""

    def __init__(self, wire: RawClient) -> None:
        self.wire = wire
        self._messages: list[Publish] = []

    async def publish(self, topic: str, payload: bytes = b"x", **more: Any) -> int:
        """Publish with QoS 1; the reason."""
        await self.wire.send(Publish(topic=topic, payload=payload, qos=1, packet_id=1, **more))
        answer = await self.acknowledgement()
        assert isinstance(answer, Puback), answer
        return answer.reason

    async def subscribe(self, *filters: str) -> tuple[int, ...]:
        """Subscribe with QoS 0; the reasons."""
        asked = tuple(Subscription(topic_filter=each) for each in filters)
        await self.wire.send(Subscribe(packet_id=2, subscriptions=asked))
        answer = await self.acknowledgement()
        assert isinstance(answer, Suback), answer
        return answer.reasons

    async def message(self) -> tuple[str, bytes]:
        """The next message."""
        if not self._messages:
            packet = await self.wire.receive()
            assert isinstance(packet, Publish), packet
            self._messages.append(packet)
        packet = self._messages.pop(0)
        return packet.topic, packet.payload

    async def acknowledgement(self) -> Packet | None:
        """The next packet that is no message."""
        while isinstance(packet := await self.wire.receive(), Publish):
            self._messages.append(packet)
        return packet


@contextlib.asynccontextmanager
async def device(
    server: Server, who: dict[str, str] | None = None, version: int = V5
) -> AsyncIterator[Device]:
    """A client that was let in, by name or as nobody."""
    given = {}
    if who is not None:
        given = {"username": who["username"], "password": who["password"].encode()}
    name = "nobody" if who is None else f"device-of-{who['username']}"
    async with client(server.mqtt_port, version, client_id=name, **given) as found:
        yield Device(found)
