"""`trivium keys rotate`: a new key signs tokens from now on, also on a router that runs."""

from __future__ import annotations

import asyncio

from access.key_file import KeyFile
from access.keyring import Keyring, KeyringError
from access.places import CONFIG, INDEX, MAPPINGS
from router.errors import RouterError
from router.settings import Settings
from storage.contract import StoreOpenError
from trivium.stores import make_keys, make_private


def rotate(settings: Settings) -> Keyring:
    """Add a key that signs; those before it verify until their tokens have ended.

    Raises:
        KeyringError: The keys can't be read or written.
    """
    return asyncio.run(_rotate(settings))


async def _rotate(settings: Settings) -> Keyring:
    private = make_private(settings)
    keys = make_keys(settings, None, private)
    if isinstance(keys, KeyFile):
        return await keys.rotate()
    try:
        await private.open()
        try:
            await private.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
            return await keys.rotate()
        finally:
            await private.close()
    except (RouterError, StoreOpenError, OSError) as error:
        raise KeyringError(str(error)) from error
