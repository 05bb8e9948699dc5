"""`realtime:stream`: a subscription as an answer without an end, for browsers and curl."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from controllers import arguments, embedded
from controllers.realtime import CHOICE, Realtime, choice
from realtime.event_streams import EventStream, StreamLimits
from realtime.holds import Hold
from realtime.starts import NOW, read_start
from router import places
from router.actions import Action, Argument, Route
from router.connections import Connections
from router.envelope import Json, JsonObject, Reply, Request, Stream
from router.errors import RouterError


class Streams(msgspec.Struct, frozen=True):
    """Subscriptions over HTTP.

    Attributes:
        follow: Ends a connection's subscriptions with the token that the request came with.
        node: Name of this router.
    """

    realtime: Realtime
    connections: Connections
    follow: Callable[[Request], Awaitable[None]]
    node: str

    async def stream(self, request: Request) -> Reply:
        """Listen to the documents of a collection by server-sent events."""
        if request.connection.wire != "http":
            wire = request.connection.wire
            raise RouterError("api.assert.unsupported_protocol", wire, "realtime:stream")
        place = (request.name("index"), request.name("collection"))
        if not self.realtime.reviews.may_listen(request.user, place):
            raise RouterError("security.rights.forbidden", "realtime", "subscribe", request.user.id)
        form = self.realtime.form(_filter(request))
        scope, users = choice(request)
        # A browser that comes back asks the same URL again, and names what it saw last.
        given = request.connection.headers.get("last-event-id") or request.args.get("from") or NOW
        start = await read_start(given, self.realtime.storage)
        assert start is not None
        hold = Hold()
        own, rooms = request.connection.id, self.realtime.notifier.rooms
        events = EventStream(
            self.connections,
            own,
            node=self.node,
            is_listening=lambda: bool(rooms.of(own)),
            limits=self._limits,
        )
        try:
            await self.follow(request)
            self.realtime.past.check(request)
            joined = self.realtime.notifier.subscribe(
                request, place, form, users=users, scope=scope, hold=hold
            )
        except BaseException:
            events.close()
            raise
        feed = self.realtime.storage.feed
        room, channel = joined
        told: JsonObject = {"roomId": room.id, "channel": channel.name}
        position: JsonObject = {"feed": feed, "seq": start.after}
        events.begin({**told, **position}, "" if start.is_snapshot else f"{feed}:{start.after}")
        self.realtime.past.tell(request, joined, hold, start)
        return Reply(stream=Stream(events.chunks(), "text/event-stream", events.close))

    @property
    def _limits(self) -> StreamLimits:
        chosen = self.realtime.settings
        return StreamLimits(chosen.stream_heartbeat_s, chosen.stream_unsent_bytes)

    def actions(self) -> tuple[Action, ...]:
        """The action."""
        return (
            Action(
                controller="realtime",
                name="stream",
                handler=self.stream,
                places=places.named,
                summary="Listen to the documents of a collection by server-sent events; over HTTP "
                "only. Asks for the right to `realtime:subscribe`.",
                routes=(Route("GET", "/:index/:collection/_subscribe"),),
                arguments=(
                    arguments.INDEX,
                    arguments.COLLECTION,
                    Argument("filter", "object", "In Koncorde; without one every document."),
                    *CHOICE,
                ),
                aliases=(("realtime", "subscribe"),),
                is_bare=True,
                media=("text/event-stream",),
                result="Server-sent events: first `subscribed` with `{roomId, channel, feed, "
                "seq}`, then notifications with `<feed>:<seq>` as id, so that `Last-Event-ID` "
                "goes on from there; `end` with `{reason}` where the router ends it.",
                errors=(
                    "api.assert.missing_argument",
                    "api.assert.invalid_argument",
                    "api.assert.invalid_type",
                    "api.assert.koncorde_dsl_error",
                    "api.assert.unsupported_protocol",
                    "core.realtime.invalid_scope",
                    "core.realtime.invalid_users",
                    "core.realtime.too_many_rooms",
                    "trivium.feed.gone",
                    "trivium.feed.too_many_readers",
                ),
            ),
        )


def _filter(request: Request) -> JsonObject:
    given: Json = request.args.get("filter")
    if isinstance(given, str):
        try:
            given = embedded.parse(given)
        except ValueError:
            raise RouterError("api.assert.invalid_argument", "filter", "JSON text") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise RouterError("api.assert.invalid_type", "filter", "object")
    return given
