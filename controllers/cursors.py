"""Scrolls that clients have open: whose they are, and how long they live."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from controllers.searches import shown
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.places import Place
from router.settings import ScrollSettings
from storage.contract import Hit, Scroll, Storage
from storage.query import Search

SCROLL: Final = Argument(
    "scroll", "string", "How long the result stays open for document:scroll, such as `30s`."
)
ERRORS: Final = (
    "services.storage.scroll_duration_too_great",
    "trivium.search.too_long_a_scroll",
    "trivium.search.too_many_scrolls",
)

_DEFAULT: Final = "15s"  # Kuzzle's services.storageEngine.defaults.scrollTTL
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) *(ms|s|m|h|d)?", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, None: 0.001}


class Cursor(msgspec.Struct):
    """One open scroll of one user."""

    owner: str
    targets: Sequence[Place]
    scroll: Scroll
    ending: asyncio.TimerHandle
    lock: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class Cursors:
    """The open scrolls of this router: bounded in number, in the documents that they hold
    together, and in the time between two pages."""

    def __init__(self, storage: Storage, settings: ScrollSettings) -> None:
        self._storage = storage
        self._settings = settings
        self._cursors: dict[str, Cursor] = {}
        self._opening = asyncio.Lock()

    def duration_s(self, request: Request, default: str | None = None) -> float | None:
        """Seconds that `scroll` asks for; None if it isn't there and there is no default.

        Raises:
            RouterError: `api.assert.invalid_type`, `api.assert.invalid_argument`,
                `services.storage.scroll_duration_too_great`.
        """
        text = request.string("scroll", default)
        if text is None:
            return None
        found = _DURATION.fullmatch(text)
        if found is None:
            raise RouterError("api.assert.invalid_argument", "scroll", "a duration such as 15s")
        seconds = float(found[1]) * _SECONDS[found[2]]
        if seconds > self._settings.duration_max_s:
            raise RouterError("services.storage.scroll_duration_too_great", text)
        return seconds

    async def open(
        self, request: Request, targets: Sequence[tuple[str, str]], search: Search, life_s: float
    ) -> JsonObject:
        """Open a scroll for the user who asks; its first page.

        Raises:
            RouterError: As `Storage.scroll`; `trivium.search.too_many_scrolls`;
                `services.storage.unexpected_bad_request` for a search that has no pages.
        """
        _check(search)
        owner = request.user.id
        async with self._opening:  # in turn, so that they don't pass the bounds together
            room = self._room(owner)
            scroll = await self._storage.scroll(targets, search, most=room, life_s=life_s)
            key = secrets.token_urlsafe(24)
            self._cursors[key] = Cursor(owner, targets, scroll, self._ending(key, life_s))
        hits = await scroll.next()
        await self._leave(key)
        return paged(key, scroll, hits)

    def places(self, request: Request) -> Sequence[Place]:
        """Where the scroll `scrollId` looks, as rights ask for it."""
        key = request.args.get("scrollId")
        cursor = self._cursors.get(key) if isinstance(key, str) else None
        return () if cursor is None else cursor.targets

    async def read(self, request: Request) -> Json:
        """The next page of the scroll `scrollId`, which lives on for `scroll`.

        Raises:
            RouterError: `services.storage.unknown_scroll_id`, also for another user's.
        """
        key = request.name("scrollId")
        life_s = self.duration_s(request, _DEFAULT)
        assert life_s is not None
        cursor = self._of(request, key)
        async with cursor.lock:
            self._of(request, key)  # it may have been read to its end meanwhile
            cursor.ending.cancel()
            try:
                hits = await cursor.scroll.next()
            finally:
                cursor.ending = self._ending(key, life_s)
            await self._leave(key)
        return paged(key, cursor.scroll, hits)

    def actions(self) -> tuple[Action, ...]:
        """`document:scroll`."""
        return (
            Action(
                controller="document",
                name="scroll",
                handler=self.read,
                places=self.places,
                summary="Read the next page of a search that was opened with `scroll`.",
                routes=(Route("GET", "/_scroll/:scrollId"),),
                arguments=(
                    Argument("scrollId", "string", "What the search answered.", required=True),
                    SCROLL,
                ),
                result="`{hits, remaining, scrollId, total}`",
                errors=(
                    "api.assert.missing_argument",
                    "api.assert.invalid_type",
                    "api.assert.invalid_argument",
                    "services.storage.scroll_duration_too_great",
                    "services.storage.unknown_scroll_id",
                ),
            ),
        )

    def _room(self, owner: str) -> int:
        """Documents that one more scroll of this user may hold: half of what is left."""
        owned = sum(cursor.owner == owner for cursor in self._cursors.values())
        if owned >= self._settings.open_per_user or len(self._cursors) >= self._settings.open_max:
            raise RouterError("trivium.search.too_many_scrolls", owned)
        held = sum(cursor.scroll.remaining for cursor in self._cursors.values())
        return max(0, (self._settings.documents_max - held) // 2)

    def _of(self, request: Request, id: str) -> Cursor:
        cursor = self._cursors.get(id)
        if cursor is None or cursor.owner != request.user.id:
            raise RouterError("services.storage.unknown_scroll_id")
        return cursor

    async def _leave(self, id: str) -> None:
        """Close what has been read to its end."""
        cursor = self._cursors.get(id)
        if cursor is not None and not cursor.scroll.remaining:
            cursor.ending.cancel()
            del self._cursors[id]
            await cursor.scroll.close()

    def _ending(self, id: str, life_s: float) -> asyncio.TimerHandle:
        # Nothing is closed then: a server of documents forgets its part by itself.
        return asyncio.get_running_loop().call_later(life_s, self._cursors.pop, id, None)


def paged(id: str, scroll: Scroll, hits: Sequence[Hit]) -> JsonObject:
    """One page of a scroll as results show it."""
    return {
        "hits": shown(hits),
        "remaining": scroll.remaining,
        "scrollId": id,
        "total": scroll.total,
    }


def _check(search: Search) -> None:
    if search.offset:
        raise _refused("from has no place in a scroll.")
    if search.after is not None:
        raise _refused("search_after has no place in a scroll.")
    if search.aggregations:
        raise RouterError("trivium.unsupported.feature", "A scroll with aggregations")
    if not search.size:
        raise _refused("The pages of a scroll hold something: size is not 0.")


def _refused(sentence: str) -> RouterError:
    return RouterError("services.storage.unexpected_bad_request", sentence)
