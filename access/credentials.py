"""The login strategy `local`: user names and passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from access import passwords
from access.places import CREDENTIALS, CREDENTIALS_MAPPING
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Document, Page, Storage, Verb, Write
from storage.query import Search, Terms

T = TypeVar("T")

STRATEGY: Final = "local"
FIELDS: Final = ("username", "password")

_THREADS: Final = 2
_WAITING: Final = 256
"""Passwords that wait to be hashed; one more is refused, so that a flood of logins costs neither
memory nor time without bound. At 20 ms each the last one waits three seconds."""


class Login(NamedTuple):
    """What somebody may log in with, without the secret."""

    username: str
    kuid: str

    def to_json(self) -> JsonObject:
        """As answers show it."""
        return {"username": self.username, "kuid": self.kuid}


class Credentials:
    """Who may log in by which name and password.

    Args:
        private: The private store.
    """

    def __init__(self, private: Storage) -> None:
        self._private = private
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._has_foreign = False
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the collection; call once the private store is open."""
        if not self._private.has_collection(*CREDENTIALS):
            await self._private.create_collection(*CREDENTIALS, CREDENTIALS_MAPPING)
        await self._find_foreign()

    async def _find_foreign(self) -> None:
        await self._private.refresh(*CREDENTIALS)
        count = await self._private.count([CREDENTIALS], Search())
        # Where Kuzzle's own mapping lacks the field, all of them count as Kuzzle's: that is safe.
        own = Search(query=Terms("algorithm", (passwords.ALGORITHM,)))
        self._has_foreign = count > await self._private.count([CREDENTIALS], own)

    def close(self) -> None:
        """Let the threads end; call before the private store closes."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def verify(self, username: str, password: str) -> str:
        """The id of the user whose name and password these are.

        An unknown name takes the same time as a wrong password. What Kuzzle stored is stored
        anew as argon2id.

        Raises:
            RouterError: `plugin.strategy.missing_user`; `api.process.overloaded` if too many
                wait for the same already.
        """
        document = await self._named(username)
        stored = None if document is None else document.source
        has_foreign = self._has_foreign
        is_right = await self._work(
            lambda: passwords.verify(stored, password, with_foreign=has_foreign)
        )
        if not is_right or document is None:
            raise RouterError("plugin.strategy.missing_user", "wrong username or password")
        if passwords.is_outdated(document.source):
            await self._renew(document, password)
        return str(document.source.get("kuid"))

    # -- reading ------------------------------------------------------------------------------

    async def of_user(self, kuid: str) -> Login | None:
        """What a user logs in with."""
        page = await self._private.search([CREDENTIALS], Search(query=Terms("kuid", (kuid,))))
        return Login(page.hits[0].id, kuid) if page.hits else None

    async def of_name(self, username: str) -> Login | None:
        """The same by user name."""
        document = await self._named(username)
        return None if document is None else Login(username, str(document.source.get("kuid")))

    async def search(self, search: Search) -> Page:
        """One page of credentials; show nothing of their content but `kuid`."""
        return await self._private.search([CREDENTIALS], search)

    async def check(self, kuid: str, given: JsonObject, *, is_update: bool) -> None:
        """Let credentials pass that could be stored for a user.

        Raises:
            RouterError: One of `trivium.credentials.*`.
        """
        username = _text(given, "username")
        password = _text(given, "password")
        if is_update:
            if username is None and password is None:
                raise RouterError("trivium.credentials.nothing_given")
            if await self.of_user(kuid) is None:
                raise RouterError("trivium.credentials.missing", kuid)
        else:
            _need(username, "trivium.credentials.username_required")
            _need(password, "trivium.credentials.password_required")
            if await self.of_user(kuid) is not None:
                raise RouterError("trivium.credentials.already_exist", kuid)
        if username is not None:
            await self._check_free(username, kuid)

    # -- writing ------------------------------------------------------------------------------

    async def create(self, kuid: str, given: JsonObject, author: Author) -> Login:
        """Give a user a name and password to log in with. Raises: as `check`."""
        await self.check(kuid, given, is_update=False)
        return await self._store(kuid, given, {}, author)

    async def update(self, kuid: str, given: JsonObject, author: Author) -> Login:
        """Change the name, the password, or both. Raises: as `check`."""
        await self.check(kuid, given, is_update=True)
        login = await self._existing(kuid)
        document = await self._named(login.username)
        before = {} if document is None else document.source
        changed = await self._store(kuid, {"username": login.username, **given}, before, author)
        if changed.username != login.username:
            await self._write("delete", login.username, {}, author)
        return changed

    async def delete(self, kuid: str, author: Author) -> None:
        """Take a user's name and password away. Raises: `trivium.credentials.missing`."""
        login = await self._existing(kuid)
        await self._write("delete", login.username, {}, author)

    async def _existing(self, kuid: str) -> Login:
        login = await self.of_user(kuid)
        if login is None:
            raise RouterError("trivium.credentials.missing", kuid)
        return login

    async def _store(
        self, kuid: str, given: JsonObject, before: JsonObject, author: Author
    ) -> Login:
        username = _text(given, "username") or ""
        password = _text(given, "password")
        secret = before
        if password is not None:
            secret = await self._work(lambda: passwords.hashed(password))
        content: JsonObject = {**secret, "kuid": kuid}
        async with self._lock:
            await self._check_free(username, kuid)
            await self._write("create_or_replace", username, content, author)
        return Login(username, kuid)

    async def _check_free(self, username: str, kuid: str) -> None:
        login = await self.of_name(username)
        if login is not None and login.kuid != kuid:
            raise RouterError("trivium.credentials.name_taken", username)

    async def _renew(self, document: Document, password: str) -> None:
        secret = await self._work(lambda: passwords.hashed(password))
        async with self._lock:
            now = await self._named(document.id)
            # It may have been changed meanwhile, and what is newer must stay.
            if now is not None and now.source == document.source:
                content: JsonObject = {**secret, "kuid": document.source.get("kuid")}
                await self._write("replace", document.id, content, Author())

    async def _write(self, verb: Verb, username: str, content: JsonObject, author: Author) -> None:
        index, collection = CREDENTIALS
        await self._private.write(
            Write(
                verb=verb,
                index=index,
                collection=collection,
                id=username,
                content=content,
                author=author,
                # They are looked for by the user's id, too.
                refresh=True,
            )
        )

    async def _named(self, username: str) -> Document | None:
        [document] = await self._private.mget(*CREDENTIALS, [username])
        return document

    async def _work(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise RouterError("api.process.overloaded")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _text(given: JsonObject, key: str) -> str | None:
    value: Json = given.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RouterError("api.assert.invalid_type", f"body.{key}", "string")
    return value


def _need(value: str | None, id: str) -> None:
    if value is None:
        raise RouterError(id)
