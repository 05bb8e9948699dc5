"""Tokens of logins: given out, verified, renewed and revoked; each one's session is stored."""

from __future__ import annotations

import hashlib
import itertools
import math
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from access import signing
from access.keyring import KeySource
from access.lifetimes import INFINITE
from access.places import INDEX, MAPPINGS, TOKENS
from access.sessions import EXPIRED, REVOKED, Session, Sessions, invalid
from access.signing import BadTokenError, Claims
from router.envelope import JsonObject
from router.errors import RouterError
from router.settings import AccessSettings
from storage.contract import Change, Document, Storage, Verb, Write
from storage.query import Query, Range, Search, Sort, Terms

PREFIX: Final = "kauth-"

_AHEAD_MS: Final = 60_000
"""How far the clock of another router of the same store may be ahead."""

_PAGE: Final = 500

_RETIRED_MS: Final = 3_600_000
"""A key still signs for a moment after it was rotated, on a router that hasn't seen it yet."""

_MARK: Final = "user:"
"""Begins the ids of documents that tell other routers of a user whose tokens are all revoked."""


class Token(NamedTuple):
    """A token that was just given out: its text is known to nobody else."""

    text: str
    session: Session
    ttl_ms: float

    @property
    def ttl(self) -> int:
        """How long it lives, in ms; -1 for ever."""
        return -1 if self.ttl_ms == INFINITE else int(self.ttl_ms)


def system_ms() -> float:
    """The system's time in ms since 1970."""
    return time.time() * 1_000


