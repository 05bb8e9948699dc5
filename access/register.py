"""Everything about who is who, put together over the two stores."""

from __future__ import annotations

import msgspec

from access.credentials import Credentials
from access.directory import Directory
from access.keeping import Keeping
from access.places import KINDS, PROFILES, ROLES, USERS, Kind
from access.profile_keeping import Profiles
from access.role_keeping import Known, Roles
from access.users import Users
from storage.contract import Storage


class Register(msgspec.Struct, frozen=True):
    """Users with their credentials, profiles, roles, and what follows from them."""

    directory: Directory
    credentials: Credentials
    users: Users
    profiles: Profiles
    roles: Roles

    async def prepare(self) -> None:
        """Make ready; call once both stores are open, before the first request."""
        await self.directory.prepare()
        await self.credentials.prepare()

    def close(self) -> None:
        """Let go of threads; call before the private store closes."""
        self.credentials.close()

    def keeping(self, kind: Kind) -> Keeping:
        """The documents of one kind."""
        return {
            USERS: self.users.keeping,
            PROFILES: self.profiles.keeping,
            ROLES: self.roles.keeping,
        }[kind]


def make_register(private: Storage, public: Storage, known: Known) -> Register:
    """A register over stores that need not be open yet.

    Args:
        public: Where the indexes are that profiles may be bound to.
        known: Tells the actions that roles may name.
    """
    directory = Directory(private)
    credentials = Credentials(private)
    users, profiles, roles = (Keeping(private, directory, kind) for kind in KINDS)
    return Register(
        directory=directory,
        credentials=credentials,
        users=Users(users, directory, credentials),
        profiles=Profiles(profiles, users, directory, public),
        roles=Roles(roles, directory, known),
    )
