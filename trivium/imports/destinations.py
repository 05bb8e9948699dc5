"""Where records go: documents of a collection, or assets of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from router.envelope import Json, JsonObject
from trivium.client.chunks import Row, cut
from trivium.client.exchange import Client
from trivium.errors import AnsweredError
from trivium.imports.source import Cells, Entry, Record

_TOO_MUCH: Final = 413
_BLAMES_CONTENT: Final = frozenset({400, _TOO_MUCH})


class Refusal(NamedTuple):
    """A record that is not in: the line where it begins, and why."""

    line: int
    reason: str


class Destination(Protocol):
    """Takes records in, each on its own."""

    async def send(self, records: Sequence[Record], *, in_doubt: bool) -> list[Refusal]:
        """Store them; those that aren't refused are in when this returns.

        Args:
            in_doubt: They were sent before, and nobody knows what became of them.

        Raises:
            RouterError: Something that is no record's fault; any of them may be in.
            ConnectionFailedError: The connection is lost; any of them may be in.
        """


@dataclass(frozen=True, slots=True)
class Documents:
    """Creates or replaces documents of a collection, their stamps as they come.

    Attributes:
        key: Names those that have no id, with their line.
    """

    client: Client
    index: str
    collection: str
    key: str

    async def send(self, records: Sequence[Record], *, in_doubt: bool) -> list[Refusal]:
        """Write them; of those in doubt, only the ones that aren't there as they are."""
        documents = {each.start.line: self._named(each) for each in records}
        if in_doubt:
            # Of an id that comes twice, the last one is what there must be.
            last = {str(each["_id"]): each["body"] for each in documents.values()}
            there = await self._there([*last])
            documents = {
                line: each
                for line, each in documents.items()
                if there.get(str(each["_id"])) != last[str(each["_id"])]
            }
        return await self._write(documents) if documents else []

    def _named(self, record: Record) -> JsonObject:
        document = record.document if isinstance(record, Entry) else {}
        return {"_id": document.get("_id") or f"{self.key}-{record.start.line}", **_body(document)}

    async def _there(self, ids: list[str]) -> dict[str, Json]:
        result = await self._ask("document", "mGet", {"ids": [*ids]})
        return {str(each["_id"]): each.get("_source") for each in _objects(result, "successes")}

    async def _write(self, documents: dict[int, JsonObject]) -> list[Refusal]:
        try:
            result = await self._ask("bulk", "mWrite", {"documents": [*documents.values()]})
        except AnsweredError as error:
            if error.status not in _BLAMES_CONTENT:
                raise
            return await self._apart(documents, error)
        lines = {str(each["_id"]): line for line, each in reversed(documents.items())}
        refusals = []
        for each in _objects(result, "errors"):
            _raise_if_not_its_fault(each)
            sent = each.get("document")
            key = str(sent.get("_id")) if isinstance(sent, dict) else ""
            refusals.append(Refusal(lines.get(key, 0), str(each.get("reason"))))
        return refusals

    async def _apart(self, documents: dict[int, JsonObject], error: AnsweredError) -> list[Refusal]:
        """One of them has a fault for which the router refuses all; the others go in."""
        lines = [*documents]
        if len(lines) == 1:
            return [Refusal(lines[0], error.message)]
        half = len(lines) // 2
        return [
            refusal
            for part in (lines[:half], lines[half:])
            for refusal in await self._write({line: documents[line] for line in part})
        ]

    async def _ask(self, controller: str, action: str, body: JsonObject) -> Json:
        place: JsonObject = {"index": self.index, "collection": self.collection}
        return await answer(self.client, controller, action, {**place, "body": body})


@dataclass(frozen=True, slots=True)
class Assets:
    """Creates assets of an engine from rows of a table; those that exist are refused.

    Attributes:
        model: Of every row, where no column says it.
    """

    client: Client
    engine: str
    header: list[str]
    model: str | None

    async def send(self, records: Sequence[Record], *, in_doubt: bool) -> list[Refusal]:
        """Create them; those in doubt that exist are taken for what was sent before."""
        found = [each for each in records if isinstance(each, Cells)]
        lines = {each.end.line: each.start.line for each in found}
        result = await self._import(found)
        errors = [(_line(each), each) for each in _objects(result, "errors")]
        there = await self._there([each for _, each in errors]) if in_doubt else set()
        refusals = []
        for line, each in errors:
            _raise_if_not_its_fault(each)
            if each.get("_id") not in there:
                refusals.append(Refusal(lines.get(line, line), str(each.get("reason"))))
        return refusals

    async def _import(self, records: list[Cells]) -> Json:
        before = [] if self.model is None else [self.model]
        head = self.header if self.model is None else ["model", *self.header]
        rows = [Row(each.end.line, [*before, *each.cells]) for each in records]
        errors: list[Json] = []
        for chunk in cut(head, rows):
            body: JsonObject = {"csv": chunk.text}
            request: JsonObject = {"index": self.engine, "body": body}
            result = await answer(self.client, "device-manager/asset", "importAssets", request)
            errors += [
                {**each, "line": chunk.origin.get(_line(each), 0)}
                for each in _objects(result, "errors")
            ]
        return {"errors": errors}

    async def _there(self, errors: list[JsonObject]) -> set[Json]:
        ids = [each["_id"] for each in errors if "_id" in each]
        if not ids:
            return set()
        place: JsonObject = {"index": self.engine, "collection": "assets", "body": {"ids": ids}}
        result = await answer(self.client, "document", "mGet", place)
        return {each["_id"] for each in _objects(result, "successes")}


async def answer(client: Client, controller: str, action: str, more: JsonObject) -> Json:
    """The result of an action. Raises: AnsweredError, ConnectionFailedError."""
    told = await client.query({"controller": controller, "action": action, **more})
    error = told.get("error")
    if isinstance(error, dict):
        raise AnsweredError(error)
    return told.get("result")


def _body(document: JsonObject) -> JsonObject:
    return {"body": document.get("body", {})}


def _line(error: JsonObject) -> int:
    line = error.get("line")
    return line if isinstance(line, int) else 0


def _objects(result: Json, name: str) -> list[JsonObject]:
    listed = result.get(name) if isinstance(result, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _raise_if_not_its_fault(error: JsonObject) -> None:
    """A full disk or a store that is away says nothing about the record."""
    status = error.get("status")
    if isinstance(status, int) and (status >= 500 or status == 429):
        raise AnsweredError({"message": str(error.get("reason")), "status": status})
