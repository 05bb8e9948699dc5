"""Who becomes the first administrator, where several routers may be asked for one at once.

Whoever makes one looks for the vacancy, writes the user, then takes the vacancy: of those who saw
the same one a single one gets it, and the others take their user back.
"""

from __future__ import annotations

from typing import Final

from access import standard
from access.places import CONFIG, INDEX, USERS
from router.errors import RouterError
from router.guards import Condition, Tag
from storage.contract import Storage, Write
from storage.query import Search, Terms

_ID: Final = "trivium.first-admin"
"""The document of the private store that names who took the last vacancy."""

_TOO_LATE: Final = frozenset(
    {
        "services.storage.document_already_exists",
        "services.storage.version_conflict",
        "services.storage.not_found",
    }
)


async def is_taken(private: Storage) -> bool:
    """Whether the store, as of now, has an administrator."""
    await private.refresh(INDEX, USERS)
    admins = Search(query=Terms("profileIds", (standard.ADMIN,)))
    return await private.count([(INDEX, USERS)], admins) > 0


async def find(private: Storage) -> int:
    """The vacancy, as `take` needs it. Raises: `api.process.admin_exists`."""
    # Before the look at the users: whoever is not seen there has not taken this one yet.
    [document] = await private.mget(INDEX, CONFIG, [_ID])
    if await is_taken(private):
        raise RouterError("api.process.admin_exists")
    return 0 if document is None else document.version


async def take(private: Storage, vacancy: int, kuid: str) -> None:
    """Make this user, who has to be in the store already, the first administrator.

    Raises:
        RouterError: `api.process.admin_exists`: somebody else was faster.
    """
    write = Write(
        verb="replace" if vacancy else "create",
        index=INDEX,
        collection=CONFIG,
        id=_ID,
        content={"userId": kuid},
        condition=Condition((Tag(vacancy),)) if vacancy else None,
    )
    try:
        await private.write(write)
    except RouterError as error:
        if error.id in _TOO_LATE:
            raise RouterError("api.process.admin_exists") from error
        raise
