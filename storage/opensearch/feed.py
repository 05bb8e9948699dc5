"""The changes feed: rows that documents carry, projected into an index of their own."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
import structlog

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Change
from storage.opensearch import keys, places
from storage.opensearch.catalog import Collection
from storage.opensearch.client import Client, object_at, objects, refusal
from storage.opensearch.faults import RefusedError, UnreachableError
from storage.opensearch.pruning import find_mark, mark_of
from storage.opensearch.records import SLIMMED, Record
from storage.stamps import STAMP

_log = structlog.get_logger("storage.opensearch")

_BATCH: Final = 2_000
"""Rows of one request."""

_REMEMBERED: Final = 200_000
"""Documents whose last row is known to be in the feed."""

_STAMP: Final = f'"{STAMP}"'.encode()

_PAUSE_S: Final = 0.2
"""Between two tries while the server is away."""

_NOT_TOLD: Final = frozenset({*SLIMMED.values(), "once"})
"""What a row says in its document alone."""

MAPPING: Final[JsonObject] = {
    "dynamic": "false",
    "properties": {
        "index": {"type": "keyword"},
        "collection": {"type": "keyword"},
        "id": {"type": "keyword", "ignore_above": 8_000},
        "version": {"type": "long"},
        "author": {"type": "keyword", "ignore_above": 8_000},
        "at": {"type": "date", "format": "epoch_millis"},
        "size": {"type": "long"},
        "changes": {"type": "object", "enabled": False},
        "undo": {"type": "object", "enabled": False},
        "whole": {"type": "object", "enabled": False},
        "notes": {"type": "object", "enabled": False},
    },
}


class Feed:
    """Writes rows in the background, in order, and reads them.

    A row is written once: its id is its document's and version's. What this router doesn't get
    to write stays in the document, and whoever writes that next projects it first.

    Attributes:
        on_settled: Called when rows have got into the feed.
        settled_ms: Up to this time every row is in the feed, or was and is too old by now.
    """

    def __init__(self, client: Client, scope: places.Scope) -> None:
        self._client = client
        self._scope = scope
        self._own = scope.changes
        self._queue: deque[tuple[str, bytes]] = deque()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self.on_settled: Callable[[], object] = bool
        self.id = ""
        self.newest_ms = 0
        self.settled_ms = 0

    async def open(self, replicas: str) -> None:
        """Make the index unless it is there; know its id. Raises: faults."""
        made: JsonObject = {**MAPPING, "_meta": {"feed": str(uuid.uuid4())}}
        await make(self._client, self._own, made, replicas)
        told = await self._client.request("GET", self._own, "_mapping")
        self.id = str(object_at(told, self._own, "mappings", "_meta").get("feed"))
        newest = await self._search({"size": 1, "sort": [{"_seq_no": "desc"}], "_source": ["at"]})
        for hit in newest:
            at = object_at(hit, "_source").get("at")
            self.newest_ms = at if isinstance(at, int) else 0

    async def close(self) -> None:
        """Write what waits, if the server is there."""
        self._is_closing = True
        if self._task is not None:
            await self._task

    # -- writing ------------------------------------------------------------------------------

    def add(
        self, collection: Collection, id: str, record: Record, *, is_new: bool = False
    ) -> list[asyncio.Future[None]]:
        """See to it that the rows of a record get into the feed.

        Args:
            is_new: It was written just now, so that nobody else has put them in, whatever the
                clocks of others say.

        Returns: What to wait for before the record may be overwritten; nothing if they are in.
        """
        awaited = []
        for row in record.rows:
            name = self.name_of(collection, id, row["version"])
            if name in self._done or (not is_new and self._is_settled(collection, record, row)):
                continue
            if name not in self._waiting:
                self._waiting[name] = asyncio.get_running_loop().create_future()
                memo = object_at(row, "once")
                if memo:  # before the row: once that is in, the document may be overwritten
                    self._queue.append(("", keys.line(collection.scope, memo)))
                self._queue.append((name, _line(name, collection, id, row, record.op)))
            awaited.append(self._waiting[name])
        if awaited and self._task is None:
            self._task = asyncio.create_task(self._write(), name="changes feed")
        return awaited

    def _is_settled(self, collection: Collection, record: Record, row: JsonObject) -> bool:
        at = row["at"]
        if not isinstance(at, int) or at > self.settled_ms:
            return False
        # By what it is found that a router left behind: a stamp, where others made the mapping.
        return not collection.is_foreign or record.content is None or _STAMP in record.content

    async def settled(self) -> None:
        """Return once every row added so far is in, or the feed is closed."""
        if self._waiting:
            await asyncio.wait(list(self._waiting.values()))

    @property
    def waiting(self) -> int:
        """How many rows are not in yet."""
        return len(self._waiting)

    async def has(self, collection: Collection, id: str, version: int, op: str) -> bool:
        """Whether the row of this version is in, and was this operation's. Raises: faults."""
        found = await self._find(collection, id, version)
        return object_at(found, "_source").get("op") == op

    async def number(self, collection: Collection, id: str, version: int) -> int:
        """The seq of the row of this version, 0 if it isn't in. Raises: faults."""
        seq_no = (await self._find(collection, id, version)).get("_seq_no")
        return seq_no + 1 if isinstance(seq_no, int) else 0

    @staticmethod
    def name_of(collection: Collection, id: str, version: Json) -> str:
        """What the row of a version of a document is called."""
        return places.key(collection.uuid, f"{id}@{version}")

    async def _find(self, collection: Collection, id: str, version: int) -> JsonObject:
        name = self.name_of(collection, id, version)
        try:
            return await self._client.request("GET", self._own, "_doc", name)
        except RefusedError as error:
            if error.status == 404:
                return {}
            raise

    async def _write(self) -> None:
        while self._queue:
            rows = [self._queue[place] for place in range(min(len(self._queue), _BATCH))]
            try:
                answers = await self._client.bulk([line for _, line in rows])
                _check(answers)
            except (UnreachableError, RefusedError) as fault:
                if self._is_closing:
                    _log.warning("rows of the changes feed left to be projected", fault=str(fault))
                    break
                await asyncio.sleep(_PAUSE_S)
                continue
            for _ in rows:
                self._queue.popleft()
            self._settle([name for name, _ in rows], answers)
            self.on_settled()
            await asyncio.sleep(0)
        self._task = None
        if self._is_closing:
            self._give_up()

    def _settle(self, names: list[str], answers: list[JsonObject]) -> None:
        for name, answer in zip(names, answers, strict=True):
            if answer.get("status") == 400:
                fault = refusal(400, answer.get("error"))
                _log.error("a row of the changes feed was refused", row=name, fault=str(fault))
            if name:
                self._waiting.pop(name).set_result(None)
                self._done[name] = None
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)

    def _give_up(self) -> None:
        for future in self._waiting.values():
            future.set_result(None)
        self._waiting.clear()
        self._queue.clear()

    async def load(self, rows: Sequence[Change]) -> None:
        """Put in rows of another store, those left out that are there. Raises: faults."""
        _check(await self._client.bulk([_loaded(self._scope, row) for row in rows]))

    # -- reading ------------------------------------------------------------------------------

    async def read(self, since: int, limit: int) -> list[Change]:
        """The rows after `since`. Raises: `trivium.feed.gone`, faults."""
        await self.settled()
        newest = await self._checkpoint()
        await self._client.request("POST", self._own, "_refresh")
        # A row's seq is its number in the index, counted from one.
        if since - 1 > newest:
            raise RouterError("trivium.feed.gone", since)
        rows = await self._rows(since, newest, limit)
        if since < mark_of(await find_mark(self._client, self._scope)):
            raise RouterError("trivium.feed.gone", since)
        return rows

    async def newest(self) -> int:
        """The seq below which no row can still come. Raises: faults."""
        await self.settled()
        return await self._checkpoint() + 1

    async def checkpoint(self) -> int:
        """As `newest`, of the rows that are in by now. Raises: faults."""
        return await self._checkpoint() + 1

    async def named_rows(self, since: int, upto: int, limit: int) -> list[tuple[str, Change]]:
        """The next rows after `since`, with their names. Raises: faults."""
        await self._client.request("POST", self._own, "_refresh")
        hits = await self._between(since, upto - 1, limit)
        return [(str(hit.get("_id")), _change(self.id, hit)) for hit in hits]

    async def rows(self, since: int, limit: int) -> list[Change]:
        """The rows after `since` that there are. Raises: faults."""
        await self.settled()
        await self._client.request("POST", self._own, "_refresh")
        return await self._rows(since, await self._checkpoint(), limit)

    async def older(self, change: Change, limit: int) -> list[Change]:
        """The rows of the same document before this one, newest first. Raises: faults."""
        below: JsonObject = {"range": {"_seq_no": {"lt": change.seq - 1}}}
        return await self._of(change, below, {"size": limit, "sort": [{"_seq_no": "desc"}]})

    async def from_there_on(self, change: Change, last: int) -> list[Change]:
        """The rows of the same document from this one up to a number. Raises: faults."""
        await self._client.request("POST", self._own, "_refresh")
        bounds: JsonObject = {"gte": change.seq - 1, "lt": last}
        numbers: JsonObject = {"range": {"_seq_no": bounds}}
        return await self._of(change, numbers, {"size": 10_000, "sort": [{"_seq_no": "asc"}]})

    async def _of(self, change: Change, which: JsonObject, asked: JsonObject) -> list[Change]:
        names = {"index": change.index, "collection": change.collection, "id": change.id}
        exact: list[Json] = [{"term": {field: value}} for field, value in names.items()]
        query: JsonObject = {"bool": {"filter": [*exact, which]}}
        hits = await self._search({**asked, "query": query, "seq_no_primary_term": True})
        return [_change(self.id, hit) for hit in hits]

    async def _rows(self, since: int, newest: int, limit: int) -> list[Change]:
        return [_change(self.id, hit) for hit in await self._between(since, newest, limit)]

    async def _between(self, since: int, newest: int, limit: int) -> list[JsonObject]:
        bounds: JsonObject = {"gte": max(0, since), "lte": newest}
        body: JsonObject = {
            "size": max(0, min(limit, 10_000)),
            "sort": [{"_seq_no": "asc"}],
            "query": {"range": {"_seq_no": bounds}},
            "seq_no_primary_term": True,
        }
        return await self._search(body)

    async def _checkpoint(self) -> int:
        """The last number below which no row can still come."""
        told = await self._client.request("GET", self._own, "_stats", params={"level": "shards"})
        shards = object_at(told, "indices", self._own, "shards").get("0")
        numbers = [object_at(shard, "seq_no").get("global_checkpoint") for shard in objects(shards)]
        return max((each for each in numbers if isinstance(each, int)), default=-1)

    async def _search(self, body: JsonObject) -> list[JsonObject]:
        found = await self._client.request("POST", self._own, "_search", body=body)
        return objects(object_at(found, "hits").get("hits"))


