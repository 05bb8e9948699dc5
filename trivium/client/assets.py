"""Many assets at once: rows go to `importAssets` in pieces, refusals come back by their line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.envelope import Json, JsonObject
from trivium.client.chunks import Chunk, Row, cut
from trivium.client.exchange import Client
from trivium.errors import AnsweredError

_CONTROLLER: Final = "device-manager/asset"


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
    """Send the rows piece by piece; what one piece refuses stops no other.

    Args:
        upsert: Update assets that are there, instead of refusing their rows.
        on_progress: Called after each piece with the number of its rows.

    Raises:
        RouterError: A whole piece was refused (no such engine, a column that isn't known).
        ConnectionFailedError: The connection is lost; earlier pieces are in.
    """
    outcome = Imported()
    for chunk in cut(header, rows):
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
        _note(outcome, chunk, answer.get("result"))
        on_progress(chunk.rows)
    return outcome


def _note(outcome: Imported, chunk: Chunk, result: Json) -> None:
    lists = result if isinstance(result, dict) else {}
    stored, errors = lists.get("successes"), lists.get("errors")
    outcome.stored += len(stored) if isinstance(stored, list) else 0
    for entry in errors if isinstance(errors, list) else []:
        if isinstance(entry, dict):
            line = entry.get("line")
            known = chunk.origin.get(line, line) if isinstance(line, int) else 0
            outcome.refusals.append(Refusal(known, str(entry.get("reason"))))
