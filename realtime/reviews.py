"""Takes subscribers out of rooms that they may be in no longer, once rights have changed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Final

import structlog

from realtime.notifier import Notifier
from realtime.rooms import Place
from router.actions import Action
from router.envelope import APPLICATION, Connection, Request, User
from router.ports import Authority
from router.tasks import ended

_log: Final = structlog.get_logger("trivium.realtime")

_NOBODY: Final = Connection("", "internal")


class Reviews:
    """Who may listen where, asked anew for all subscribers whenever that may have changed.

    Args:
        find: Finds the action `realtime:subscribe`, which rights are about.
        again_s: Seconds until it is asked again where the store can't tell.
    """

    def __init__(
        self,
        notifier: Notifier,
        authority: Authority,
        find: Callable[[str, str], Action],
        again_s: float = 1.0,
    ) -> None:
        self._notifier = notifier
        self._authority = authority
        self._find = find
        self._again_s = again_s
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    def may_listen(self, user: User, place: Place) -> bool:
        """Whether the user, with the rights that it has now, may subscribe to a collection."""
        request = Request(
            controller="realtime",
            action="subscribe",
            connection=_NOBODY,
            args={"index": place[0], "collection": place[1]},
            user=user,
        )
        action = self._find(request.controller, request.action)
        return self._authority.allows(user, action, request)

    def due(self) -> None:
        """Rights have changed: ask anew, soon. Many changes in a row are one review."""
        self._is_due = True
        if self._task is None and len(self._notifier.rooms):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop asking."""
        await ended(self._task)

    async def _run(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                await self._try()
        finally:
            self._task = None

    async def _try(self) -> None:
        try:
            await self._review()
        except Exception as error:  # noqa: BLE001 - a boundary: nobody awaits the task
            _log.error("subscriptions could not be reviewed", exc_info=error)
            # Who has lost a right must not keep it since the store was away for a moment.
            self._is_due = True
            await asyncio.sleep(self._again_s)

    async def _review(self) -> None:
        members = [member for room in self._notifier.rooms for member in room.members.values()]
        callers: dict[str, User] = {}
        # The application itself may listen to everything.
        asked = [member.user.id for member in members if member.user is not APPLICATION]
        for name in dict.fromkeys(asked):
            callers[name] = await self._authority.assume(User(name))

        @functools.cache  # many are in many rooms of few collections
        def may(user_id: str, place: Place) -> bool:
            # Whoever has come meanwhile was asked when it came.
            caller = callers.get(user_id)
            return caller is None or self.may_listen(caller, place)

        self._notifier.review(lambda user, place: may(user.id, place))
