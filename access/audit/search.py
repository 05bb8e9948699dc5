"""Entries by who, what, when and how it ended, the newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from access.audit.entry import Entry, Outcome, text, unseal
from access.audit.segments import Segment, blocks_backwards, first_line, segments

# Entries of one block are looked through without a pause; between blocks others get their turn.
_PAUSE_S: Final = 0.0

_EXACT: Final = ("kuid", "controller", "action", "id", "outcome")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries; None asks for any.

    Attributes:
        since, until: Milliseconds since 1970, both included.
        index: One of those that the request named.
        before: Only entries with a smaller number: the page after the one that ended there.
        size: How many at most.
    """

    since: int = 0
    until: int | None = None
    kuid: str | None = None
    controller: str | None = None
    action: str | None = None
    index: str | None = None
    id: str | None = None
    outcome: Outcome | None = None
    before: int | None = None
    size: int = 10


class Page(NamedTuple):
    """Entries, and the number before which the next page begins; None after the last one."""

    entries: list[Entry]
    before: int | None


def search(folder: Path, wanted: Wanted, *, timeout_s: float) -> Page:
    """One page of a chain's entries; shorter than asked for where time ran out. Blocks.

    Raises:
        OSError: A file can't be read.
    """
    ends = time.monotonic() + timeout_s
    needles = _needles(wanted)
    found: list[Entry] = []
    for block in _blocks(folder, wanted):
        for line in reversed(block.splitlines()):
            if not all(needle in line for needle in needles):
                continue
            sealed = unseal(line)
            if sealed is not None and _matches(sealed.entry, wanted):
                found.append(sealed.entry)
                if len(found) == wanted.size:
                    return Page(found, sealed.entry.seq)
        if time.monotonic() > ends:
            return Page(found, _seq_of(block))
        time.sleep(_PAUSE_S)
    return Page(found, None)


def _blocks(folder: Path, wanted: Wanted) -> Iterator[bytes]:
    for part in reversed(segments(folder)):
        if _is_later(part, wanted):
            continue
        for block in blocks_backwards(part.path):
            first = unseal(block[: block.index(b"\n")])
            if first is not None and _is_beyond(first.entry, wanted):
                continue
            last = unseal(block[block.rfind(b"\n", 0, -1) + 1 :])
            if last is not None and last.entry.at < wanted.since:
                return
            yield block


def _is_later(part: Segment, wanted: Wanted) -> bool:
    if wanted.before is not None and part.first >= wanted.before:
        return True
    first = unseal(first_line(part.path))
    return first is not None and _is_beyond(first.entry, wanted)


def _is_beyond(entry: Entry, wanted: Wanted) -> bool:
    if wanted.before is not None and entry.seq >= wanted.before:
        return True
    return wanted.until is not None and entry.at > wanted.until


def _matches(entry: Entry, wanted: Wanted) -> bool:
    if entry.at < wanted.since or _is_beyond(entry, wanted):
        return False
    return wanted.index is None or text(wanted.index) in (entry.index or "").split(",")


def _needles(wanted: Wanted) -> list[bytes]:
    # Within a text of the line every quote is escaped, so that these match keys and values only.
    needles = []
    for key in _EXACT:
        value = text(getattr(wanted, key))
        if value is not None:
            needles.append(b'"%b":%b' % (key.encode(), msgspec.json.encode(value)))
    if wanted.index is not None:
        needles.append(msgspec.json.encode(text(wanted.index))[1:-1])
    return needles


def _seq_of(block: bytes) -> int | None:
    first = unseal(block[: block.index(b"\n")])
    return None if first is None else first.entry.seq
