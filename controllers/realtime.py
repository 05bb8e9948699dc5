"""The `realtime` controller: subscriptions to documents and messages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import msgspec

from controllers import arguments
from controllers.arguments import INVALID
from controllers.validation.registry import VERDICT, Specifications
from realtime import notices
from realtime.holds import Hold
from realtime.koncorde.normal import NormalForm
from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.notifier import Notifier
from realtime.past import Past
from realtime.reviews import Reviews
from realtime.rooms import AUDIENCES, Audience, Channel, Place, Room
from realtime.starts import Start, read_start
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.settings import RealtimeSettings
from storage.contract import Storage

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_ROOM: Final = Argument("roomId", "string", "Id of the room.", required=True, place="body")
_MESSAGE: Final = (*_TARGET, Argument("_id", "string", "What the message goes by."))
CHOICE: Final = (
    Argument(
        "scope",
        "string",
        "`all` (default): documents that match or match no longer; `in`, `out`, `none`.",
    ),
    Argument(
        "from",
        "string",
        "`now` (default); `snapshot`: the documents that match, then what happens to them; or a "
        "position, `<seq>` or `<feed>:<seq>`: everything since. `now` makes the answer tell one.",
    ),
    Argument("users", "string", "Others who come and go: `all`, `in`, `out`, `none` (default)."),
)
_JOINED: Final = (
    "`{roomId, channel, feed?, seq?}`; notifications carry the channel as `room`, on MQTT as topic"
)
_ROOM_ERRORS: Final = (
    "api.assert.body_required",
    "api.assert.missing_argument",
    "api.assert.invalid_type",
)
_LISTEN_ERRORS: Final = (
    *_ROOM_ERRORS,
    "core.realtime.invalid_scope",
    "core.realtime.invalid_users",
    "core.realtime.too_many_rooms",
    "api.assert.invalid_argument",
    "trivium.feed.gone",
    "trivium.feed.too_many_readers",
    "trivium.unsupported.feature",
)


class Realtime(msgspec.Struct, frozen=True):
    """Lets clients listen to what happens to documents, and tell each other things."""

    storage: Storage
    notifier: Notifier
    reviews: Reviews
    past: Past
    settings: RealtimeSettings
    specifications: Specifications

    async def subscribe(self, request: Request) -> Json:
        """Listen to the documents of a collection that match a filter."""
        place = (request.name("index"), request.name("collection"))
        content = request.body_object()
        scope, users = choice(request)
        form = self.form(content)
        hold, start = await self._start(request)
        joined = self.notifier.subscribe(request, place, form, users=users, scope=scope, hold=hold)
        return self._begun(request, joined, hold, start)

    def form(self, content: JsonObject) -> NormalForm:
        """The normal form of a filter. Raises: `api.assert.koncorde_dsl_error`."""
        return normal_form(content, FilterLimits.of(self.settings))

    async def join(self, request: Request) -> Json:
        """Listen in a room that somebody has subscribed to."""
        room_id = request.body_name("roomId")
        scope, users = choice(request)
        hold, start = await self._start(request)
        room = self.notifier.rooms.find(room_id)
        joined = self.notifier.join(request, room, users=users, scope=scope, hold=hold)
        return self._begun(request, joined, hold, start)

    async def unsubscribe(self, request: Request) -> Json:
        """Listen in a room no longer."""
        room_id = request.body_name("roomId")
        self.notifier.unsubscribe(request, room_id)
        return {"roomId": room_id}

    async def count(self, request: Request) -> Json:
        """How many listen in a room."""
        return {"count": self.notifier.rooms.count(request.body_name("roomId"))}

    async def listed(self, request: Request) -> Json:
        """Every room that the caller could listen in, and how many clients do."""
        listed: JsonObject = {}
        for place, counts in self._by_place().items():
            if self.reviews.may_listen(request.user, place):
                collections = listed.setdefault(place[0], {})
                assert isinstance(collections, dict)
                collections[place[1]] = counts
        return listed

    async def publish(self, request: Request) -> Json:
        """Tell those whose filter it matches of a message that isn't stored."""
        place, content = _message(request)
        content = await self.specifications.checked(place, content, request.string("_id", None))
        if request.turn is not None:
            await request.turn.wait()
        stamp: JsonObject = {"author": request.user.id, "createdAt": self.storage.now_ms()}
        source: JsonObject = {**content, "_kuzzle_info": stamp}
        self.notifier.published(notices.of_publish(request, place, source), place)
        return {"published": True}

    async def validate(self, request: Request) -> Json:
        """What is wrong with a message, which isn't sent; its collection need not exist."""
        place, content = _message(request)
        return await self.specifications.verdict(place, content, request.string("_id", None))

    async def _start(self, request: Request) -> tuple[Hold | None, Start | None]:
        start = await read_start(request.args.get("from"), self.storage)
        if start is not None:
            self.past.check(request)
            return Hold(start.after, "snapshot" if start.is_snapshot else "past"), start
        if not self.storage.is_shared:
            return None, None
        hold = Hold()
        # What was acknowledged before now may be told only after it.
        hold.end(await self.storage.newest())
        return hold, None

    def _begun(
        self,
        request: Request,
        joined: tuple[Room, Channel],
        hold: Hold | None,
        start: Start | None,
    ) -> JsonObject:
        room, channel = joined
        answer: JsonObject = {"channel": channel.name, "roomId": room.id}
        if hold is None or start is None:
            return answer
        self.past.tell(request, joined, hold, start)
        return {**answer, "feed": self.storage.feed, "seq": start.after}

    def _room_place(self, request: Request) -> Sequence[places.Place]:
        body = request.body
        place = self.notifier.rooms.place_of(body.get("roomId") if isinstance(body, dict) else None)
        # Whoever is bound to places isn't told which rooms there are elsewhere.
        return places.everywhere(request) if place is None else (place,)

    def _by_place(self) -> dict[Place, JsonObject]:
        found: dict[Place, JsonObject] = {}
        for room in self.notifier.rooms:
            clients = sum(not member.is_internal for member in room.members.values())
            if clients:
                found.setdefault(room.place, {})[room.id] = clients
        return found

    def _subscribing(self) -> Action:
        return Action(
            controller="realtime",
            name="subscribe",
            handler=self.subscribe,
            places=places.named,
            summary="Listen to the documents of a collection that match a filter.",
            arguments=(*_TARGET, *CHOICE),
            body="required",
            result=_JOINED,
            errors=(*_LISTEN_ERRORS, "api.assert.koncorde_dsl_error"),
        )

    # -- the actions --------------------------------------------------------------------

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller, in the order of their names."""
        found = (*self._asking(), *self._listening(), *self._publishing(), self._subscribing())
        return tuple(sorted(found, key=lambda action: action.name))

    def _asking(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="realtime",
                name="count",
                handler=self.count,
                places=self._room_place,
                summary="How many listen in a room.",
                arguments=(_ROOM,),
                body="required",
                result="`{count}`; 0 for a room that doesn't exist",
                errors=_ROOM_ERRORS,
            ),
            Action(
                controller="realtime",
                name="list",
                handler=self.listed,
                places=places.nowhere,
                summary="Every room that the caller could listen in, and how many clients do.",
                routes=(Route("GET", "/_listSubscriptions"),),
                result="`{<index>: {<collection>: {<roomId>: integer}}}`",
            ),
        )

    def _listening(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="realtime",
                name="join",
                handler=self.join,
                places=self._room_place,
                summary="Listen in a room that somebody has subscribed to.",
                arguments=(_ROOM, *CHOICE),
                body="required",
                result=_JOINED,
                errors=(*_LISTEN_ERRORS, "core.realtime.room_not_found"),
            ),
            Action(
                controller="realtime",
                name="unsubscribe",
                handler=self.unsubscribe,
                places=places.nowhere,
                summary="Listen in a room no longer.",
                arguments=(_ROOM,),
                body="required",
                result="`{roomId}`",
                errors=(*_ROOM_ERRORS, "core.realtime.not_subscribed"),
            ),
        )

    def _publishing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="realtime",
                name="publish",
                handler=self.publish,
                places=places.named,
                summary="Send a message to those whose filter it matches; it isn't stored.",
                routes=(Route("POST", "/:index/:collection/_publish"),),
                arguments=_MESSAGE,
                body="required",
                result="`{published: true}`",
                errors=(*_ROOM_ERRORS, *INVALID),
                order_key=_message_key,
            ),
            Action(
                controller="realtime",
                name="validate",
                handler=self.validate,
                places=places.named,
                summary="What is wrong with a message; it isn't sent.",
                arguments=_MESSAGE,
                body="required",
                result=VERDICT,
                errors=_ROOM_ERRORS,
            ),
        )


def _message(request: Request) -> tuple[Place, JsonObject]:
    place = (request.name("index"), request.name("collection"))
    return place, request.body_object()


def _message_key(request: Request) -> Hashable | None:
    # A collection's messages of one connection are sent in the order they arrived.
    return ("publish", request.index, request.collection)


def choice(request: Request) -> tuple[Audience, Audience]:
    """What of the documents and of others a subscriber wants to hear: `scope` and `users`."""
    scope = _audience(request, "scope", "all", "core.realtime.invalid_scope")
    return scope, _audience(request, "users", "none", "core.realtime.invalid_users")


def _audience(request: Request, name: str, default: Audience, refusal: str) -> Audience:
    given = request.string(name, default)
    for audience in AUDIENCES:
        if given == audience:
            return audience
    raise RouterError(refusal)
