"""Profiles as the API changes them: what is checked before one is written or deleted."""

from __future__ import annotations

import msgspec

from access import profiles, standard
from access.directory import Directory, every, profile_ids_of
from access.keeping import Change, Keeping
from access.places import INDEX, USERS
from access.profiles import Profile
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Document, Storage
from storage.query import Search, Terms


class Profiles(msgspec.Struct, frozen=True):
    """All profiles.

    Attributes:
        public: Where the indexes are that a profile may be bound to.
    """

    keeping: Keeping
    users: Keeping
    directory: Directory
    public: Storage

    async def write(
        self, verb: Change, id: str, content: JsonObject, author: Author, *, strict: bool = False
    ) -> Document:
        """Create a profile, take the place of one, or change a part of it.

        Args:
            strict: The places that it is bound to must exist.

        Raises:
            RouterError: What `profiles.read` refuses; `security.profile.cannot_hydrate` for a
                role that doesn't exist; `services.storage.unknown_index`,
                `services.storage.unknown_collection`; `security.profile.not_found` for an
                `update`; for a `create` `services.storage.document_already_exists`.
        """
        async with self.directory.lock:
            stored = (await self.keeping.get(id)).source if verb == "update" else {}
            profile = profiles.read(id, {**stored, **content})
            if any(policy.role_id not in self.directory.roles for policy in profile.policies):
                raise RouterError("security.profile.cannot_hydrate", id)
            if strict:
                self._check_places(profile)
            return await self.keeping.write(verb, id, content, author)

    async def delete(self, id: str, author: Author, *, from_users: bool = False) -> None:
        """Delete a profile.

        Args:
            from_users: Take it from its holders first, who get the anonymous one if they have no
                other. Else it must have none.

        Raises:
            RouterError: `security.profile.cannot_delete`, `security.profile.not_found`,
                `security.profile.in_use`.
        """
        if id in standard.PROTECTED:
            raise RouterError("security.profile.cannot_delete")
        async with self.directory.lock:
            await self.keeping.get(id)
            await self.users.refresh()
            holders = await every(
                self.users.private, (INDEX, USERS), Search(query=Terms("profileIds", (id,)))
            )
            if holders and not from_users:
                raise RouterError("security.profile.in_use", id)
            for holder in holders:
                await self._take_from(holder, id, author)
            await self.keeping.delete(id, author)

    async def _take_from(self, user: Document, id: str, author: Author) -> None:
        kept: list[Json] = [each for each in profile_ids_of(user.source) if each != id]
        left: JsonObject = {"profileIds": kept or ["anonymous"]}
        await self.users.write("update", user.id, left, author)

    def _check_places(self, profile: Profile) -> None:
        for policy in profile.policies:
            for index, collections in (policy.restriction or {}).items():
                if not self.public.has_index(index):
                    raise RouterError("services.storage.unknown_index", index)
                for collection in collections or ():
                    if not self.public.has_collection(index, collection):
                        raise RouterError("services.storage.unknown_collection", index, collection)
