"""Users as the API changes them: created with their credentials, deleted with all they had."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from access import first_admin, standard
from access.credentials import STRATEGY, Credentials
from access.directory import Directory, profile_ids_of
from access.keeping import Keeping
from router.envelope import ANONYMOUS, Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Document

Farewell: TypeAlias = Callable[[str], Awaitable[None]]
"""Takes away what belonged to a user who is gone."""

RESTRICTED: Final = ("default",)
"""The profiles of a user who signed up: Kuzzle's `security.restrictedProfileIds`."""


class NewUser(NamedTuple):
    """A user to be. `credentials` are by strategy."""

    id: str
    content: JsonObject
    credentials: JsonObject
    author: Author


class Users(msgspec.Struct, frozen=True):
    """All users.

    Attributes:
        farewells: Called with the id of each user that is deleted, before that is answered.
    """

    keeping: Keeping
    directory: Directory
    credentials: Credentials
    farewells: list[Farewell] = msgspec.field(default_factory=list)

    async def create(self, user: NewUser, *, as_first_admin: bool = False) -> Document:
        """Create a user with credentials, or neither.

        Raises:
            RouterError: `security.user.already_exists`, `security.user.cannot_hydrate`,
                `security.credentials.unknown_strategy`, `security.credentials.rejected`;
                `api.process.admin_exists` unless there is none.
        """
        await self._check_credentials(user)
        self._check_profiles(user.id, user.content)
        private = self.keeping.private
        async with self.directory.lock:
            vacancy = await first_admin.find(private) if as_first_admin else None
            document = await self._write_new(user)
        try:
            if vacancy is not None:
                await first_admin.take(private, vacancy, user.id)
            await self._add_credentials(user)
        except BaseException:
            async with self.directory.lock:
                await self.keeping.delete(user.id, user.author)
            raise
        return document

    async def update(self, id: str, changes: JsonObject, author: Author) -> Document:
        """Merge changes into a user. Raises: `security.user.not_found`, `cannot_hydrate`."""
        if "profileIds" in changes:
            self._check_profiles(id, changes)
        async with self.directory.lock:
            return await self.keeping.write("update", id, changes, author)

    async def replace(self, id: str, content: JsonObject, author: Author) -> Document:
        """Take the place of a user. Raises: `security.user.not_found`, `cannot_hydrate`."""
        self._check_profiles(id, content)
        async with self.directory.lock:
            await self.keeping.get(id)
            return await self.keeping.write("replace", id, content, author)

    async def upsert(
        self, id: str, content: JsonObject, default: JsonObject, author: Author
    ) -> tuple[Document, bool]:
        """Merge content into a user, or create one of both. True: it was created."""
        async with self.directory.lock:
            if await self.keeping.find(id) is not None:
                if "profileIds" in content:
                    self._check_profiles(id, content)
                return await self.keeping.write("update", id, content, author), False
            whole = {**default, **content}
            self._check_profiles(id, whole)
            return await self.keeping.write("create", id, whole, author), True

    async def delete(self, id: str, author: Author) -> None:
        """Delete a user, credentials, tokens and keys. Raises: `security.user.not_found`."""
        async with self.directory.lock:
            await self.keeping.delete(id, author)
        if await self.credentials.of_user(id) is not None:
            await self.credentials.delete(id, author)
        for farewell in self.farewells:
            await farewell(id)

    def _check_profiles(self, id: str, content: JsonObject) -> None:
        ids = content.get("profileIds")
        if ids is None:
            raise RouterError("api.assert.missing_argument", "body.content.profileIds")
        if not isinstance(ids, list) or len(profile_ids_of(content)) < len(ids):
            raise RouterError("api.assert.invalid_type", "body.content.profileIds", "array")
        if not ids:
            raise RouterError("api.assert.empty_argument", "body.content.profileIds")
        if id == ANONYMOUS.id and "anonymous" not in ids:
            raise RouterError("security.user.anonymous_profile_required")
        if any(each not in self.directory.profiles for each in profile_ids_of(content)):
            raise RouterError("security.user.cannot_hydrate", id)

    async def _write_new(self, user: NewUser) -> Document:
        try:
            return await self.keeping.write("create", user.id, user.content, user.author)
        except RouterError as error:
            if error.id == "services.storage.document_already_exists":
                raise RouterError("security.user.already_exists", user.id) from error
            raise

    async def _check_credentials(self, user: NewUser) -> None:
        for strategy, given in user.credentials.items():
            if strategy != STRATEGY:
                raise RouterError("security.credentials.unknown_strategy", strategy)
            try:
                await self.credentials.check(user.id, _object(given), is_update=False)
            except RouterError as error:
                raise RouterError("security.credentials.rejected", error.message) from error

    async def _add_credentials(self, user: NewUser) -> None:
        for given in user.credentials.values():
            await self.credentials.create(user.id, _object(given), user.author)


def administrator(content: JsonObject) -> JsonObject:
    """The content of an administrator."""
    return {**content, "profileIds": [standard.ADMIN]}


def restricted(content: JsonObject) -> JsonObject:
    """The content of a user who signed up."""
    return {**content, "profileIds": list(RESTRICTED)}


def new_kuid(form: str) -> str:
    """An id for a user: one that people can tell each other, or a UUID."""
    if form == "uuid":
        return f"kuid-{uuid.uuid4()}"
    words = "-".join(secrets.choice(words.split()) for words in (_ADJECTIVES, _TREES))
    return f"kuid-{words}-{secrets.randbelow(10**8):08}"


_ADJECTIVES: Final = "able bold calm deft easy fair glad high idle just keen late mild neat open"
_TREES: Final = "alder birch cedar elm fern grove heath iris juniper lake maple oak pine reed sage"


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", "body.credentials.local", "object")
    return value
