"""All documents of a collection as they were at one position of the feed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from realtime.rooms import Place
from router.errors import RouterError
from storage.contract import Change, Document, Hit, Storage
from storage.query import MatchAll, Search

PAGE: Final = 100
"""Documents that are read at once."""

_ROWS: Final = 1_000

MOST_CHANGED: Final = 10_000
"""Documents that may change while they are read; they are remembered."""

_GONE: Final = ("services.storage.unknown_index", "services.storage.unknown_collection")


class Snapshot:
    """Reads the documents of a collection in the order of their ids, each as it was at a position.

    They are read page by page as they are by then. What was changed since the position is told by
    the feed, and taken back; what was deleted since is put in, and what was created left out.
    """

    def __init__(self, storage: Storage, place: Place, seq: int) -> None:
        self._storage = storage
        self._place = place
        self._seen = seq
        self._changed: dict[str, Change] = {}

    async def pages(self) -> AsyncIterator[list[Document]]:
        """The documents.

        Raises:
            RouterError: `trivium.feed.gone`; `api.process.overloaded`, more is changed than can
                be remembered; that of the store.
        """
        last, is_end = "", False
        while not is_end:
            hits = await self._page(last)
            await self._look()
            is_end = len(hits) < PAGE
            upto = None if is_end else hits[-1].id
            yield await self._then(hits, self._between(last, upto))
            last = upto or ""

    async def _page(self, last: str) -> list[Hit]:
        try:
            await self._storage.refresh(*self._place)
            search = Search(query=MatchAll(), size=PAGE)
            hits = await self._storage.scan(*self._place, search, last)
            # What shows of a write that another router has not told must not be told again.
            await self._storage.settle(*self._place, [hit.id for hit in hits])
        except RouterError as error:
            if error.id not in _GONE:
                raise
            return []
        return hits

    async def _look(self) -> None:
        while changes := await self._storage.changes(self._seen, _ROWS):
            for change in changes:
                if (change.index, change.collection) == self._place:
                    self._changed.setdefault(change.id, change)
            self._seen = changes[-1].seq
            if len(self._changed) > MOST_CHANGED:
                raise RouterError("api.process.overloaded")

    def _between(self, last: str, upto: str | None) -> Iterable[Change]:
        return [
            change
            for key, change in self._changed.items()
            if key > last and (upto is None or key <= upto)
        ]

    async def _then(self, hits: Sequence[Hit], changed: Iterable[Change]) -> list[Document]:
        found = {
            hit.id: Document(id=hit.id, version=hit.version, source=hit.source) for hit in hits
        }
        for change in changed:
            found.pop(change.id, None)
            before = await self._storage.before(change)
            if before is not None:
                document = Document(id=change.id, version=change.version - 1, source=before)
                found[change.id] = document
        return [found[key] for key in sorted(found)]
