"""The signing keys in the private store, where several routers share them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from access.keyring import (
    Keyring,
    KeyringError,
    first_keyring,
    pack,
    packed_key,
    unpack,
)
from access.places import CONFIG, INDEX
from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Storage, Write

ID: Final = "trivium.keys"

_FRESH_S: Final = 1.0
"""Tokens with unknown key ids must not make a reading of the store each."""


class KeyDocument:
    """Keys in one document of the collection `config`; see `KeySource`.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._clock = clock
        self._keyring: Keyring | None = None
        self._read_at = 0.0

    async def load(self) -> Keyring:
        """The keys as they were a second ago at the latest."""
        if self._keyring is None or self._clock() - self._read_at > _FRESH_S:
            return await self._read()
        return self._keyring

    async def rotate(self) -> Keyring:
        """See `KeySource`."""
        key = (await self._read()).rotated().newest
        return await self._merge({key.id: packed_key(key)})

    async def forget(self, ids: Collection[str]) -> Keyring:
        """See `KeySource`."""
        keyring = await self._read()
        return await self._merge(dict.fromkeys(set(ids) - {keyring.newest.id}))

    # -- inside -------------------------------------------------------------------------

    async def _read(self) -> Keyring:
        [document] = await self._storage.mget(INDEX, CONFIG, [ID])
        if document is None:
            await self._create()
            [document] = await self._storage.mget(INDEX, CONFIG, [ID])
        if document is None:
            raise KeyringError("the signing keys were deleted from the private store")
        keyring = _keyring_of(document.source)
        self._keyring, self._read_at = keyring, self._clock()
        return keyring

    async def _create(self) -> None:
        content = pack(first_keyring())
        try:
            await self._storage.write(
                Write(verb="create", index=INDEX, collection=CONFIG, id=ID, content=content)
            )
        except RouterError as error:
            # Another router was faster; its key counts.
            if error.id != "services.storage.document_already_exists":
                raise

    async def _merge(self, keys: JsonObject) -> Keyring:
        # Merged key by key, so that two routers never undo each other's change.
        await self._read()
        content: JsonObject = {"keys": keys}
        await self._storage.write(
            Write(verb="update", index=INDEX, collection=CONFIG, id=ID, content=content, retries=10)
        )
        return await self._read()


def _keyring_of(source: JsonObject) -> Keyring:
    try:
        return unpack(source)
    except KeyringError as error:
        raise KeyringError(f"the signing keys in the private store: {error}") from error
