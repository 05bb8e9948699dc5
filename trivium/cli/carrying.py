"""Signing keys that go with a migration, so that tokens from before are valid afterwards.

Beside an embedded store they are a file, on OpenSearch a document of the private store; that
document is not copied like others, or a file beside it would have a twin that grows old.
"""

from __future__ import annotations

from typing import Final

from access.key_document import ID
from access.key_file import KeyFile
from access.keyring import Keyring, KeyringError, pack, unpack
from access.places import CONFIG, INDEX, MAPPINGS
from router.settings import Settings
from storage.contract import Document
from storage.transfer import Place, Transferable
from trivium.stores import make_keys

DOCUMENT: Final[Place] = (INDEX, CONFIG, ID)
"""Where the private store of OpenSearch has them."""


async def take(settings: Settings, private: Transferable) -> Keyring | None:
    """The keys of a router that is stopped; None if it never made any.

    Raises:
        KeyringError: They can't be read.
    """
    keys = make_keys(settings, None, private)
    if isinstance(keys, KeyFile):
        return keys.read() if keys.path.exists() else None
    if CONFIG not in _collections(private):
        return None
    document = await _document(private)
    return None if document is None else unpack(document.source)


async def put(settings: Settings, private: Transferable, keyring: Keyring) -> None:
    """Let a router that is stopped have these keys; once more is no harm.

    Raises:
        KeyringError: They can't be written, or others are there.
    """
    keys = make_keys(settings, None, private)
    if isinstance(keys, KeyFile):
        keys.adopt(keyring)
        return
    await private.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
    await private.load(INDEX, CONFIG, [Document(id=ID, version=1, source=pack(keyring))])
    document = await _document(private)
    if document is None or unpack(document.source) != keyring:
        raise KeyringError("the target has signing keys of its own")


def _collections(private: Transferable) -> list[str]:
    return private.collections(INDEX) if private.has_index(INDEX) else []


async def _document(private: Transferable) -> Document | None:
    [document] = await private.mget(INDEX, CONFIG, [ID])
    return document
