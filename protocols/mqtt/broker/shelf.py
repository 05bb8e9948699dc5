"""Retained messages in the private store, where they outlive the router."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
from collections.abc import Awaitable
from typing import Any, Final

import structlog

from access.places import INDEX
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.mqtt.broker.messages import Message
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Storage, Verb, Write, Written
from storage.query import Search

_log: Final = structlog.get_logger("trivium.mqtt")

COLLECTION: Final = "mqtt-retained"
_MAPPING: Final[JsonObject] = {"dynamic": "false", "properties": {}}
_PAGE: Final = 200
_NOT_FOUND: Final = "services.storage.not_found"


class MessageShelf:
    """A `protocols.mqtt.broker.broker.Shelf`. Writes take effect in the order of the calls."""

    def __init__(self, private: Storage) -> None:
        self._private = private
        self._writing: set[asyncio.Task[None]] = set()

    async def load(self) -> list[Message]:
        """Every message that is kept, expired ones included. Call once the store is open."""
        if not self._private.has_collection(INDEX, COLLECTION):
            await self._private.create_collection(INDEX, COLLECTION, _MAPPING)
        await self._private.refresh(INDEX, COLLECTION)
        messages: list[Message] = []
        search, after = Search(size=_PAGE), ""
        while hits := await self._private.scan(INDEX, COLLECTION, search, after):
            messages += [_message(hit.source) for hit in hits]
            after = hits[-1].id
        return messages

    def keep(self, message: Message) -> Awaitable[None]:
        """See `Shelf`."""
        return self._write("create_or_replace", message.topic, _document(message))

    def drop(self, topic: str) -> Awaitable[None]:
        """See `Shelf`."""
        return self._write("delete", topic, {})

    async def close(self) -> None:
        """Return once everything is written; call before the store closes."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    def _write(self, verb: Verb, topic: str, content: JsonObject) -> Awaitable[None]:
        # A topic may be longer than an id.
        id = hashlib.sha256(topic.encode()).hexdigest()  # noqa: A001 - the domain's word
        write = Write(verb=verb, index=INDEX, collection=COLLECTION, id=id, content=content)
        task = asyncio.get_running_loop().create_task(_done(self._private.write(write)))
        self._writing.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nobody may be waiting for it; whoever does hears of it as well.
            _log.error("a retained message was not stored", exc_info=error)


async def _done(writing: Awaitable[Written]) -> None:
    try:
        await writing
    except RouterError as error:
        if error.id != _NOT_FOUND:
            raise


def _document(message: Message) -> JsonObject:
    properties = message.properties
    correlation = properties.correlation_data
    return {
        "topic": message.topic,
        "payload": _encoded(message.payload),
        "qos": message.qos,
        "sender": [*message.sender],
        "expiresAt": None if message.expires_at_ms == math.inf else int(message.expires_at_ms),
        "payloadFormat": properties.payload_format_indicator,
        "contentType": properties.content_type,
        "responseTopic": properties.response_topic,
        "correlationData": None if correlation is None else _encoded(correlation),
        "userProperties": [[*pair] for pair in properties.user_properties],
    }


def _message(document: JsonObject) -> Message:
    content: dict[str, Any] = document
    correlation, expires_at = content["correlationData"], content["expiresAt"]
    properties = Properties(
        payload_format_indicator=content["payloadFormat"],
        content_type=content["contentType"],
        response_topic=content["responseTopic"],
        correlation_data=None if correlation is None else base64.b64decode(correlation),
        user_properties=tuple((name, value) for name, value in content["userProperties"]),
    )
    user, client_id = content["sender"]
    return Message(
        topic=content["topic"],
        payload=base64.b64decode(content["payload"]),
        qos=content["qos"],
        retain=True,
        sender=(user, client_id),
        properties=NO_PROPERTIES if properties == NO_PROPERTIES else properties,
        expires_at_ms=math.inf if expires_at is None else expires_at,
    )


def _encoded(value: bytes) -> Json:
    return base64.b64encode(value).decode()
