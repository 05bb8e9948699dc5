"""Twin topics: the present state of an asset, for devices that subscribe to it.

Nothing is kept that could be out of date after a restart: what a subscriber gets first is read from
the store, what follows is told by it, and what is followed is compared with it now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import structlog

from realtime.deliveries import Deliveries
from realtime.rooms import Channel
from router.actions import Action
from router.connections import TWIN, TWINS
from router.envelope import Connection, JsonObject, Request, Response, User
from router.errors import RouterError
from router.ports import Authority
from storage.contract import Document, Storage, Write, Written

ASSETS: Final = "assets"
PIPES: Final = "notify:twin"

_GET: Final = ("device-manager/asset", "get")
_AGAIN_S: Final = 1.0
_UNKNOWN: Final = "services.storage.not_found"
_NOBODY: Final = Connection("", "internal")
_GONE: Final[JsonObject] = {"type": TWIN, "_source": None}

_log: Final = structlog.get_logger("trivium.twins")

Ask: TypeAlias = Callable[[Request], Awaitable[Response]]
Settled: TypeAlias = Callable[[Sequence[bool]], None]


class Asset(NamedTuple):
    """Which asset a topic is about."""

    engine: str
    id: str


def asset_of(topic: str) -> Asset | None:
    """The asset of `twins/<engine>/<id>`; None for another topic."""
    engine, _, key = topic.removeprefix(TWINS).partition("/")
    return Asset(engine, key) if topic.startswith(TWINS) and engine and key else None


class _Twin:
    """An asset that somebody follows.

    Attributes:
        state: What its followers were told last; None without an asset. Unset until it is known.
        incarnation: Of the collection that the state is from.
        followers: The users in whose name connections follow.
        awaited: Subscriptions that are being made.
    """

    __slots__ = ("awaited", "channel", "followers", "incarnation", "is_known", "state")

    def __init__(self, topic: str) -> None:
        self.channel = Channel(topic, "none", "all")
        self.followers: dict[str, User] = {}
        self.awaited = 0
        self.is_known = False
        self.state: JsonObject | None = None
        self.incarnation = ""

    def learn(self, document: Document | None) -> None:
        """The asset is this by now."""
        self.is_known = True
        self.state = None if document is None else _state(document)
        self.incarnation = "" if document is None else document.incarnation

    def knows(self, document: Document, *, is_gone: bool) -> bool:
        """Whether the asset was this, or lost this, by the time that what is known of it was so."""
        if self.state is None or document.incarnation != self.incarnation:
            return False
        known = self.state["_version"]
        assert isinstance(known, int)
        return document.version < known + (not is_gone)


class Twins:
    """Who follows which asset, and what they are told; a `router.ports.Twins`.

    Args:
        ask: Dispatches a request in the name of a connection.
        find: Finds the action that rights are about.
        check_s: Seconds between two comparisons of what is followed with the store: they find what
            went with its collection.
    """

    def __init__(
        self,
        storage: Storage,
        authority: Authority,
        deliveries: Deliveries,
        *,
        ask: Ask,
        find: Callable[[str, str], Action],
        check_s: float,
    ) -> None:
        self._storage = storage
        self._authority = authority
        self._deliveries = deliveries
        self._ask = ask
        self._find = find
        self._check_s = check_s
        self._twins: dict[Asset, _Twin] = {}
        self._followed: dict[str, set[Asset]] = {}
        self._hinted: set[Asset] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None
        self._is_review_due = False
        storage.listen(self.written, lambda: bool(self._twins))
        connections = deliveries.connections
        connections.on_closed(self.leave_all)
        connections.on_signed_out(self.leave_all)
        connections.on_parted(self._parted)

    def __len__(self) -> int:
        """How many assets are followed."""
        return len(self._twins)

    # -- for the wire -------------------------------------------------------------------

    def has(self, topic: str) -> bool:
        """Whether it is a twin's."""
        return asset_of(topic) is not None

    def follow(self, connection: Connection, topics: Mapping[str, bool], settled: Settled) -> None:
        """Tell a connection of these assets from now on, if it may read them.

        Args:
            topics: With whether it wants to know how the asset is by now.
            settled: Called with whether it may, for each topic, before anything is sent.
        """
        self._run(self._follow(connection, topics, settled))

    def leave(self, connection: str, topic: str) -> None:
        """Tell it of an asset no longer; does nothing if it doesn't follow that."""
        asset = asset_of(topic)
        if asset is not None:
            self._leave(connection, asset)

    # -- what happens -------------------------------------------------------------------

    def written(self, write: Write, written: Written) -> None:
        """A write is acknowledged; a `storage.contract.Listener`."""
        if write.collection != ASSETS or not self._twins:
            return
        asset = Asset(write.index, written.id)
        twin = self._twins.get(asset)
        if twin is None:
            return
        try:
            self._hear(asset, twin, write, written)
        except Exception as error:  # noqa: BLE001 - a boundary: the write is acknowledged all the same
            _log.error("a twin could not be told of", exc_info=error)

    def _hear(self, asset: Asset, twin: _Twin, write: Write, written: Written) -> None:
        if not written.incarnation:
            # Told from the feed, which may be behind what the store shows: look there.
            if asset not in self._hinted:
                self._hinted.add(asset)
                self._run(self._look(asset))
            return
        document = Document(
            id=written.id,
            version=written.version,
            source=written.source,
            incarnation=written.incarnation,
        )
        # The store may have shown it before it tells of it.
        is_gone = write.verb == "delete"
        if not twin.knows(document, is_gone=is_gone):
            self._tell(twin, None if is_gone else document)

    def leave_all(self, connection: str) -> None:
        """Tell a connection nothing any more."""
        for asset in list(self._followed.get(connection, ())):
            self._leave(connection, asset)

    def review(self) -> None:
        """Rights have changed: soon tell only those who may still read what they follow."""
        if not self._is_review_due and self._twins:
            self._is_review_due = True
            self._run(self._review_until_done())

    async def close(self) -> None:
        """Stop looking."""
        tasks = [*self._tasks, *([] if self._checking is None else [self._checking])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def check(self) -> None:
        """Compare everything that is followed with the store; tell what is different there."""
        by_engine: dict[str, list[Asset]] = {}
        for asset, twin in self._twins.items():
            if twin.is_known:
                by_engine.setdefault(asset.engine, []).append(asset)
        for engine, assets in by_engine.items():
            await self._compare(engine, assets)

    # -- inside -------------------------------------------------------------------------

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check_often())

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a boundary: nobody awaits the task
            _log.error("a twin could not be told of", exc_info=error)

    async def _check_often(self) -> None:
        while True:
            await asyncio.sleep(self._check_s)
            await self._guarded(self.check())

    async def _follow(
        self, connection: Connection, topics: Mapping[str, bool], settled: Settled
    ) -> None:
        begun = [await self._begun(connection, topic) for topic in topics]
        settled([twin is not None for twin in begun])
        for twin, is_wanted in zip(begun, topics.values(), strict=True):
            if twin is None or not is_wanted or connection.id not in twin.followers:
                continue
            if twin.state is not None:
                # As what is retained is sent to who subscribes.
                content = {**twin.state, "isRetained": True}
                self._deliveries.send_to(PIPES, twin.channel, connection.id, content)

    async def _begun(self, connection: Connection, topic: str) -> _Twin | None:
        try:
            return await self._begin(connection, topic)
        except RouterError as error:
            # Its token has ended, or the store is away.
            _log.info("a twin is not followed", topic=topic, reason=error.id)
            return None

    async def _begin(self, connection: Connection, topic: str) -> _Twin | None:
        asset = asset_of(topic)
        assert asset is not None
        twin = self._twins.setdefault(asset, _Twin(topic))
        twin.awaited += 1
        try:
            request = _request(asset, connection)
            response = await self._ask(request)
            is_there = response.error is None
            is_allowed = is_there or (response.error or {}).get("id") == _UNKNOWN
            if not is_allowed:
                return None
            # Both are read after the asset: what was written meanwhile has been heard here.
            user = await self._authority.identify(request)
            if not twin.is_known:
                [document] = await self._storage.mget(asset.engine, ASSETS, [asset.id])
                if not twin.is_known:
                    twin.learn(document)
            if connection.id not in self._deliveries.connections:
                return None
            twin.followers[connection.id] = user
            twin.channel.listeners[connection.id] = None
            self._followed.setdefault(connection.id, set()).add(asset)
            return twin
        finally:
            twin.awaited -= 1
            self._forget(asset, twin)

    def _tell(self, twin: _Twin, document: Document | None) -> None:
        twin.learn(document)
        self._deliveries.send(PIPES, [twin.channel], _GONE if twin.state is None else twin.state)

    async def _look(self, asset: Asset) -> None:
        # What is told from here on is not seen by this reading for sure.
        self._hinted.discard(asset)
        await self._compare(asset.engine, [asset])

    async def _compare(self, engine: str, assets: Sequence[Asset]) -> None:
        there = [asset for asset in assets if asset in self._twins]
        for asset, document in (await self._stored(engine, there)).items():
            twin = self._twins.get(asset)
            state = None if document is None else _state(document)
            if twin is not None and twin.state != state:
                self._tell(twin, document)

    async def _stored(
        self, engine: str, assets: Sequence[Asset]
    ) -> Mapping[Asset, Document | None]:
        if not self._storage.has_collection(engine, ASSETS):
            return dict.fromkeys(assets)
        told = {asset: self._twins[asset].state for asset in assets}
        documents = await self._storage.mget(engine, ASSETS, [asset.id for asset in assets])
        found = {}
        for asset, document in zip(assets, documents, strict=True):
            twin = self._twins.get(asset)
            # What was told meanwhile is newer than what was read.
            if twin is not None and twin.state is told[asset]:
                found[asset] = document
        return found

    def _leave(self, connection: str, asset: Asset) -> None:
        twin = self._twins.get(asset)
        if twin is None or twin.followers.pop(connection, None) is None:
            return
        twin.channel.listeners.pop(connection, None)
        followed = self._followed[connection]
        followed.discard(asset)
        if not followed:
            del self._followed[connection]
        self._forget(asset, twin)

    def _forget(self, asset: Asset, twin: _Twin) -> None:
        if not twin.followers and not twin.awaited:
            self._twins.pop(asset, None)

    def _parted(self, connection: str, user_id: str) -> Iterable[str]:
        ended = []
        for asset in list(self._followed.get(connection, ())):
            if self._twins[asset].followers[connection].id != user_id:
                ended.append(self._twins[asset].channel.name)
                self._leave(connection, asset)
        return ended

    async def _review_until_done(self) -> None:
        while self._is_review_due:
            try:
                await self._review()
            except Exception as error:  # noqa: BLE001 - a boundary: nobody awaits the task
                _log.error("who follows twins could not be reviewed", exc_info=error)
                # Who has lost a right must not keep it since the store was away for a moment.
                self._is_review_due = True
                await asyncio.sleep(_AGAIN_S)

    async def _review(self) -> None:
        self._is_review_due = False
        followers = [user for twin in self._twins.values() for user in twin.followers.values()]
        now = {name: await self._authority.assume(User(name)) for name in {u.id for u in followers}}
        action = self._find(*_GET)
        for asset, twin in list(self._twins.items()):
            for connection, user in list(twin.followers.items()):
                # Whoever has come meanwhile was asked when it came.
                caller = now.get(user.id)
                if caller and not self._authority.allows(caller, action, _request(asset, _NOBODY)):
                    self._leave(connection, asset)


def _request(asset: Asset, connection: Connection) -> Request:
    return Request(
        controller=_GET[0],
        action=_GET[1],
        connection=connection,
        args={"index": asset.engine, "_id": asset.id},
    )


def _state(document: Document) -> JsonObject:
    source = document.source
    return {"type": TWIN, "_id": document.id, "_version": document.version, "_source": source}