async def make(client: Client, name: str, mapping: JsonObject, replicas: str) -> None:
    """Make one of the router's own indexes of one shard, unless it is there. Raises: faults."""
    body: JsonObject = {
        "settings": {"number_of_shards": 1, "auto_expand_replicas": replicas, "hidden": True},
        "mappings": mapping,
        "aliases": {places.alias(name): {}},
    }
    try:
        await client.request("PUT", name, body=body)
    except RefusedError as error:
        if error.kind != "resource_already_exists_exception":
            raise


def _check(answers: list[JsonObject]) -> None:
    for answer in answers:
        status = answer.get("status")
        if status not in (201, 409, 400):  # 409: it is in already
            raise refusal(status if isinstance(status, int) else 500, answer.get("error"))


def _line(name: str, collection: Collection, id: str, row: JsonObject, op: str) -> bytes:
    index, own = collection.name
    kept = {key: value for key, value in row.items() if key not in _NOT_TOLD}
    body: JsonObject = {"index": index, "collection": own, "id": id, "op": op, **kept}
    return line_of(collection.scope, name, body)


def line_of(scope: places.Scope, name: str, row: JsonObject) -> bytes:
    """The operation that puts a row into the feed, if none of that name is there."""
    head = {"create": {"_index": places.alias(scope.changes), "_id": name}}
    body = orjson.dumps(row)
    return b'%b\n{"size":%d,%b\n' % (orjson.dumps(head), len(body), body[1:])


def _loaded(scope: places.Scope, row: Change) -> bytes:
    body: JsonObject = {
        "index": row.index,
        "collection": row.collection,
        "id": row.id,
        "op": "",
        "version": row.version,
        "action": row.action,
        "author": row.author,
        "requestId": row.request_id,
        "wire": row.wire,
        "at": row.at_ms,
        "changes": row.changes,
        "undo": row.undo,
        "whole": row.whole,
        "notes": row.notes,
    }
    return line_of(scope, places.key(row.feed, str(row.seq)), body)


def _change(feed: str, hit: JsonObject) -> Change:
    row: Any = object_at(hit, "_source")
    seq_no = hit.get("_seq_no")
    assert isinstance(seq_no, int)
    return Change(
        feed=feed,
        seq=seq_no + 1,
        index=row["index"],
        collection=row["collection"],
        id=row["id"],
        version=row["version"],
        action=row["action"],
        author=row["author"],
        request_id=row["requestId"],
        wire=row["wire"],
        at_ms=row["at"],
        changes=row["changes"],
        undo=row.get("undo"),
        whole=row.get("whole"),
        notes=row.get("notes"),
    )
