"""Who is known and what they may do: users, profiles and roles, kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec
import structlog

from access import profiles, roles, standard
from access.first_admin import is_taken
from access.places import CONFIG, INDEX, KINDS, MAPPINGS, PROFILES, ROLES, USERS, Kind
from access.profiles import Profile
from access.rights import Grant, Rights
from access.roles import Role
from access.watched import Watched
from router.envelope import ANONYMOUS, Json, JsonObject
from router.errors import RouterError
from storage.contract import Change, Document, Storage, Write
from storage.query import Search, Sort, Terms

_log: Final = structlog.get_logger("trivium.access")

_PAGE: Final = 500
_ACCOUNTS: Final = 10_000
"""Users that are remembered; each takes about 1 KB."""

_NOBODY: Final[JsonObject] = {"profileIds": list(ANONYMOUS.profile_ids), "name": "Anonymous"}


class Account(NamedTuple):
    """A user as requests need it.

    Attributes:
        rate_limit: Requests a second that the user may make; 0 for any number.
        message_rate_limit: Messages a second that it may publish to other clients; likewise.
    """

    id: str
    profile_ids: tuple[str, ...]
    content: JsonObject
    rights: Rights
    rate_limit: int
    message_rate_limit: int = 0


class Directory:
    """Roles and profiles, all of them, and the users that were asked for lately.

    Whoever writes to the private store tells it (`learn`, `forget`), so that a change counts from
    the next request; of what other routers wrote it hears by the feed (`hear`). Everybody who
    writes, or takes in what was written, holds the lock, so that nothing older comes after.

    Args:
        private: The private store.
    """

    def __init__(self, private: Storage) -> None:
        self.roles: dict[str, Role] = {}
        self.profiles: dict[str, Profile] = {}
        self.lock = asyncio.Lock()
        self._private = private
        self._admins: set[str] = set()
        self._rights: dict[tuple[str, ...], Rights] = {}
        self._accounts: OrderedDict[str, Account | None] = OrderedDict()
        self._watched: WeakValueDictionary[str, Watched[Account | None]] = WeakValueDictionary()
        self._changed = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def has_admin(self) -> bool:
        """Whether anybody holds the profile `admin`."""
        return bool(self._admins)

    async def admin_exists(self) -> bool:
        """The same, after a look at what other routers wrote unless there is one."""
        return self.has_admin or await is_taken(self._private)

    async def prepare(self) -> None:
        """Make the collections and, in a store without roles, the first documents; then read.

        Call once the private store is open, before anything else.
        """
        for kind in KINDS:
            # One that Kuzzle made keeps its own mapping.
            if not self._private.has_collection(INDEX, kind):
                await self._private.create_collection(INDEX, kind, MAPPINGS[kind])
        if not self._private.has_collection(INDEX, CONFIG):
            await self._private.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
        if await self._private.count([(INDEX, ROLES)], Search()) == 0:
            await self._fill()
        await self._read()

    def known(self, id: str) -> Account | None:
        """The user of that id, if it is remembered; if not, `account` has to be asked."""
        return self._accounts.get(id)

    async def account(self, id: str) -> Account | None:
        """The user of that id; None if there is none. The anonymous one is always there."""
        if id in self._accounts:
            self._accounts.move_to_end(id)
            return self._accounts[id]
        changed = self._changed
        [document] = await self._private.mget(INDEX, USERS, [id])
        account = self._account(id, document)
        if changed == self._changed:
            self._remember(id, account)
        return account

    async def watch(self, id: str) -> Watched[Account | None]:
        """The user of that id, to be asked for without waiting as long as this is held."""
        found = self._watched.get(id)
        if found is not None:
            return found
        async with self.lock:
            # Nobody writes meanwhile, so that no change is missed.
            [document] = await self._private.mget(INDEX, USERS, [id])
            found = self._watched.get(id)
            if found is None:
                found = Watched(document, lambda document: self._account(id, document))
                self._watched[id] = found
        return found

    def rights(self, profile_ids: Sequence[str]) -> Rights:
        """What the holder of these profiles may do. Those that don't exist give nothing."""
        key = tuple(sorted(set(profile_ids)))
        if key not in self._rights:
            found = [self.profiles[each] for each in key if each in self.profiles]
            grants = [grant for profile in found for grant in self._grants(profile)]
            self._rights[key] = Rights(grants)
        return self._rights[key]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call the listener when rights may have changed; it must not wait for anything."""
        self._listeners.append(listener)

    # -- what changes -------------------------------------------------------------------------

    def learn(self, kind: Kind, document: Document) -> None:
        """Take in a user, profile or role that was just written."""
        self._change(kind, document.id)
        if kind == USERS:
            self._look(document.id, document)
            if standard.ADMIN in profile_ids_of(document.source):
                self._admins.add(document.id)
        else:
            self._take(kind, document)

    def forget(self, kind: Kind, id: str) -> None:
        """Take in that a user, profile or role was just deleted."""
        self._change(kind, id)
        self._drop(kind, id)
        if kind == USERS:
            self._look(id, None)

    async def hear(self, changes: Sequence[Change]) -> None:
        """Take in what other routers wrote; what they changed is read anew.

        Raises:
            RouterError: That of the store; hear the same again then.
        """
        for kind in KINDS:
            place = (INDEX, kind)
            ids = {each.id: None for each in changes if (each.index, each.collection) == place}
            if ids:
                async with self.lock:
                    await self._hear_of(kind, [*ids])

    async def refresh(self) -> None:
        """Read everything anew. Raises: that of the store."""
        async with self.lock:
            await self._read()
            self._tell()

    def _change(self, kind: Kind, id: str) -> None:
        self._changed += 1
        self._tell()
        if kind == USERS:
            self._accounts.pop(id, None)
            self._admins.discard(id)
        else:
            self._forget_rights()

    def _forget_rights(self) -> None:
        self._rights.clear()
        self._accounts.clear()
        for watched in self._watched.values():
            watched.forget()

    def _look(self, id: str, document: Document | None) -> None:
        if id in self._watched:
            self._watched[id].learn(document)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _drop(self, kind: Kind, id: str) -> None:
        if kind == PROFILES:
            self.profiles.pop(id, None)
        elif kind == ROLES:
            self.roles.pop(id, None)

    async def _hear_of(self, kind: Kind, ids: Sequence[str]) -> None:
        found = await self._private.mget(INDEX, kind, ids)
        for one, document in zip(ids, found, strict=True):
            if document is None:
                self.forget(kind, one)
            else:
                self.learn(kind, document)

    # -- reading ------------------------------------------------------------------------------

    async def _fill(self) -> None:
        for kind, documents in standard.first_documents().items():
            writes = [
                Write(verb="create", index=INDEX, collection=kind, id=name, content=content)
                for name, content in documents.items()
            ]
            for outcome in await self._private.bulk(writes):
                # Another router may start at the same time.
                is_there = "services.storage.document_already_exists"
                if isinstance(outcome, RouterError) and outcome.id != is_there:
                    raise outcome
            await self._private.refresh(INDEX, kind)

    async def _read(self) -> None:
        found = {kind: await self._all(kind) for kind in (ROLES, PROFILES)}
        admins = await self._all(USERS, Search(query=Terms("profileIds", (standard.ADMIN,))))
        watched = [*self._watched]
        users = await self._private.mget(INDEX, USERS, watched)
        self._changed += 1
        self.roles.clear()
        self.profiles.clear()
        self._forget_rights()
        for name, user in zip(watched, users, strict=True):
            self._look(name, user)
        for kind, documents in found.items():
            for document in documents:
                self._take(kind, document)
        self._admins = {document.id for document in admins}

    async def _all(self, kind: Kind, search: Search | None = None) -> list[Document]:
        await self._private.refresh(INDEX, kind)
        return await every(self._private, (INDEX, kind), search or Search())

    def _take(self, kind: Kind, document: Document) -> None:
        self._drop(kind, document.id)
        try:
            if kind == ROLES:
                self.roles[document.id] = roles.read(document.id, document.source)
            else:
                self.profiles[document.id] = profiles.read(document.id, document.source)
        except RouterError as error:
            # Another program may have made it; it gives nobody any right.
            _log.warning("left out", kind=kind, id=document.id, reason=error.message)

    def _account(self, id: str, document: Document | None) -> Account | None:
        if document is None and id != ANONYMOUS.id:
            return None
        content = _NOBODY if document is None else document.source
        ids = profile_ids_of(content)
        found = [self.profiles[each] for each in ids if each in self.profiles]
        requests = _most([each.rate_limit for each in found])
        messages = _most([each.message_rate_limit for each in found])
        return Account(id, ids, content, self.rights(ids), requests, messages)

    def _grants(self, profile: Profile) -> list[Grant]:
        return [
            Grant(self.roles[policy.role_id], policy.restriction)
            for policy in profile.policies
            if policy.role_id in self.roles
        ]

    def _remember(self, id: str, account: Account | None) -> None:
        self._accounts[id] = account
        if len(self._accounts) > _ACCOUNTS:
            self._accounts.popitem(last=False)


def profile_ids_of(content: Mapping[str, Json]) -> tuple[str, ...]:
    """The profiles that a user's document names."""
    ids = content.get("profileIds")
    return tuple(each for each in ids if isinstance(each, str)) if isinstance(ids, list) else ()


async def every(storage: Storage, place: tuple[str, str], search: Search) -> list[Document]:
    """Every document that a search finds. Their versions aren't told: they are 0."""
    documents: list[Document] = []
    search = msgspec.structs.replace(search, size=_PAGE, sort=(Sort("_id"),))
    while True:
        part = msgspec.structs.replace(search, offset=len(documents))
        hits = (await storage.search([place], part)).hits
        documents += [Document(id=hit.id, version=0, source=hit.source) for hit in hits]
        if len(hits) < _PAGE:
            return documents


def _most(limits: list[int]) -> int:
    return 0 if 0 in limits else max(limits, default=0)