class Tokens:
    """The tokens of one router, or of several that share a private store.

    What is given out or revoked is durable before the call returns.

    Args:
        storage: The private store, open.
        clock: ms since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        keys: KeySource,
        sessions: Sessions,
        settings: AccessSettings,
        clock: Callable[[], float] = system_ms,
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._name = secrets.token_hex(8)

    async def prepare(self) -> None:
        """Make ready; call once the store is open. Raises: KeyringError, RouterError."""
        await self._storage.create_collection(INDEX, TOKENS, MAPPINGS[TOKENS])
        await self._keys.load()

    async def issue(self, kuid: str, lifetime_ms: float, *, single_use: bool = False) -> Token:
        """A new token that speaks for the user; infinite if the lifetime is."""
        token, write = await self._draft(secrets.token_hex(16), kuid, lifetime_ms)
        if single_use:
            token.session.single_use = True
            write.content["singleUse"] = True
        await self._storage.write(write)
        return self._known(token)

    async def verify(self, text: str) -> Session:
        """The session of a token; a token for single use is used up by this.

        Raises:
            RouterError: `security.token.invalid`; that of the store, if it can't be asked.
        """
        session = self._sessions.of_text(text)
        if session is None:
            session = await self._load(await self._claims(text))
            self._sessions.remember(text, session)
        session.check(self._clock())
        if session.single_use:
            await self._use_up(session)
        return session

    async def refresh(self, session: Session, lifetime_ms: float) -> Token:
        """A token in the place of this one, which goes on for the grace period only.

        Raises:
            RouterError: `security.token.refresh_forbidden` for what never expires or is no
                login's; `security.token.invalid` if that was done before.
        """
        if session.kind != "login" or session.expires_at_ms == INFINITE:
            raise RouterError("security.token.refresh_forbidden", "A token that does not expire")
        if session.is_refreshed:
            raise invalid(REVOKED)
        session.is_refreshed = True
        try:
            return await self._replace(session, lifetime_ms)
        except RouterError as error:
            # Another router was faster: the successor's id follows from this one's.
            if error.id == "services.storage.document_already_exists":
                raise invalid(REVOKED) from None
            session.is_refreshed = False
            raise

    async def revoke(self, session: Session) -> None:
        """End this one token; one that is gone already is fine."""
        await self._delete([session.id])
        self._sessions.revoke([session.id])

    async def revoke_all(self, kuid: str) -> None:
        """End every token of a user and whatever connection speaks for it, on every router of
        the store; API keys go on."""
        mark: JsonObject = {
            "userId": kuid,
            "expiresAt": int(self._clock()) + _RETIRED_MS,
            "revoked": True,
            "by": self._name,
        }
        await self._storage.write(_write("create_or_replace", _MARK + kuid, mark))
        while found := await self._find(Terms("userId", (kuid,)), besides=_MARK + kuid):
            await self._delete(found)
            self._sessions.revoke(found)
        self._end_all_of(kuid)

    async def sweep(self) -> None:
        """Forget tokens that have expired, and the keys that no token needs any longer."""
        now = int(self._clock())
        while found := await self._find(Range("expiresAt", gte=0, lte=now)):
            await self._delete(found)
        await self._forget_keys(now)

    async def recheck(self) -> None:
        """End the tokens in use that the store has no longer, and the connections of users whose
        tokens were all revoked in the last hour; for when changes were missed."""
        ids = [each.id for each in self._sessions.of_kind("login")]
        for one, document in await self._stored(ids):
            if document is None:
                self._sessions.revoke([one])
        connections = self._sessions.of_kind("connection")
        marks = await self._stored([_MARK + kuid for kuid in {one.kuid for one in connections}])
        marked = {one.removeprefix(_MARK) for one, document in marks if document is not None}
        self._sessions.revoke([one.id for one in connections if one.kuid in marked])

    def hear(self, changes: Sequence[Change]) -> None:
        """Take in what other routers wrote into the collection of tokens."""
        for change in changes:
            if change.action == "delete":
                self._sessions.revoke([change.id])
            elif change.id.startswith(_MARK):
                # Logins have rows of their own; who logged in since goes on.
                self._end_connections_of(change)
            elif change.changes is not None:
                session = self._sessions.of_id(change.id)
                if session is not None and change.action == "update":
                    session.is_refreshed = True
                    session.expires_at_ms = _expiry_of(change.changes)

    # -- inside -------------------------------------------------------------------------

    async def _draft(self, id: str, kuid: str, lifetime_ms: float) -> tuple[Token, Write]:
        key = (await self._keys.load()).newest
        now = self._clock()
        session = Session(id=id, kuid=kuid, kind="login", expires_at_ms=now + lifetime_ms)
        ends = None if lifetime_ms == INFINITE else math.ceil(session.expires_at_ms / 1_000)
        claims = Claims(id=kuid, issued_at=int(now // 1_000), token_id=id, expires_at=ends)
        content: JsonObject = {
            "userId": kuid,
            "keyId": key.id,
            "issuedAt": int(now),
            "expiresAt": session.expires_at,
        }
        token = Token(PREFIX + signing.sign(claims, key), session, lifetime_ms)
        return token, _write("create", id, content)

    def _known(self, token: Token) -> Token:
        self._sessions.add(token.session)
        self._sessions.remember(token.text, token.session)
        return token

    async def _claims(self, text: str) -> Claims:
        # The claims of a token that this router, or one that shares its keys, has signed.
        try:
            bare = text.removeprefix(PREFIX)
            if bare == text:
                raise BadTokenError
            key = (await self._keys.load()).find(signing.key_id(bare))
            if key is None:
                raise BadTokenError
            claims = signing.verify(bare, key)
        except BadTokenError:
            raise RouterError("security.token.invalid") from None
        now = self._clock()
        if claims.issued_at * 1_000 > now + _AHEAD_MS:
            raise RouterError("security.token.invalid")
        if claims.expires_at is not None and claims.expires_at * 1_000 <= now:
            raise invalid(EXPIRED)
        return claims

    async def _load(self, claims: Claims) -> Session:
        alive = self._sessions.of_id(claims.token_id)
        if alive is None:
            with self._sessions.watch(claims.token_id) as watch:
                [document] = await self._storage.mget(INDEX, TOKENS, [claims.token_id])
            if document is None or watch.is_revoked:
                raise invalid(REVOKED)
            alive = self._sessions.add(_session_of(document))
        if alive.kuid != claims.id:
            raise RouterError("security.token.invalid")
        return alive

    async def _use_up(self, session: Session) -> None:
        try:
            await self._storage.write(_write("delete", session.id))
        except RouterError as error:
            if error.id != "services.storage.not_found":
                raise
            raise invalid(REVOKED) from None
        finally:
            self._sessions.revoke([session.id])

    async def _replace(self, session: Session, lifetime_ms: float) -> Token:
        successor = hashlib.sha256(f"refreshed {session.id}".encode()).hexdigest()[:32]
        token, write = await self._draft(successor, session.kuid, lifetime_ms)
        ends_ms = min(session.expires_at_ms, self._clock() + self._settings.grace_s * 1_000)
        shortened: JsonObject = {"expiresAt": int(ends_ms), "refreshed": True}
        outcomes = await self._storage.bulk([write, _write("update", session.id, shortened)])
        for outcome in outcomes:
            if isinstance(outcome, RouterError):
                raise outcome
        session.expires_at_ms = ends_ms
        self._known(token)
        if session.is_revoked:
            # All of the user's tokens were, while this one was being made.
            await self.revoke(token.session)
            raise invalid(REVOKED)
        return token

    def _end_all_of(self, kuid: str) -> None:
        sessions = self._sessions.of_user(kuid)
        self._sessions.revoke([one.id for one in sessions if one.kind != "api key"])

    def _end_connections_of(self, mark: Change) -> None:
        if mark.changes is not None and mark.changes.get("by") == self._name:
            return  # they were ended when it was written
        sessions = self._sessions.of_user(mark.id.removeprefix(_MARK))
        self._sessions.revoke([one.id for one in sessions if one.kind == "connection"])

    async def _stored(self, ids: Sequence[str]) -> list[tuple[str, Document | None]]:
        found: list[Document | None] = []
        for start in range(0, len(ids), _PAGE):
            found += await self._storage.mget(INDEX, TOKENS, ids[start : start + _PAGE])
        return list(zip(ids, found, strict=True))

    async def _find(self, query: Query, besides: str = "") -> list[str]:
        await self._storage.refresh(INDEX, TOKENS)
        search = Search(query=query, sort=(Sort("_id"),), size=_PAGE, source_includes=())
        page = await self._storage.search([(INDEX, TOKENS)], search)
        return [hit.id for hit in page.hits if hit.id != besides]

    async def _delete(self, ids: Sequence[str]) -> None:
        for outcome in await self._storage.bulk([_write("delete", one) for one in ids]):
            if isinstance(outcome, RouterError) and outcome.id != "services.storage.not_found":
                raise outcome

    async def _forget_keys(self, now: int) -> None:
        keys = (await self._keys.load()).keys
        unused = [
            key.id
            for key, next_key in itertools.pairwise(keys)
            if next_key.made_at_ms < now - _RETIRED_MS and not await self._is_used(key.id)
        ]
        if unused:
            await self._keys.forget(unused)

    async def _is_used(self, key_id: str) -> bool:
        search = Search(query=Terms("keyId", (key_id,)))
        return await self._storage.count([(INDEX, TOKENS)], search) > 0


def _write(verb: Verb, id: str, content: JsonObject | None = None) -> Write:
    return Write(verb=verb, index=INDEX, collection=TOKENS, id=id, content=content or {})


def _session_of(document: Document) -> Session:
    stored = document.source
    return Session(
        id=document.id,
        kuid=str(stored.get("userId")),
        kind="login",
        expires_at_ms=_expiry_of(stored),
        single_use=stored.get("singleUse") is True,
        is_refreshed=stored.get("refreshed") is True,
    )


def _expiry_of(stored: JsonObject) -> float:
    ends = stored.get("expiresAt")
    if not isinstance(ends, int):
        return 0.0
    return INFINITE if ends == -1 else float(ends)
