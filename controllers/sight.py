"""What of a list its reader may see: rights that are bound to places, asked of each place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from router import places
from router.actions import Action
from router.envelope import Connection, Json, Request, User
from router.ports import Authority

_NOWHERE: Final = Connection("", "internal")


class Sight:
    """Who may see which indexes by way of one action that lists them.

    Args:
        action: The one that lists, by controller and name.
    """

    def __init__(self, authority: Authority, controller: str, action: str) -> None:
        self._authority = authority
        self._action = Action(
            controller=controller, name=action, handler=_nothing, places=places.named, summary=""
        )

    def sees(self, user: User, index: str, collections: Sequence[str] = ()) -> bool:
        """Whether the user's right to list holds in the index, or in one of its collections."""
        return any(self._holds(user, index, name) for name in (None, *collections))

    def seen(self, user: User, indexes: Iterable[str]) -> list[str]:
        """Those of these indexes in which the right holds as a whole."""
        return [index for index in indexes if self._holds(user, index, None)]

    def _holds(self, user: User, index: str, collection: str | None) -> bool:
        request = Request(
            controller=self._action.controller,
            action=self._action.name,
            connection=_NOWHERE,
            args={"index": index, "collection": collection},
            user=user,
            request_id="",
            timestamp=0,
        )
        return self._authority.allows(user, self._action, request)


async def _nothing(_: Request) -> Json:
    raise AssertionError("stands for its name only")
