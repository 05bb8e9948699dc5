"""Roles as the API changes them: what is checked before one is written or deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import msgspec

from access import roles, standard
from access.directory import Directory
from access.keeping import Change, Keeping
from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Author, Document

Known: TypeAlias = Callable[[], Mapping[str, Collection[str]]]
"""Tells the actions of each controller; asked anew each time, as the application adds some."""


class Roles(msgspec.Struct, frozen=True):
    """All roles."""

    keeping: Keeping
    directory: Directory
    known: Known

    async def write(
        self, verb: Change, id: str, content: JsonObject, author: Author, *, force: bool = False
    ) -> Document:
        """Create a role, or take the place of one.

        Raises:
            RouterError: What `roles.read` and `roles.check_names` refuse;
                `security.role.not_found` for a `replace`; for a `create`
                `services.storage.document_already_exists`.
        """
        roles.check_names(roles.read(id, content), self.known(), force=force)
        async with self.directory.lock:
            return await self.keeping.write(verb, id, content, author)

    async def delete(self, id: str, author: Author) -> None:
        """Delete a role that no profile has.

        Raises:
            RouterError: `security.role.cannot_delete`, `security.role.not_found`,
                `security.role.in_use`.
        """
        if id in standard.PROTECTED:
            raise RouterError("security.role.cannot_delete")
        async with self.directory.lock:
            await self.keeping.get(id)
            for profile in self.directory.profiles.values():
                if any(policy.role_id == id for policy in profile.policies):
                    raise RouterError("security.role.in_use", id)
            await self.keeping.delete(id, author)
