"""Many assets at once: rows go to `importAssets` in pieces, refusals come back by their line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.envelope import Json, JsonObject
from trivium.client.chunks import Chunk, Row, cut
from trivium.client.exchange import Client
from trivium.errors import AnsweredError

_CONTROLLER: Final = "device-manager/asset"

# One piece is read while another is written to the disk; more gains nothing.
_IN_FLIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is not in, and why. `line` is its last one in the file."""

    line: int
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of the rows of one import."""

    stored: int = 0
    refusals: list[Refusal] = field(default_factory=list)


async def import_assets(
    client: Client,
    index: str,
    header: Sequence[str],
    rows: Iterable[Row],
    *,
    upsert: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Send the rows piece by piece; what is refused in one stops no other.

    Args:
        upsert: Update assets that are there, instead of refusing their rows.
        on_progress: Called after each piece with the number of its rows.

    Raises:
        RouterError: A whole piece was refused (no such engine, a column that isn't known).
        ConnectionFailedError: The connection is lost; earlier pieces are in.
    """
    outcome = Imported()
    chunks = cut(header, rows)

    async def send_each() -> None:
        # The pieces come from one iterator: each is taken once, by whoever is free.
        for chunk in chunks:
            _note(outcome, chunk, await _send(client, index, chunk, upsert=upsert))
            on_progress(chunk.rows)

    senders = [asyncio.ensure_future(send_each()) for _ in range(_IN_FLIGHT)]
    try:
        await asyncio.gather(*senders)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    outcome.refusals.sort(key=lambda refusal: refusal.line)
    return outcome


async def _send(client: Client, index: str, chunk: Chunk, *, upsert: bool) -> Json:
    request: JsonObject = {
        "controller": _CONTROLLER,
        "action": "importAssets",
        "index": index,
        "body": {"csv": chunk.text},
    }
    answer = await client.query({**request, "upsert": True} if upsert else request)
    error = answer.get("error")
    if isinstance(error, dict):
        raise AnsweredError(error)
    return answer.get("result")


def _note(outcome: Imported, chunk: Chunk, result: Json) -> None:
    lists = result if isinstance(result, dict) else {}
    stored, errors = lists.get("successes"), lists.get("errors")
    outcome.stored += len(stored) if isinstance(stored, list) else 0
    for entry in errors if isinstance(errors, list) else []:
        if isinstance(entry, dict):
            line = entry.get("line")
            known = chunk.origin.get(line, line) if isinstance(line, int) else 0
            outcome.refusals.append(Refusal(known, str(entry.get("reason"))))
