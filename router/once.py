"""What makes a request happen once, however often it is sent: its key and its fingerprint."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import orjson

from router.errors import RouterError

if TYPE_CHECKING:
    from router.actions import Action
    from router.envelope import Json, JsonObject, Request

MAX_KEY_CHARACTERS: Final = 255
"""Longest idempotency key; what Stripe and the IETF draft's precedents take."""


class Once(msgspec.Struct):
    """One keyed request on its way.

    Attributes:
        key: Digest of the caller's key in its scope (user, action, index), 32 hex digits.
        fingerprint: Digest of what was asked.
        is_repeat: The write was done before: what comes before it is not done again.
        is_written: The write was done, now or before; only then is there something to keep.
    """

    key: str
    fingerprint: str
    is_repeat: bool = False
    is_written: bool = False


class Remembered(msgspec.Struct, frozen=True):
    """What the store knows of a key: written, and once all was done, also answered."""

    fingerprint: str
    answer: JsonObject | None = None


class Memory(Protocol):
    """Where keys are remembered: in the store, with the writes that they stand for."""

    async def recall(self, key: str) -> Remembered | None:
        """What is known of a key, None if its write was never done, or too long ago."""

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key whose write was done; durable when this returns."""


def once(action: Action, request: Request) -> Once:
    """The key of a request that has one, in its scope.

    Raises:
        RouterError: `api.assert.invalid_type`, `api.assert.invalid_argument`;
            `api.process.idempotency_unsupported` unless the action writes one document.
    """
    if not action.is_guarded:
        raise RouterError("api.process.idempotency_unsupported", action.controller, action.name)
    given = request.args.get("idempotencyKey")
    if not isinstance(given, str):
        raise RouterError("api.assert.invalid_type", "idempotencyKey", "string")
    # The IETF draft has the header as a quoted string, most clients send it bare.
    own = given[1:-1] if len(given) > 2 and given[0] == given[-1] == '"' else given
    if not 0 < len(own) <= MAX_KEY_CHARACTERS:
        expected = f"1 to {MAX_KEY_CHARACTERS} characters"
        raise RouterError("api.assert.invalid_argument", "idempotencyKey", expected)
    places: list[Json] = [index for index, _ in action.places(request)]
    scope: list[Json] = [_who(request), action.controller, action.name, places, own]
    return Once(_digest(scope), _digest([places, *_asked(action, request)]))


def _who(request: Request) -> str:
    user = request.user
    if user.id != "-1":
        return f"user {user.id}"
    connection = request.connection
    if connection.wire == "mqtt":
        return f"client {connection.client_id}"
    return f"address {connection.address}"


def _asked(action: Action, request: Request) -> list[Json]:
    """What a repeat must ask for again. Only what the action knows counts, each argument as the
    action reads it, so that a request is the same on every wire."""
    arguments: JsonObject = {
        argument.name: _read(argument.type, argument.name, request)
        for argument in action.arguments
        if argument.place == "args" and argument.name in request.args
    }
    arguments.pop("idempotencyKey", None)
    if request.condition is not None:
        # As it was understood: a tag of If-Match asks for the same as `ifVersion`.
        arguments["ifVersion"] = msgspec.to_builtins(request.condition.tags)
    known: JsonObject = {
        name: value for name, value in arguments.items() if value not in (None, False)
    }
    return [known, request.body]


def _read(kind: str, name: str, request: Request) -> Json:
    if kind == "flag":
        return request.flag(name)
    if kind == "integer":
        return request.integer(name, 0)
    return request.args[name]


def _digest(value: list[Json]) -> str:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).hexdigest()
