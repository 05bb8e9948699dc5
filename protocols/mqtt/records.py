"""Sessions and their messages as documents, and back."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from protocols.codec.mqtt.packets import Publish, Will
from protocols.mqtt.broker.standing import Standing
from protocols.mqtt.outbox import Entry, Stage
from protocols.mqtt.state import SessionState
from router.envelope import Json, JsonObject


def of_state(state: SessionState, rooms: list[Json], passing: list[str], turn: str) -> JsonObject:
    """What is kept of a session beside its messages.

    Args:
        rooms: Where it listens for good.
        passing: The channels that it hears only as long as its client is here.
        turn: Another each time that it is written down.
    """
    return {
        "user": state.owner,
        "clientId": state.client_id,
        "isLocal": state.connection.is_local(),
        "expiry": state.expiry_s,
        "endsAt": _finite(state.ends_at),
        "willAt": _finite(state.will_at),
        "will": _plain(state.will),
        "subscriptions": msgspec.to_builtins([*state.subscriptions]),
        "rooms": rooms,
        "passing": [*passing],
        "turn": turn,
    }


def of_position(turn: str, behind: JsonObject) -> JsonObject:
    """How far a session is since what else is kept of it was written down in that turn."""
    return {"turn": turn, "behind": behind}


def behind_of(document: JsonObject, position: JsonObject) -> JsonObject:
    """What was kept so; empty if the session was written down once more since then."""
    if not position or position["turn"] != document.get("turn"):
        return {}
    behind: Any = position["behind"]
    return msgspec.convert(behind, dict[str, Any])


def standings_of(document: Json) -> list[Standing]:
    """The subscriptions that a session was kept with."""
    return msgspec.convert(document, list[Standing])


def will_of(document: Json) -> Will | None:
    """The will that a session was kept with."""
    return None if document is None else msgspec.convert(document, Will)


def moment_of(document: Json) -> float:
    """A time that was kept; infinite for none."""
    return math.inf if document is None else msgspec.convert(document, float)


def of_entry(session: str, entry: Entry) -> JsonObject:
    """What is kept of a message on its way."""
    return {
        "session": session,
        "number": entry.number,
        "since": entry.since,
        "wasSent": entry.was_sent,
        "isReleased": entry.stage is Stage.RELEASED,
        "seq": entry.seq,
        "message": _plain(entry.message),
    }


def entry_of(document: JsonObject) -> Entry:
    """The message on its way that was kept."""
    content: dict[str, Any] = document
    message = msgspec.convert(content["message"], Publish)
    entry = Entry(message, content["since"], lasts=True, seq=content.get("seq"))
    entry.number = content["number"]
    entry.was_sent = content["wasSent"]
    if content["isReleased"]:
        entry.stage = Stage.RELEASED
    return entry


def _finite(moment: float) -> Json:
    return None if moment == math.inf else moment


def _plain(value: Publish | Will | None) -> Json:
    # Bytes become Base64.
    plain: Json = msgspec.to_builtins(value)
    return plain
