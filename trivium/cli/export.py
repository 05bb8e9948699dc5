"""`trivium export`: documents of a running router as JSON lines or CSV, however many they are."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console

from router.envelope import Json, JsonObject
from router.errors import RouterError
from trivium.cli.progress import counting
from trivium.cli.reach import Reach
from trivium.client import Client, ConnectionFailedError
from trivium.client.routes import NoRouteError
from trivium.errors import AnsweredError

_ERROR: Final = b'{"error":'
_LONGEST_ERROR: Final = 65_536


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported, and how; a query or fields that are None leave nothing out."""

    index: str
    collection: str
    format: str = "jsonl"
    query: Json = None
    lang: str | None = None
    fields: str | None = None


class Counter:
    """Counts the documents of a file as it goes by."""

    def __init__(self, format: str) -> None:
        self._is_csv = format == "csv"
        self._is_quoted = False
        # The first line is a header, or names the collection.
        self.documents = -1

    def see(self, piece: bytes) -> int:
        """How many documents end in this piece."""
        before = max(0, self.documents)
        if not self._is_csv:
            self.documents += piece.count(b"\n")
        else:
            for number, part in enumerate(piece.split(b'"')):
                self._is_quoted ^= number > 0
                if not self._is_quoted:
                    self.documents += part.count(b"\n")
        return max(0, self.documents) - before


def export(wanted: Selection, file: Path | None, router: Reach) -> int:
    """Write what is wanted to a new file, or to standard output; returns the exit code.

    A file gets its name when it is whole and on disk.
    """
    try:
        if file is None or str(file) == "-":
            count = asyncio.run(_export(wanted, _to_standard_output, router))
        else:
            count = _to_file(wanted, file, router)
    except BrokenPipeError:
        # Whoever read has seen enough; nothing may complain at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RouterError, ConnectionFailedError, NoRouteError, OSError) as error:
        print(f"[X] {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("[X] stopped", file=sys.stderr)
        return 1
    what = f"{wanted.index}/{wanted.collection}"
    where = "" if file is None or str(file) == "-" else f" are in {file}"
    print(f"{count} documents of {what}{where}", file=sys.stderr)
    return 0


def _to_file(wanted: Selection, file: Path, router: Reach) -> int:
    if file.exists():
        raise FileExistsError(f"{file} exists; name another file")
    draft = file.with_name(f"{file.name}.part")
    try:
        with draft.open("wb") as out:
            count = asyncio.run(_export(wanted, out.write, router))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return count


def _to_standard_output(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


async def _export(wanted: Selection, write: Callable[[bytes], object], router: Reach) -> int:
    body: JsonObject = {} if wanted.query is None else {"query": wanted.query}
    place: JsonObject = {"index": wanted.index, "collection": wanted.collection}
    if wanted.lang is not None:
        place["lang"] = wanted.lang
    request: JsonObject = {"controller": "document", "action": "export", **place}
    request |= {"format": wanted.format, "body": {**body, **_columns(wanted.fields)}}
    counter, tail = Counter(wanted.format), b""
    async with router.client() as client:
        total = await _total(client, {**place, "body": body})
        label = f"{wanted.index}/{wanted.collection}"
        with counting(Console(stderr=True), label, total) as moved:
            async with aclosing(client.stream(request)) as pieces:
                async for piece in pieces:
                    write(piece)
                    moved(counter.see(piece))
                    tail = (tail + piece)[-_LONGEST_ERROR:]
    _raise_what_ended_it(tail)
    return counter.documents


def _columns(fields: str | None) -> JsonObject:
    if fields is None:
        return {}
    return {"fields": [each.strip() for each in fields.split(",") if each.strip()]}


async def _total(client: Client, place: JsonObject) -> int | None:
    answer = await client.query({"controller": "document", "action": "count", **place})
    result = answer.get("result")
    count = result.get("count") if isinstance(result, dict) else None
    return count if isinstance(count, int) else None


def _raise_what_ended_it(tail: bytes) -> None:
    """An error after the first bytes comes as the last line; no document begins so."""
    last = tail.removesuffix(b"\n").rpartition(b"\n")[2]
    if not last.startswith(_ERROR):
        return
    error = orjson.loads(last)["error"]
    raise AnsweredError(error if isinstance(error, dict) else {"message": str(error)})
