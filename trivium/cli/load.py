"""`trivium import`: the lines of a file become documents or assets, from where it stopped."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console

from router.errors import RouterError
from trivium.cli.progress import measuring
from trivium.cli.reach import Reach
from trivium.client import ConnectionFailedError
from trivium.client.routes import NoRouteError
from trivium.imports.destinations import Refusal
from trivium.imports.journal import Journal, Progress
from trivium.imports.plans import AssetRows, Plan, Wanted, plan
from trivium.imports.run import Import, NotStrictError, Watching, check
from trivium.imports.source import SourceError, opened

_FAILURES: Final = (
    *(SourceError, NotStrictError),
    *(RouterError, ConnectionFailedError, NoRouteError),
)

_REFUSES_ALL: Final = frozenset({401, 403, 404, 412})
"""Nothing of the request was done; what else is refused may be some of its records."""


def load(file: Path, wanted: Wanted, router: Reach, *, is_strict: bool = False) -> int:
    """Import a file and say what became of it; returns the exit code (0 only if all is in).

    Args:
        is_strict: Import nothing if a line isn't fit, and stop where one is refused.
    """
    journal = Journal(file)
    try:
        with opened(file) as source:
            made = plan(source, wanted)
            done = asyncio.run(_load(source, journal, made, router, is_strict=is_strict))
    except _FAILURES as error:
        return _failed(str(error), journal)
    except KeyboardInterrupt:
        return _failed("stopped", journal)
    noun, row = ("assets", "rows") if isinstance(made, AssetRows) else ("documents", "lines")
    where = made.engine if isinstance(made, AssetRows) else made.into
    print(f"{done.stored} {noun} are in {where}, {done.refused} {row} were refused")
    return 1 if done.refused else 0


async def _load(
    source: BinaryIO, journal: Journal, made: Plan, router: Reach, *, is_strict: bool
) -> Progress:
    began = journal.find(source, made.into, made.start)
    if began.doubt_until:
        print(f"going on at line {began.line}; {began.stored} are in already", file=sys.stderr)
    size = os.fstat(source.fileno()).st_size
    async with router.client() as client:
        reading = await made.reading(client)
        work = Import(source, journal, began, made.destination(client, began.key), is_strict)
        with measuring(Console(stderr=True), made.into, size) as moved:
            watching = Watching(lambda refusal: _show(source.name, refusal), moved)
            if is_strict:
                check(reading(began.mark), watching)
            try:
                await work.run(reading, watching)
            except RouterError as error:
                # The first request already: then another command is needed, not this one again.
                is_first = work.progress.mark == made.start and not began.doubt_until
                if is_first and error.status in _REFUSES_ALL:
                    journal.forget()
                raise
    return work.progress


def _show(file: str, refusal: Refusal) -> None:
    reason = " ".join(refusal.reason.split())
    print(f"{file}:{refusal.line}: {reason}", file=sys.stderr)


def _failed(reason: str, journal: Journal) -> int:
    reason = " ".join(reason.split())
    line = journal.line()
    goes_on = "" if line is None else f"; the same command goes on at line {line}"
    print(f"[X] {reason}{goes_on}", file=sys.stderr)
    return 1
