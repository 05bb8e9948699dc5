"""Turns as operations of a bulk, each only if nobody else was faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import orjson

from router.envelope import JsonObject
from storage.opensearch import places
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, refusal
from storage.opensearch.faults import RefusedError
from storage.opensearch.records import Place, Record, pack, pack_grave
from storage.opensearch.turn import Turn

Verdict: TypeAlias = Place | RefusedError
"""What came of an operation: where the document, or what is left of it, is now."""


async def store(client: Client, collection: Collection, turns: Sequence[Turn]) -> list[Verdict]:
    """Write what the turns leave; a verdict for each. A status of 409 says that the document is
    no longer what the turn was built on.

    A document that goes gets its tombstone first, which says what its last version was.

    Raises:
        UnreachableError, RefusedError: As a whole; some may have been carried out.
    """
    verdicts: dict[str, Verdict] = {}
    graves = [turn for turn in turns if turn.after.content is None]
    await _try(client, {turn.id: _bury(collection, turn) for turn in graves}, verdicts)
    good = [turn for turn in turns if not isinstance(verdicts.get(turn.id), RefusedError)]
    operations = {turn.id: _write(collection, turn) for turn in good}
    await _try(client, operations, verdicts)
    # The server can't read everything that a document may hold; it gets the parts that it can.
    odd = [turn for turn in good if turn.after.content is not None and _is_odd(verdicts[turn.id])]
    again = {turn.id: _write(collection, turn, is_odd=True) for turn in odd}
    await _try(client, again, verdicts)
    return [verdicts[turn.id] for turn in turns]


async def _try(client: Client, operations: dict[str, bytes], verdicts: dict[str, Verdict]) -> None:
    wanted = {key: each for key, each in operations.items() if each}
    answers = await client.bulk(list(wanted.values())) if wanted else []
    verdicts |= {key: _verdict(each) for key, each in zip(wanted, answers, strict=True)}


def _verdict(answer: JsonObject) -> Verdict:
    status = answer.get("status")
    seq_no, term = answer.get("_seq_no"), answer.get("_primary_term")
    if status in (200, 201) and isinstance(seq_no, int) and isinstance(term, int):
        return Place(seq_no, term)
    return refusal(status if isinstance(status, int) else 500, answer.get("error"))


def _is_odd(verdict: Verdict) -> bool:
    return isinstance(verdict, RefusedError) and verdict.status == 400


def _bury(collection: Collection, turn: Turn) -> bytes:
    head: JsonObject = {
        "_index": places.alias(collection.scope.graves),
        "_id": places.key(collection.uuid, turn.id),
    }
    return _line(head, turn.before.grave) + pack_grave(turn.id, collection.uuid, turn.after) + b"\n"


def empty_grave(collection: Collection, id: str, record: Record) -> bytes:
    """The operation that takes the rows out of a tombstone."""
    head: JsonObject = {
        "_index": places.alias(collection.scope.graves),
        "_id": places.key(collection.uuid, id),
    }
    return _line(head, record.grave) + pack_grave(id, collection.uuid, record, rows=()) + b"\n"


def _write(collection: Collection, turn: Turn, *, is_odd: bool = False) -> bytes:
    head: JsonObject = {"_index": collection.alias, "_id": turn.id}
    place = turn.before.place
    if turn.after.content is not None:
        return (
            _line(head, place)
            + pack(turn.id, turn.slimmed(), collection.mapping, is_odd=is_odd)
            + b"\n"
        )
    if place is None:
        return b""  # made and gone in one turn: its tombstone says it all
    return orjson.dumps({"delete": {**head, **_condition(place)}}) + b"\n"


def _line(head: JsonObject, place: Place | None) -> bytes:
    operation: JsonObject = (
        {"create": head} if place is None else {"index": {**head, **_condition(place)}}
    )
    return orjson.dumps(operation) + b"\n"


def _condition(place: Place) -> JsonObject:
    return {"if_seq_no": place.seq_no, "if_primary_term": place.primary_term}
