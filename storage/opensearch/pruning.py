"""Rows of the changes feed that are too old or too many are taken out here, oldest first."""

from __future__ import annotations

from typing import Final

import orjson

from router.envelope import JsonObject
from router.settings import OpenSearchSettings
from storage.opensearch import places
from storage.opensearch.client import Client, object_at, objects, refusal
from storage.opensearch.faults import RefusedError

_PAGE: Final = 1_000
"""Rows that are taken out at a time."""

_MARK: Final = "pruned"
"""The document beside the tombstones that says up to which number rows were taken out."""


class Pruning:
    """Keeps the feed of one store within its bounds, whichever of its routers does it.

    The settings say how many bytes of rows stay, and up to which age. The newest one always does.
    """

    def __init__(self, client: Client, scope: places.Scope, settings: OpenSearchSettings) -> None:
        self._client = client
        self._scope = scope
        self._max_bytes = settings.feed_mb * 1_048_576
        self._max_age_ms = int(settings.feed_days * 86_400_000)

    async def run(self, now_ms: int, settled_ms: int) -> None:
        """Take out what is due. Raises: faults.

        Args:
            settled_ms: Only rows up to this time are taken out: every router knows of them that
                they have been in the feed, and won't put them in again.
        """
        await self._client.request("POST", self._scope.changes, "_refresh")
        excess = await self._bytes() - self._max_bytes
        above = -1
        while True:
            page, is_last = await self._oldest(above)
            gone: list[JsonObject] = []
            for row in page:
                at, size = _number(row, "at"), _number(row, "size")
                is_due = at < now_ms - self._max_age_ms or excess > 0
                if not is_due or at > settled_ms:
                    is_last = True
                    break
                gone.append(row)
                excess -= size
            if gone:
                above = _seq_no(gone[-1])
                await self._remove(gone)
            if is_last:
                return

    async def _bytes(self) -> int:
        body: JsonObject = {"size": 0, "aggs": {"all": {"sum": {"field": "size"}}}}
        told = await self._client.request("POST", self._scope.changes, "_search", body=body)
        total = object_at(told, "aggregations", "all").get("value")
        return int(total) if isinstance(total, (int, float)) else 0

    async def _oldest(self, above: int) -> tuple[list[JsonObject], bool]:
        """The next rows but for the newest one of all, and whether there are no more."""
        body: JsonObject = {
            "size": _PAGE + 1,
            "sort": [{"_seq_no": "asc"}],
            "query": {"range": {"_seq_no": {"gt": above}}},
            "seq_no_primary_term": True,
            "_source": False,
            "docvalue_fields": [{"field": "at", "format": "epoch_millis"}, "size"],
        }
        told = await self._client.request("POST", self._scope.changes, "_search", body=body)
        rows = objects(object_at(told, "hits").get("hits"))
        return rows[:-1], len(rows) <= _PAGE

    async def _remove(self, rows: list[JsonObject]) -> None:
        # The mark first: who reads looks at the rows first, and then for the mark.
        await self._mark(_seq_no(rows[-1]) + 1)
        head = {"_index": places.alias(self._scope.changes)}
        lines = [orjson.dumps({"delete": {**head, "_id": row["_id"]}}) + b"\n" for row in rows]
        for answer in await self._client.bulk(lines):
            status = answer.get("status")
            if status not in (200, 404):  # 404: another router takes them out, too
                raise refusal(status if isinstance(status, int) else 500, answer.get("error"))

    async def _mark(self, seq: int) -> None:
        found = await find_mark(self._client, self._scope)
        if mark_of(found) >= seq:
            return
        params: dict[str, str] = {"op_type": "create"}
        if found:
            params = {
                "if_seq_no": str(found.get("_seq_no")),
                "if_primary_term": str(found.get("_primary_term")),
            }
        body: JsonObject = {"pruned": seq}
        # 409: another router prunes as well; this one goes on another time.
        await self._client.request(
            "PUT", self._scope.graves, "_doc", _MARK, body=body, params=params
        )


async def find_mark(client: Client, scope: places.Scope) -> JsonObject:
    """What the server has of the mark; empty if nothing was ever taken out. Raises: faults."""
    try:
        return await client.request("GET", scope.graves, "_doc", _MARK)
    except RefusedError as error:
        if error.status == 404:
            return {}
        raise


def mark_of(found: JsonObject) -> int:
    """The number of the last row that was taken out, 0 if none was."""
    mark = object_at(found, "_source").get("pruned")
    return mark if isinstance(mark, int) else 0


def _seq_no(row: JsonObject) -> int:
    number = row.get("_seq_no")
    assert isinstance(number, int)
    return number


def _number(row: JsonObject, field: str) -> int:
    values = object_at(row, "fields").get(field)
    (value,) = values if isinstance(values, list) and values else (0,)
    return int(value) if isinstance(value, (int, str)) else 0
