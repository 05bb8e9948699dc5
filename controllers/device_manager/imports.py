"""Many assets at once: CSV rows to writes, batch by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

import msgspec

from controllers.device_manager import rows
from controllers.device_manager.engines import ASSETS, Engines
from controllers.device_manager.rows import BadRow, Row
from controllers.device_manager.twins import asset_id, fresh
from controllers.writes import author
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from storage.contract import Author, Storage, Write


class _Outcome(msgspec.Struct):
    successes: list[Json]
    errors: list[Json]

    def refuse(self, line: int, error: RouterError | str, id: str | None = None) -> None:
        """Note a row that was not stored."""
        entry: JsonObject = {
            "line": line,
            "reason": str(error),
            "status": error.status if isinstance(error, RouterError) else 400,
        }
        if id is not None:
            entry["_id"] = id
        self.errors.append(entry)


class Imports(msgspec.Struct, frozen=True):
    """Turns CSV text into assets of an engine.

    Attributes:
        batch: Rows that are handed to the store at a time; other requests get between.
    """

    storage: Storage
    engines: Engines
    batch: int

    async def run(self, engine: str, request: Request) -> Json:
        """Store the rows of `body.csv`, each on its own.

        Returns:
            `{successes: [id], errors: [{line, reason, status, _id?}]}`.

        Raises:
            RouterError: `trivium.engine.unknown`, and `api.assert.*` for arguments and header.
        """
        text = request.body_name("csv")
        merge, refresh = request.flag("upsert"), request.refresh_lenient()
        group = await self.engines.group(engine)
        outcome = _Outcome([], [])
        found = rows.read(text, self.engines.metadata(engine))
        while batch := list(islice(found, self.batch)):
            pairs = list(self._writes(engine, group, batch, outcome, author(request), merge=merge))
            written = await self.storage.bulk([write for _, write in pairs])
            for (row, write), result in zip(pairs, written, strict=True):
                if isinstance(result, RouterError):
                    outcome.refuse(row.line, result, write.id)
                else:
                    outcome.successes.append(result.id)
            # Reading rows takes as long as storing them; let others have the loop.
            await asyncio.sleep(0)
        if refresh:
            await self.storage.refresh(engine, ASSETS)
        return {"successes": outcome.successes, "errors": outcome.errors}

    def _writes(
        self,
        engine: str,
        group: str,
        batch: list[Row | BadRow],
        outcome: _Outcome,
        signed: Author,
        *,
        merge: bool,
    ) -> Iterator[tuple[Row, Write]]:
        for row in batch:
            if isinstance(row, BadRow):
                outcome.refuse(row.line, row.reason)
                continue
            try:
                key = _id(row)
            except RouterError as error:
                outcome.refuse(row.line, error, row.id)
                continue
            asset = self._asset(row, group)
            yield (
                row,
                Write(
                    verb="upsert" if merge else "create",
                    index=engine,
                    collection=ASSETS,
                    id=key,
                    content=_given(row) if merge else asset,
                    default=asset if merge else None,
                    author=signed,
                ),
            )

    def _asset(self, row: Row, group: str) -> JsonObject:
        known = self.engines.models.asset(row.model, group)
        asset = fresh(row.model, row.reference, row.metadata, known=known)
        return asset if row.type is None else {**asset, "type": row.type}


def _id(row: Row) -> str:
    if row.id is None:
        return asset_id(row.type, row.model, row.reference)
    if row.id.startswith("_"):
        raise RouterError("api.assert.invalid_id")
    return row.id


def _given(row: Row) -> JsonObject:
    """What the row itself says; the rest of an existing asset stays."""
    given: JsonObject = {
        "model": row.model,
        "reference": row.reference,
        "metadata": row.metadata,
    }
    return given if row.type is None else {**given, "type": row.type}
