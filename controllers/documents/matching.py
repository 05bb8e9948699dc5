"""Documents that a search found, written as they were found."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from router.errors import RouterError
from router.guards import Condition, Tag
from storage.contract import Hit, Storage, Write, Written
from storage.query import Bool, Ids, Search

Place: TypeAlias = "tuple[str, str]"
"""An index and a collection in it."""

_ROUNDS: Final = 10
"""How often a document that keeps changing is looked for again."""

_CONFLICT: Final = "services.storage.version_conflict"
_GONE: Final = "services.storage.not_found"


def at(hit: Hit) -> Condition:
    """That a document is still as it was found."""
    return Condition((Tag(hit.version),))


class Done(NamedTuple):
    """What was written, and what could not be; what matched no more is in neither."""

    written: list[Written]
    failed: list[tuple[Hit, RouterError]]


async def write(
    storage: Storage,
    place: Place,
    search: Search,
    hits: Sequence[Hit],
    make: Callable[[Hit], Write],
) -> Done:
    """Write every hit of a search as it was found; what has changed meanwhile is searched again.

    Args:
        make: The write of one hit, under its version.
    """
    done = Done([], [])
    for rounds_left in reversed(range(_ROUNDS)):
        stale: list[Hit] = []
        outcomes = await storage.bulk([make(hit) for hit in hits])
        for hit, outcome in zip(hits, outcomes, strict=True):
            if isinstance(outcome, Written):
                done.written.append(outcome)
            elif outcome.id == _CONFLICT and rounds_left:
                stale.append(hit)
            elif outcome.id != _GONE:
                done.failed.append((hit, outcome))
        if not stale:
            break
        hits = await _still_matching(storage, place, search, stale)
    return done


async def _still_matching(
    storage: Storage, place: Place, search: Search, stale: Sequence[Hit]
) -> list[Hit]:
    await storage.refresh(*place)
    ids = Ids(tuple(hit.id for hit in stale))
    again = msgspec.structs.replace(
        search, query=Bool(must=(search.query, ids)), offset=0, size=len(stale)
    )
    return (await storage.search([place], again)).hits


async def pages(
    storage: Storage, place: Place, search: Search, size: int
) -> AsyncGenerator[list[Hit], None]:
    """All hits in the order of their ids, a page at a time: what is written meanwhile behind the
    page that was read is seen as it is by then."""
    after_id, search = "", msgspec.structs.replace(search, size=size)
    while hits := await storage.scan(*place, search, after_id):
        yield hits
        if len(hits) < size:
            return
        after_id = hits[-1].id
