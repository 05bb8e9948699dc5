"""API keys: tokens that somebody keeps, known to the store by their fingerprint only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from access import signing
from access.keyring import KeySource
from access.lifetimes import INFINITE
from access.places import API_KEYS, INDEX, MAPPINGS
from access.sessions import REVOKED, Session, Sessions, invalid
from access.signing import BadTokenError, Claims
from access.tokens import system_ms
from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Author, Change, Document, Page, Storage, Verb, Write
from storage.query import Bool, Query, Search, Terms

PREFIX: Final = "kapikey-"

SESSION: Final = "api-key:"
"""Begins the session ids of API keys, which otherwise might be those of tokens."""

_PAGE: Final = 500


class Order(NamedTuple):
    """What whoever wants a key asks for."""

    description: str
    id: str | None = None
    author: Author = Author()
    refresh: bool = False


class ApiKey(NamedTuple):
    """An API key that was just made: its text is shown this once."""

    id: str
    text: str
    source: JsonObject


class ApiKeys:
    """The API keys of all users.

    The store has no more than the SHA-256 of a key, so that whoever reads it can't use it. That
    is also all that a key is checked by: it outlives the rotation of the signing keys, and keys
    that Kuzzle made go on working.

    Args:
        storage: The private store, open.
        clock: ms since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        keys: KeySource,
        sessions: Sessions,
        clock: Callable[[], float] = system_ms,
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._sessions = sessions
        self._clock = clock

    async def prepare(self) -> None:
        """Make ready; call once the store is open."""
        await self._storage.create_collection(INDEX, API_KEYS, MAPPINGS[API_KEYS])

    async def create(self, kuid: str, lifetime_ms: float, order: Order) -> ApiKey:
        """A new key that speaks for the user.

        Raises:
            RouterError: `services.storage.document_already_exists` for the id of another key.
        """
        key_id = order.id or secrets.token_hex(16)
        key = (await self._keys.load()).newest
        now = self._clock()
        ends = -1 if lifetime_ms == INFINITE else int(now + lifetime_ms)
        claims = Claims(
            id=kuid,
            issued_at=int(now // 1_000),
            token_id=key_id,
            expires_at=None if ends == -1 else -(-ends // 1_000),
        )
        text = PREFIX + signing.sign(claims, key)
        content: JsonObject = {
            "userId": kuid,
            "description": order.description,
            "expiresAt": ends,
            "ttl": -1 if ends == -1 else int(lifetime_ms),
            "fingerprint": fingerprint(text),
        }
        written = await self._storage.write(
            msgspec.structs.replace(
                _write("create", key_id, content), author=order.author, refresh=order.refresh
            )
        )
        return ApiKey(key_id, text, {**written.source, "token": text})

    async def verify(self, text: str) -> Session:
        """The session of an API key.

        Raises:
            RouterError: `security.token.invalid`; that of the store, if it can't be asked.
        """
        session = self._sessions.of_text(text)
        # The id of a key that was deleted may by now be that of this one.
        if session is None or session.is_revoked:
            session = await self._load(text)
            self._sessions.remember(text, session)
        session.check(self._clock())
        return session

    async def search(self, kuid: str, search: Search) -> Page:
        """The keys of a user that the search finds; each without its fingerprint's origin."""
        query: Query = Bool(must=(Terms("userId", (kuid,)), search.query))
        found = msgspec.structs.replace(search, query=query)
        return await self._storage.search([(INDEX, API_KEYS)], found)

    async def delete(self, kuid: str, id: str, *, refresh: bool = False) -> None:
        """Delete a key of this user; it is refused from now on.

        Raises:
            RouterError: `services.storage.not_found`, also for the key of another user.
        """
        document = await self._storage.get(INDEX, API_KEYS, id)
        if document.source.get("userId") != kuid:
            raise RouterError("services.storage.not_found", id, INDEX, API_KEYS)
        await self._storage.write(msgspec.structs.replace(_write("delete", id), refresh=refresh))
        self._sessions.revoke([SESSION + id])

    async def delete_all(self, kuid: str) -> None:
        """Delete every key of a user."""
        search = Search(query=Terms("userId", (kuid,)), size=_PAGE, source_includes=())
        while True:
            await self._storage.refresh(INDEX, API_KEYS)
            page = await self._storage.search([(INDEX, API_KEYS)], search)
            if not page.hits:
                return
            ids = [hit.id for hit in page.hits]
            for outcome in await self._storage.bulk([_write("delete", one) for one in ids]):
                if isinstance(outcome, RouterError) and outcome.id != "services.storage.not_found":
                    raise outcome
            self._sessions.revoke([SESSION + one for one in ids])

    def hear(self, changes: Sequence[Change]) -> None:
        """Take in what other routers wrote into the collection of API keys."""
        self._sessions.revoke(
            [SESSION + change.id for change in changes if change.action == "delete"]
        )

    async def recheck(self) -> None:
        """End the keys in use that the store has no longer; for when changes were missed."""
        self._sessions.forget_texts()
        ids = [each.id.removeprefix(SESSION) for each in self._sessions.of_kind("api key")]
        for start in range(0, len(ids), _PAGE):
            part = ids[start : start + _PAGE]
            found = await self._storage.mget(INDEX, API_KEYS, part)
            gone = [one for one, document in zip(part, found, strict=True) if document is None]
            self._sessions.revoke([SESSION + one for one in gone])

    # -- inside -------------------------------------------------------------------------

    async def _load(self, text: str) -> Session:
        try:
            claims = signing.read(text.removeprefix(PREFIX))
        except BadTokenError:
            raise RouterError("security.token.invalid") from None
        mark = fingerprint(text)
        # The id of its document is in every key that we made; Kuzzle's have none.
        key_id = claims.token_id or await self._find(mark)
        with self._sessions.watch(SESSION + key_id) as watch:
            [document] = await self._storage.mget(INDEX, API_KEYS, [key_id])
        if document is None or not _is(document.source, mark) or watch.is_revoked:
            raise invalid(REVOKED)
        return self._sessions.add(_session_of(document))

    async def _find(self, mark: str) -> str:
        search = Search(query=Terms("fingerprint", (mark,)), size=1)
        page = await self._storage.search([(INDEX, API_KEYS)], search)
        if not page.hits:
            raise invalid(REVOKED)
        return page.hits[0].id


def fingerprint(text: str) -> str:
    """What the store knows of a key."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _is(source: JsonObject, mark: str) -> bool:
    stored = source.get("fingerprint")
    return isinstance(stored, str) and hmac.compare_digest(stored.encode(), mark.encode())


def _session_of(document: Document) -> Session:
    stored = document.source
    ends = stored.get("expiresAt")
    if not isinstance(ends, int):
        ends = 0
    return Session(
        id=SESSION + document.id,
        kuid=str(stored.get("userId")),
        kind="api key",
        expires_at_ms=INFINITE if ends == -1 else float(ends),
    )


def _write(verb: Verb, id: str, content: JsonObject | None = None) -> Write:
    return Write(verb=verb, index=INDEX, collection=API_KEYS, id=id, content=content or {})
