"""Every API action in process: `await app.sdk.document.update(index, collection, id, changes)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.codec.frame import envelope
from router.envelope import JsonObject, User
from trivium.sdk.calls import Actions, Content, InProcess, as_json
from trivium.sdk.device_manager import DeviceManager
from trivium.sdk.document import DocumentActions
from trivium.sdk.ears import Ears
from trivium.sdk.places import AuthActions, CollectionActions, IndexActions, ServerActions
from trivium.sdk.realtime import RealtimeActions

if TYPE_CHECKING:
    from router.dispatch import Router

__all__ = ["Sdk"]


class Sdk:
    """The API as the application calls it: full rights, no events unless asked for.

    Every error is a `RouterError` with the id that a client would get.
    """

    def __init__(self, router: Router, ears: Ears, user: User | None = None) -> None:
        self._router = router
        self._ears = ears
        self._caller = InProcess(router, user)
        self.document = DocumentActions(self._caller, "document")
        self.collection = CollectionActions(self._caller, "collection")
        self.index = IndexActions(self._caller, "index")
        self.server = ServerActions(self._caller, "server")
        self.auth = AuthActions(self._caller, "auth")
        self.realtime = RealtimeActions(router, user, ears)
        self.device_manager = DeviceManager(self._caller)

    def of(self, controller: str) -> Actions:
        """The actions of any controller, the application's own among them, by their names."""
        return Actions(self._caller, controller)

    async def query(self, request: Content, *, trigger_events: bool = False) -> JsonObject:
        """The whole answer to a request as it would stand on a wire.

        Raises:
            RouterError: The answer carries an error.
        """
        return envelope(await self._caller.call(as_json(request), trigger_events=trigger_events))

    def as_user(self, id: str, *profile_ids: str) -> Sdk:
        """This API in the name of a user, with that user's rights only."""
        return Sdk(self._router, self._ears, User(id, profile_ids))
