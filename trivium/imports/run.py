"""One import from where it is to its end: read, send, note, again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

import msgspec

from trivium.imports.destinations import Destination, Refusal
from trivium.imports.journal import Journal, Progress
from trivium.imports.source import Broken, Mark, Record, absorb

# Far below the 1 MB of a request, also as JSON of CSV; small enough for a bar that moves.
BATCH_BYTES: Final = 128 * 1024
BATCH_RECORDS: Final = 500

Reading: TypeAlias = Callable[[Mark], Iterator[Record | Broken]]
"""Reads a file from a mark on."""


class NotStrictError(Exception):
    """A line isn't fit or is refused, and the import is to have none such; one line of text."""


@dataclass(frozen=True, slots=True)
class Watching:
    """Who is told of each refused line, and of the bytes that are done."""

    refused: Callable[[Refusal], None]
    moved: Callable[[int], None]


def check(records: Iterable[Record | Broken], watching: Watching) -> None:
    """Let a file pass whose every line is fit. Raises: NotStrictError."""
    broken = 0
    for each in records:
        if isinstance(each, Broken):
            watching.refused(Refusal(each.start.line, each.reason))
            broken += 1
    if broken:
        raise NotStrictError(f"{broken} lines aren't fit; nothing was imported")


@dataclass(slots=True)
class Import:
    """An import at work. `progress` is what the journal has, or what is to be noted next."""

    file: BinaryIO
    journal: Journal
    progress: Progress
    destination: Destination
    is_strict: bool = False

    async def run(self, reading: Reading, watching: Watching) -> None:
        """Bring in what is left of the file; what is noted is never behind what is stored by
        more than the piece in doubt.

        Raises:
            NotStrictError, SourceError, RouterError, ConnectionFailedError: It stopped; another
                run goes on there.
        """
        before = hashlib.sha256()
        absorb(before, self.file, 0, self.progress.offset)
        watching.moved(self.progress.offset)
        for batch in batches(reading(self.progress.mark)):
            start, end = self.progress.mark, batch[-1].end
            in_doubt = start.offset < self.progress.doubt_until
            self.progress = msgspec.structs.replace(
                self.progress,
                digest=before.hexdigest(),
                doubt_until=max(end.offset, self.progress.doubt_until),
            )
            self.journal.note(self.progress)
            refused = await self._send(batch, watching, in_doubt=in_doubt)
            absorb(before, self.file, start.offset, end.offset)
            self._done(end, stored=len(batch) - refused, refused=refused)
            watching.moved(end.offset - start.offset)
        self.journal.forget()

    async def _send(
        self, batch: list[Record | Broken], watching: Watching, *, in_doubt: bool
    ) -> int:
        """Returns how many of them are refused."""
        refusals = [Refusal(it.start.line, it.reason) for it in batch if isinstance(it, Broken)]
        records = [it for it in batch if not isinstance(it, Broken)]
        if records:
            refusals += await self.destination.send(records, in_doubt=in_doubt)
        for refusal in sorted(refusals):
            watching.refused(refusal)
        if refusals and self.is_strict:
            raise NotStrictError("stopped, as a line was refused")
        return len(refusals)

    def _done(self, end: Mark, *, stored: int, refused: int) -> None:
        self.progress = msgspec.structs.replace(
            self.progress,
            offset=end.offset,
            line=end.line,
            stored=self.progress.stored + stored,
            refused=self.progress.refused + refused,
        )


def batches(records: Iterable[Record | Broken]) -> Iterator[list[Record | Broken]]:
    """Pieces of a file that fit into one request each; a longer record is a piece of its own."""
    batch: list[Record | Broken] = []
    for each in records:
        is_full = len(batch) >= BATCH_RECORDS
        if batch and (is_full or each.end.offset - batch[0].start.offset > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch
