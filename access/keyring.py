"""The keys that tokens are signed with: the newest one signs, every one verifies."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Collection, Iterable
from typing import Final, Protocol

import msgspec

from router.envelope import JsonObject

SECRET_BYTES: Final = 64
"""RFC 7518, 3.2: at least as long as the hash. HMAC hashes what is longer than 64 bytes."""


class KeyringError(Exception):
    """The keys can't be used; the message is one line that says why and what to do."""


class Key(msgspec.Struct, frozen=True):
    """One signing key. `id` stands in the header of every token that it signed."""

    id: str
    secret: bytes
    made_at_ms: int

    def __repr__(self) -> str:
        # The secret must not end up in a log.
        return f"<Key {self.id}>"


class Keyring(msgspec.Struct, frozen=True):
    """All keys, the newest last; at least one."""

    keys: tuple[Key, ...]

    @property
    def newest(self) -> Key:
        """The key that signs."""
        return self.keys[-1]

    def find(self, id: str) -> Key | None:
        """The key of that id."""
        return next((key for key in self.keys if key.id == id), None)

    def rotated(self) -> Keyring:
        """The same with one more key, which signs from now on."""
        # Keys are ordered by their age, even where the clock was set back.
        return Keyring((*self.keys, new_key(not_before_ms=self.newest.made_at_ms + 1)))

    def joined(self, other: Keyring) -> Keyring:
        """The keys of both; the newest of all signs."""
        every = {key.id: key for key in (*self.keys, *other.keys)}
        return _by_age(every.values())

    def without(self, ids: Collection[str]) -> Keyring:
        """The same without those keys; the newest always stays."""
        rest = tuple(key for key in self.keys[:-1] if key.id not in ids)
        return Keyring((*rest, self.newest))


class KeySource(Protocol):
    """Where the keys are kept; several routers may share one."""

    async def load(self) -> Keyring:
        """The keys as they are now; the first call ever makes the first one.

        Raises:
            KeyringError: They can't be read or made.
        """

    async def rotate(self) -> Keyring:
        """Add a key that signs from now on. Raises: KeyringError."""

    async def forget(self, ids: Collection[str]) -> Keyring:
        """Drop keys that no living token was signed with. Raises: KeyringError."""


class MemoryKeys:
    """Keys that end with the process: for a router whose store does, too."""

    def __init__(self) -> None:
        self._keyring = first_keyring()

    async def load(self) -> Keyring:
        """See `KeySource`."""
        return self._keyring

    async def rotate(self) -> Keyring:
        """See `KeySource`."""
        self._keyring = self._keyring.rotated()
        return self._keyring

    async def forget(self, ids: Collection[str]) -> Keyring:
        """See `KeySource`."""
        self._keyring = self._keyring.without(ids)
        return self._keyring


def first_keyring() -> Keyring:
    """A ring with one new key."""
    return Keyring((new_key(),))


def new_key(not_before_ms: int = 0) -> Key:
    """A key that nobody else has."""
    made_at_ms = max(int(time.time() * 1_000), not_before_ms)
    return Key(secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES), made_at_ms)


class _Stored(msgspec.Struct, frozen=True, rename="camel"):
    secret: str
    made_at: int


class _Ring(msgspec.Struct, frozen=True):
    # A key that was dropped from a document leaves null behind: documents are merged.
    keys: dict[str, _Stored | None]


def pack(keyring: Keyring) -> JsonObject:
    """The keys as `{keys: {<id>: {secret, madeAt}}}`, the secrets in base64."""
    return {"keys": {key.id: packed_key(key) for key in keyring.keys}}


def packed_key(key: Key) -> JsonObject:
    """One key as it stands under its id."""
    return {"secret": base64.b64encode(key.secret).decode(), "madeAt": key.made_at_ms}


def unpack(content: object) -> Keyring:
    """The keys of what `pack` gave.

    Raises:
        KeyringError: It is something else, or a secret is too short to be safe.
    """
    try:
        ring = msgspec.convert(content, _Ring)
        keys = [
            Key(key_id, base64.b64decode(one.secret, validate=True), one.made_at)
            for key_id, one in ring.keys.items()
            if one is not None
        ]
    except (msgspec.ValidationError, ValueError):
        raise KeyringError("they are not what was written there") from None
    if not keys or any(len(key.secret) < SECRET_BYTES // 2 for key in keys):
        raise KeyringError("a key is missing or too short")
    return _by_age(keys)


def _by_age(keys: Iterable[Key]) -> Keyring:
    return Keyring(tuple(sorted(keys, key=lambda key: (key.made_at_ms, key.id))))
