"""Time zones as queries name them, and the clock on the wall there."""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from storage.refusals import malformed

_OFFSET: Final = re.compile(r"([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1)
_MS: Final = timedelta(milliseconds=1)


@functools.lru_cache(maxsize=256)
def read_zone(text: str) -> tzinfo:
    """The zone that `+01:00`, `Europe/Paris` or `UTC` names.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for anything else.
    """
    if text in ("", "Z", "UTC", "GMT"):
        return UTC
    found = _OFFSET.fullmatch(text)
    if found is not None:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if offset <= timedelta(hours=18):
            return timezone(-offset if found[1] == "-" else offset)
    elif _NAME.fullmatch(text):
        try:
            return zoneinfo.ZoneInfo(text)
        except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
            pass
    raise malformed(f'There is no time zone "{text}".')


def local(ms: int, zone: tzinfo) -> datetime:
    """What the clock on the wall shows at that moment."""
    moment = (_EPOCH + ms * _MS).replace(tzinfo=UTC)
    return moment.astimezone(zone).replace(tzinfo=None)


def moment_ms(wall: datetime, zone: tzinfo) -> int:
    """The first moment at which the clock on the wall shows this or, if it never does, later."""
    fixed = wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return (fixed - _EPOCH) // _MS


def moved_ms(ms: int, zone: str) -> int:
    """The moment at which the clock on the wall of a zone shows what that of UTC does at `ms`."""
    return moment_ms(_EPOCH + ms * _MS, read_zone(zone))
