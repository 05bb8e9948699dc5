"""Searches for users, profiles and roles, page by page or by scroll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from access.keeping import Keeping
from access.places import INDEX, Kind
from access.register import Register
from controllers import cursors, searches
from controllers.cursors import Cursors
from router.actions import Argument
from router.envelope import Json, JsonObject, Request
from storage.contract import Hit

SEARCH: Final = (*searches.ARGUMENTS, cursors.SCROLL)
SCROLL: Final = (
    Argument("scrollId", "string", "What the search answered.", required=True),
    cursors.SCROLL,
)
FOUND: Final = "`{hits: [{_id, _source}], total, scrollId?}`"
ERRORS: Final = (*searches.ERRORS, *cursors.ERRORS[:1])
"""That too many scrolls are open, or that one would be too long, is said as of documents."""
SCROLL_ERRORS: Final = (
    "api.assert.missing_argument",
    "api.assert.invalid_type",
    "services.storage.unknown_scroll_id",
)


class Finder(msgspec.Struct, frozen=True):
    """Finds what the register keeps.

    Attributes:
        cursors: Scrolls over the private store; never those of the public one.
        fetch_max: Most documents of one page.
    """

    register: Register
    cursors: Cursors
    fetch_max: int

    async def find(self, request: Request, kind: Kind) -> Json:
        """One page of what matches, or the first page of a scroll."""
        search = searches.read(request, fetch_max=self.fetch_max)
        life_s = self.cursors.duration_s(request)
        if life_s is not None:
            opened = await self.cursors.open(request, [(INDEX, kind)], search, life_s)
            return _bare(opened)
        page = await self._keeping(kind).search(search)
        return {"hits": found(page.hits), "total": page.total}

    async def find_all(self, request: Request, kind: Kind) -> Json:
        """The same; without a `size` a page holds all that it may."""
        body = request.body if isinstance(request.body, dict) else {}
        if request.args.get("size") is None and body.get("size") is None:
            request = request.replace(args={**request.args, "size": self.fetch_max})
        return await self.find(request, kind)

    async def go_on(self, request: Request) -> Json:
        """The next page of a scroll."""
        return _bare(await self.cursors.read(request))

    def _keeping(self, kind: Kind) -> Keeping:
        return self.register.keeping(kind)


def found(hits: Sequence[Hit]) -> list[Json]:
    """Hits as answers show them."""
    return [{"_id": hit.id, "_source": hit.source} for hit in hits]


def _bare(answer: Json) -> JsonObject:
    # Where they are kept is nobody's business.
    assert isinstance(answer, dict)
    hits = answer["hits"]
    assert isinstance(hits, list)
    bare: list[Json] = [
        {key: hit[key] for key in ("_id", "_source")} for hit in hits if isinstance(hit, dict)
    ]
    return {**answer, "hits": bare}
