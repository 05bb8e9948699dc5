"""Whether a chain is as it was written, and if not, where it was first touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from access.audit.entry import EMPTY, Anchor, Entry, Head, unseal
from access.audit.segments import lines, segments

_HEAD: Final = re.compile(r"(?:(\d+):)?([0-9a-f]{64})")


_MISPLACED: Final = "misplaced"


class Fault(NamedTuple):
    """The first entry that isn't as it was written, and what is wrong with it."""

    seq: int
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain is worth.

    Attributes:
        entries: How many were read.
        head: The last one that is true.
        torn: Bytes of a last line that a crash cut short; no fault, since nothing was lost by it
            that had been written before.
        fault: None for a chain that is whole.
    """

    entries: int
    head: Head
    torn: int
    fault: Fault | None


class BadHeadError(Exception):
    """A head that can't be one; the message is one line."""


class Heads:
    """The heads that somebody kept elsewhere, ticked off as their entries are met.

    Args:
        given: Each `<number>:<hash>`, as the log has them, or the hash alone.

    Raises:
        BadHeadError: It is neither.
    """

    def __init__(self, given: Iterable[str] = ()) -> None:
        self._numbered: dict[int, str] = {}
        self._bare: set[str] = set()
        for head in given:
            found = _HEAD.fullmatch(head)
            if found is None:
                raise BadHeadError(f"{head}: expected <number>:<hash>, or a hash of 64 digits")
            if found[1] is None:
                self._bare.add(found[2])
            else:
                self._numbered[int(found[1])] = found[2]

    def denies(self, seq: int, hash: str) -> bool:
        """Whether another entry has had this number. Ticks the entry off."""
        self._bare.discard(hash)
        return self._numbered.pop(seq, hash) != hash

    def missed(self, last: int) -> str | None:
        """A head that was not met in a chain that ends with the entry `last`."""
        later = [f"{seq}:{it}" for seq, it in self._numbered.items() if seq > last]
        return min([*later, *self._bare], default=None)


class _Reader:
    """Reads a chain from its first line on, until something is wrong.

    Args:
        first: Number of the entry that is to come first.
    """

    def __init__(self, heads: Heads, first: int) -> None:
        self.entries = 0
        self.head = EMPTY._replace(seq=first - 1)
        self._heads = heads
        self._pruned = self._start = Anchor(EMPTY.hash, EMPTY.seq)

    def read(self, line: bytes) -> Fault | None:
        """Take the next line; returns what is wrong with it, or with the one before."""
        expected = self.head.seq + 1
        sealed = unseal(line)
        if sealed is None:
            return Fault(expected, f"entry {expected} can't be read any more")
        entry = sealed.entry
        if sealed.claimed != sealed.hash:
            return Fault(expected, f"{called(entry)} was edited")
        fault = self._follow(entry)
        if fault is not None:
            return fault
        if self._heads.denies(entry.seq, sealed.hash):
            return Fault(entry.seq, f"{called(entry)} has not the hash that was kept of it")
        if entry.anchor is not None and entry.controller == "trivium":
            self._pruned = entry.anchor
        self.entries += 1
        self.head = Head(entry.seq, sealed.hash, entry.at)
        return None

    def finish(self) -> Fault | None:
        """What is wrong with the chain as a whole: its beginning or its end is missing."""
        start, pruned = self._start, self._pruned
        if start.seq > pruned.seq:
            first = pruned.seq + 1
            return Fault(first, f"entries {first} to {start.seq} were removed")
        if start.seq == pruned.seq and start.hash != pruned.hash:
            return Fault(start.seq, f"entry {start.seq}, which was pruned, was another one")
        missed = self._heads.missed(self.head.seq)
        if missed is not None:
            after = self.head.seq + 1
            return Fault(after, f"no entry has the head {missed}: it was removed or made anew")
        return None

    def _follow(self, entry: Entry) -> Fault | None:
        before = entry.seq - 1
        if before != self.head.seq:
            return Fault(self.head.seq + 1, _MISPLACED)
        if not self.entries:
            self._start = Anchor(entry.prev, before)
            if self._heads.denies(before, entry.prev):
                return Fault(before, f"entry {before}, pruned since, was another one")
        elif entry.prev != self.head.hash:
            return Fault(before, f"entry {before} was replaced by another")
        return None


def verify(folder: Path, heads: Heads) -> Verdict:
    """Read the whole chain of a folder.

    Without heads a chain that was made anew from some entry on, or that lost its end, can't be
    told from a true one.

    Raises:
        OSError: A file can't be read.
    """
    parts = segments(folder)
    reader = _Reader(heads, parts[0].first if parts else 1)
    rest = (line for part in parts for line in lines(part.path))
    torn = 0
    for line in rest:
        if not line.endswith(b"\n"):
            torn = len(line)
            continue
        fault = reader.read(line)
        if fault is not None:
            return Verdict(
                entries=reader.entries,
                head=reader.head,
                torn=0,
                fault=_explained(fault, line, rest),
            )
    return Verdict(entries=reader.entries, head=reader.head, torn=torn, fault=reader.finish())


def called(entry: Entry) -> str:
    """An entry as people find it again."""
    at = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds")
    return f"entry {entry.seq} ({at}, {entry.controller}:{entry.action})"


def _explained(fault: Fault, line: bytes, rest: Iterable[bytes]) -> Fault:
    if fault.text is not _MISPLACED:
        return fault
    found = unseal(line)
    if found is not None and found.entry.seq < fault.seq:
        return Fault(found.entry.seq, f"{called(found.entry)} was moved or copied")
    for later in rest:
        found = unseal(later)
        if found is not None and found.entry.seq == fault.seq:
            return Fault(fault.seq, f"{called(found.entry)} was moved")
    return Fault(fault.seq, f"entry {fault.seq} was removed")
