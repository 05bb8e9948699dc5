"""All users, profiles and roles at once: loaded from a description, restricted, reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from access import profiles, roles, standard
from access.directory import every
from access.keeping import Keeping
from access.places import INDEX
from access.register import Register
from access.users import NewUser
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author
from storage.query import Search

OnExisting: TypeAlias = Literal["fail", "skip", "overwrite"]


class Removed(NamedTuple):
    """How many of each were there."""

    users: int
    profiles: int
    roles: int


class Description(NamedTuple):
    """What to load; users as `{content, credentials?}`."""

    roles: Mapping[str, JsonObject]
    profiles: Mapping[str, JsonObject]
    users: Mapping[str, JsonObject]


class Securities(msgspec.Struct, frozen=True):
    """Changes the whole register."""

    register: Register

    async def restrict(self, author: Author) -> None:
        """Put the standard rights in force: the anonymous and the default user may do little."""
        for id_, role in standard.STANDARD_ROLES.items():
            await self.register.roles.write("create_or_replace", id_, role, author)
        for id_, profile in standard.STANDARD_PROFILES.items():
            await self.register.profiles.write("create_or_replace", id_, profile, author)
        await self._settle()

    async def load(
        self, given: Description, author: Author, *, on_existing: OnExisting, force: bool
    ) -> None:
        """Create or replace these roles and profiles, and create these users.

        Everything is checked before anything is written.

        Args:
            on_existing: What becomes of users that exist: refuse all, leave them as they are,
                or delete them first.
            force: See `access.roles.check_names`.

        Raises:
            RouterError: `security.user.prevent_overwrite`, and what a role, profile or user that
                makes no sense is refused with.
        """
        register = self.register
        existing = {each.id for each in await register.users.keeping.mget([*given.users])}
        if existing and on_existing == "fail":
            raise RouterError("security.user.prevent_overwrite")
        self._check(given, force=force)
        for id_, role in given.roles.items():
            await register.roles.write("create_or_replace", id_, role, author, force=force)
        for id_, profile in given.profiles.items():
            await register.profiles.write("create_or_replace", id_, profile, author)
        for id_, user in given.users.items():
            if id_ in existing and on_existing == "skip":
                continue
            if id_ in existing:
                await register.users.delete(id_, author)
            await register.users.create(_new_user(id_, user, author))
        await self._settle()

    async def reset(self, author: Author) -> Removed:
        """Delete every user, profile and role, and make those of a first start.

        Profiles and roles of the first start are replaced, not deleted, so that requests
        meanwhile don't find a router that knows nobody.
        """
        register = self.register
        first = standard.first_documents()
        users = await _all(register.users.keeping)
        held = await _all(register.profiles.keeping)
        named = await _all(register.roles.keeping)
        for id_ in users:
            await register.users.delete(id_, author)
        for id_, role in first["roles"].items():
            await register.roles.write("create_or_replace", id_, role, author, force=True)
        for id_, profile in first["profiles"].items():
            await register.profiles.write("create_or_replace", id_, profile, author)
        for id_ in set(held) - set(first["profiles"]):
            await register.profiles.delete(id_, author)
        for id_ in set(named) - set(first["roles"]):
            await register.roles.delete(id_, author)
        await self._settle()
        return Removed(len(users), len(held), len(named))

    def _check(self, given: Description, *, force: bool) -> None:
        directory, known = self.register.directory, self.register.roles.known()
        for id_, content in given.roles.items():
            roles.check_names(roles.read(id_, content), known, force=force)
        role_ids = {*directory.roles, *given.roles}
        for id_, content in given.profiles.items():
            policies = profiles.read(id_, content).policies
            if any(policy.role_id not in role_ids for policy in policies):
                raise RouterError("security.profile.cannot_hydrate", id_)
        profile_ids = {*directory.profiles, *given.profiles}
        for id_, content in given.users.items():
            user = _new_user(id_, content, Author())
            ids = user.content.get("profileIds")
            if not isinstance(ids, list) or not ids:
                raise RouterError("api.assert.missing_argument", f"body.users.{id_}.profileIds")
            if any(each not in profile_ids for each in ids):
                raise RouterError("security.user.cannot_hydrate", id_)

    async def _settle(self) -> None:
        register = self.register
        for each in (register.users, register.profiles, register.roles):
            await each.keeping.refresh()


def _new_user(id: str, user: JsonObject, author: Author) -> NewUser:
    content = _object(user.get("content"), f"body.users.{id}.content")
    credentials: Json = user.get("credentials")
    given = _object({} if credentials is None else credentials, f"body.users.{id}.credentials")
    return NewUser(id, content, given, author)


def _object(value: Json, name: str) -> JsonObject:
    if value is None:
        raise RouterError("api.assert.missing_argument", name)
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", name, "object")
    return value


async def _all(keeping: Keeping) -> list[str]:
    await keeping.refresh()
    search = Search(source_includes=())
    return [each.id for each in await every(keeping.private, (INDEX, keeping.kind), search)]
