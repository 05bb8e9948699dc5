"""Copying everything that one store has into another, of whatever engine, and comparing them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec
import orjson

from router.envelope import Json, JsonObject
from storage.contract import Change, Document, Storage

PAGE: Final = 500
"""Documents that are read and loaded at a time."""

_MODULUS: Final = 1 << 256

Place: TypeAlias = tuple[str, str, str]
"""Index, collection and id of a document."""


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

    async def graves(self, index: str, collection: str, after_id: str, size: int) -> list[Grave]:
        """What is left of deleted documents, in the order of their ids' bytes, as `page`."""

    async def bury(self, index: str, collection: str, graves: Sequence[Grave]) -> None:
        """Know the versions of documents that are gone; those that are there are left out."""

    async def rows(self, since: int, limit: int) -> list[Change]:
        """The rows of the changes feed with `seq` above `since` that there are, in order."""

    async def load_rows(self, rows: Sequence[Change]) -> None:
        """Put rows into the feed, in order, behind those that are there.

        Documents and graves come first. Rows that an earlier call has brought are left out;
        others must not be there. In this store they get numbers of its own.
        """


class Grave(NamedTuple):
    """A document that was deleted: what is created under its id goes on from this version."""

    id: str
    version: int


class Total(NamedTuple):
    """What a store holds: how many documents, versions of deleted ones and rows of the feed, and
    a checksum over all of it. Only that of the rows depends on their order."""

    documents: int
    graves: int
    rows: int
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
    without: Place | None = None,
) -> None:
    """Bring indexes, collections, mappings and documents with versions and stamps to the target,
    the versions of deleted documents, and the rows of the changes feed.

    The feed of the target keeps its own id and numbers, so that a position in the source's is
    not taken for one of its own. What an earlier copy has brought is not brought again. Nobody
    else may write to either store meanwhile.

    Args:
        is_resumed: Go on where the target has indexes already.
        size: Documents, or rows, read at a time.
        progress: Told after each page how many of them it had.
        without: A document that stays behind; rows of the feed about it come along, but nothing of
            its contents.

    Raises:
        NotEmptyError: The target has indexes, and `is_resumed` is false.
        RouterError: What either engine refuses.
    """
    if not is_resumed:
        check_empty(target)
    done = progress or (lambda _: None)
    for index in source.indexes():
        if not target.has_index(index):
            await target.create_index(index)
        for collection in source.collections(index):
            await target.create_collection(index, collection, source.mapping(index, collection))
            async for documents in _pages(source, index, collection, size, without):
                await target.load(index, collection, documents)
                done(len(documents))
            async for graves in _graves(source, index, collection, size):
                await target.bury(index, collection, graves)
    async for rows in _rows(source, size, without):
        await target.load_rows(rows)
        done(len(rows))


def check_empty(target: Storage) -> None:
    """Let a store without indexes pass. Raises: NotEmptyError."""
    if target.indexes():
        raise NotEmptyError("the target is not empty")


async def total(store: Transferable, *, without: Place | None = None) -> Total:
    """All of a store but the contents of the document `without`. Documents count with index,
    collection, id, version and content, rows with all that they say but their number; keys are
    sorted first."""
    documents = graves = digest = 0
    for index in store.indexes():
        for collection in store.collections(index):
            async for page in _pages(store, index, collection, PAGE, without):
                documents += len(page)
                digest += sum(
                    _digest([index, collection, each.id, each.version, each.source])
                    for each in page
                )
            async for buried in _graves(store, index, collection, PAGE):
                graves += len(buried)
                digest += sum(_digest([index, collection, *each]) for each in buried)
    rows, chain = await _total_of_rows(store, without)
    whole = hashlib.sha256(f"{digest % _MODULUS:064x}{chain:064x}".encode()).hexdigest()
    return Total(documents, graves, rows, whole)


async def _total_of_rows(store: Transferable, without: Place | None) -> tuple[int, int]:
    count = chain = 0
    async for rows in _rows(store, PAGE, without):
        count += len(rows)
        for row in rows:
            told = msgspec.structs.asdict(msgspec.structs.replace(row, feed="", seq=0))
            chain = _digest([f"{chain:064x}", told])
    return count, chain


async def _pages(
    store: Transferable, index: str, collection: str, size: int, without: Place | None
) -> AsyncIterator[list[Document]]:
    after_id = ""
    while documents := await store.page(index, collection, after_id, size):
        yield [each for each in documents if (index, collection, each.id) != without]
        after_id = documents[-1].id


async def _graves(
    store: Transferable, index: str, collection: str, size: int
) -> AsyncIterator[list[Grave]]:
    after_id = ""
    while graves := await store.graves(index, collection, after_id, size):
        yield graves
        after_id = graves[-1].id


async def _rows(
    store: Transferable, size: int, without: Place | None
) -> AsyncIterator[list[Change]]:
    since = 0
    while rows := await store.rows(since, size):
        yield [
            _emptied(row) if (row.index, row.collection, row.id) == without else row for row in rows
        ]
        since = rows[-1].seq


def _emptied(row: Change) -> Change:
    """A row that says that there was a change, and nothing of what the document held."""
    changes: JsonObject | None = None if row.changes is None else {}
    return msgspec.structs.replace(row, changes=changes, undo=None, whole=None)


def _digest(whole: Json) -> int:
    return int.from_bytes(
        hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).digest(), "big"
    )
