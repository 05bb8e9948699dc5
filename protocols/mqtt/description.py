"""What MQTT 5 clients read of a notification without opening its payload."""

from __future__ import annotations

from typing import Final

from protocols.codec import frame
from protocols.codec.mqtt.packets import Publish
from protocols.codec.mqtt.properties import Properties
from router.connections import TWIN, Notification

_TOLD: Final = (
    "type",
    "action",
    "event",
    "scope",
    "user",
    "index",
    "collection",
    "requestId",
    "feed",
    "seq",
)
_JSON: Final = "application/json"
_STATE: Final = Properties(content_type=_JSON, payload_format_indicator=1)


def message_of(notification: Notification, qos: int, node: str) -> Publish:
    """The notification as a message; MQTT 3.1.1 leaves out the properties."""
    if notification.content.get("type") == TWIN:
        return _twin(notification, qos)
    return Publish(
        topic=notification.channel,
        payload=payload_of(notification, node),
        qos=qos,
        properties=described(notification),
    )


def position_of(notification: Notification) -> int | None:
    """Where the feed tells of it, None if it isn't one change; 0 for a part of a snapshot."""
    content = notification.content
    seq = content.get("seq")
    if not isinstance(seq, int):
        return None
    return 0 if content.get("action") == "snapshot" else seq


def _twin(notification: Notification, qos: int) -> Publish:
    # An asset that is gone is an empty message, as one that takes back what is retained.
    return Publish(
        topic=notification.channel,
        payload=notification.encoded("twin", _state),
        qos=qos,
        retain=notification.content.get("isRetained") is True,
        properties=_STATE,
    )


def _state(notification: Notification) -> bytes:
    content = notification.content
    if content.get("_source") is None:
        return b""
    return frame.dumps({name: content[name] for name in ("_id", "_version", "_source")})


def payload_of(notification: Notification, node: str) -> bytes:
    """What every MQTT client gets of a notification; encoded once, however many get it."""
    return notification.encoded(
        "mqtt", lambda one: frame.encode_notification(one, room=False, node=node)
    )


def described(notification: Notification) -> Properties:
    """The content type, and as user properties those members that are texts or numbers."""
    content = notification.content
    given = ((name, content.get(name)) for name in _TOLD)
    return Properties(
        content_type=_JSON,
        payload_format_indicator=1,
        user_properties=tuple(
            (name, str(value)) for name, value in given if isinstance(value, (str, int))
        ),
    )
