"""`app.sdk.realtime`: what happens to documents, told to a callback in the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from router.envelope import APPLICATION, JsonObject, User
from router.errors import RouterError
from trivium.sdk.calls import Actions, Content, InProcess, Options, expect
from trivium.sdk.ears import Callback, Ears, OnEnd

if TYPE_CHECKING:
    from router.dispatch import Router


class SubscriptionOptions(Options, total=False):
    """Of what a subscription is told: `scope` and `users` are `all`, `in`, `out` or `none`;
    `volatile` goes with what others hear of it."""

    scope: str
    users: str
    volatile: JsonObject


class RealtimeActions(Actions):
    """Subscriptions and messages. Each `subscribe` counts as one more who listens."""

    def __init__(self, router: Router, user: User | None, ears: Ears) -> None:
        super().__init__(InProcess(router, user), "realtime")
        self._router = router
        self._user = user
        self._ears = ears

    async def subscribe(
        self,
        index: str,
        collection: str,
        filter: Content,
        callback: Callback,
        *,
        on_end: OnEnd | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> str:
        """Call `callback(notification)` for documents that match a Koncorde filter.

        One call follows the other, in the order of the writes; an exception is logged and ends
        nothing. A callback that is too slow, so that thousands wait for it, loses its
        subscription: then `on_end(reason)` is called.

        Returns the id of the room, for `unsubscribe` and `count`.
        """
        ear = self._ears.open(callback, on_end)
        try:
            caller = Actions(InProcess(self._router, self._user, ear.id), "realtime")
            joined = await caller._run("subscribe", _at(index, collection), options, filter)
            room_id = expect(str, expect(dict, joined)["roomId"])
        except BaseException:
            ear.close()
            raise
        self._ears.entered(self._name, room_id, ear)
        return room_id

    async def unsubscribe(self, room_id: str) -> None:
        """End the caller's subscriptions to a room.

        Raises: `core.realtime.not_subscribed`."""
        if not self._ears.leave(self._name, room_id):
            raise RouterError("core.realtime.not_subscribed", "of the application", room_id)

    async def count(self, room_id: str, **options: Unpack[Options]) -> int:
        """How many listen in a room; 0 for one that doesn't exist."""
        counted = await self._run("count", {}, options, {"roomId": room_id})
        return expect(int, expect(dict, counted)["count"])

    async def publish(
        self,
        index: str,
        collection: str,
        message: Content,
        _id: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Send a message to those whose filter it matches; it isn't stored."""
        await self._run("publish", {**_at(index, collection), "_id": _id}, options, message)

    @property
    def _name(self) -> str:
        return (self._user or APPLICATION).id


def _at(index: str, collection: str) -> JsonObject:
    return {"index": index, "collection": collection}
