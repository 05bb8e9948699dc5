"""Copying everything that one store has into another, of whatever engine, and comparing them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, Protocol

import orjson

from storage.contract import Document, Storage

PAGE: Final = 500
"""Documents that are read and loaded at a time."""

_MODULUS: Final = 1 << 256


class Transferable(Storage, Protocol):
    """An engine whose documents can be taken out and put in as they are."""

    async def page(self, index: str, collection: str, after_id: str, size: int) -> list[Document]:
        """The next documents in the order of their ids' bytes; empty at the end.

        Args:
            after_id: Where the last page ended; empty at the start.
        """

    async def load(self, index: str, collection: str, documents: Sequence[Document]) -> None:
        """Put documents in verbatim, version and stamp too; on disk when this returns.

        They leave no rows in the changes feed. A document whose id is there already is left out.
        """


class Total(NamedTuple):
    """What a store holds: how many documents, and a checksum that no order changes."""

    documents: int
    checksum: str


class NotEmptyError(Exception):
    """The target has indexes already; the text is one line."""


async def copy(
    source: Transferable,
    target: Transferable,
    *,
    is_resumed: bool = False,
    size: int = PAGE,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Bring indexes, collections, mappings and documents with versions and stamps to the target.

    The changes feed and the versions of deleted documents stay behind. What an earlier copy has
    brought is not brought again. Nobody else may write to either store meanwhile.

    Args:
        is_resumed: Go on where the target has indexes already.
        size: Documents read at a time.
        progress: Told after each page how many documents it had.

    Raises:
        NotEmptyError: The target has indexes, and `is_resumed` is false.
        RouterError: What either engine refuses.
    """
    if not is_resumed:
        check_empty(target)
    for index in source.indexes():
        if not target.has_index(index):
            await target.create_index(index)
        for collection in source.collections(index):
            mapping = source.mapping(index, collection)
            await target.create_collection(index, collection, mapping)
            async for documents in _pages(source, index, collection, size):
                await target.load(index, collection, documents)
                if progress is not None:
                    progress(len(documents))


def check_empty(target: Storage) -> None:
    """Let a store without indexes pass. Raises: NotEmptyError."""
    if target.indexes():
        raise NotEmptyError("the target is not empty")


async def total(store: Transferable) -> Total:
    """The documents of a store: their number, and a checksum over index, collection, id,
    version and content with sorted keys."""
    count = checksum = 0
    for index in store.indexes():
        for collection in store.collections(index):
            async for documents in _pages(store, index, collection, PAGE):
                count += len(documents)
                checksum += sum(_digest(index, collection, each) for each in documents)
    return Total(count, f"{checksum % _MODULUS:064x}")


async def _pages(
    store: Transferable, index: str, collection: str, size: int
) -> AsyncIterator[list[Document]]:
    after_id = ""
    while documents := await store.page(index, collection, after_id, size):
        yield documents
        after_id = documents[-1].id


def _digest(index: str, collection: str, document: Document) -> int:
    whole = [index, collection, document.id, document.version, document.source]
    return int.from_bytes(
        hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).digest(), "big"
    )
