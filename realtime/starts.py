"""Where a subscription begins: now, with a snapshot, or behind a position of the feed."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from router.envelope import Json
from router.errors import RouterError
from storage.contract import Storage

NOW: Final = "now"
SNAPSHOT: Final = "snapshot"

_POSITION: Final = re.compile(r"(?:([^:]{1,200}):)?(\d{1,18})")
_EXPECTED: Final = '"now", "snapshot", a position <seq> or <feed>:<seq>'


class Start(NamedTuple):
    """The first position that is told, and whether the documents at that position come before."""

    after: int
    is_snapshot: bool = False


async def read_start(given: Json, storage: Storage) -> Start | None:
    """Where `from` says that a subscription begins; None without one: with what comes next.

    Raises:
        RouterError: `api.assert.invalid_argument`; `trivium.feed.gone` for a position of another
            feed, of the future, or of what is no longer kept.
    """
    if given is None:
        return None
    if given in (NOW, SNAPSHOT):
        return Start(await storage.newest(), given == SNAPSHOT)
    text = given if isinstance(given, str) else str(given)
    found = _POSITION.fullmatch(text) if isinstance(given, str | int) else None
    if found is None:
        raise RouterError("api.assert.invalid_argument", "from", _EXPECTED)
    if found[1] not in (None, storage.feed):
        raise RouterError("trivium.feed.gone", text)
    after = int(found[2])
    # Better to refuse than to begin later than was asked for, and to lose what lies between.
    await storage.changes(after, 1)
    return Start(after)
