"""What the router needs from other rooms, as protocols that they implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from router.actions import Action
from router.envelope import Bearer, Connection, Request, Response, User, Wire
from router.errors import RouterError


class Authority(Protocol):
    """Decides who a request speaks for and what that user may do."""

    async def identify(self, request: Request) -> User:
        """The user of the request's token, the anonymous one without a token.

        Raises:
            RouterError: `security.token.invalid`.
        """

    async def assume(self, user: User) -> User:
        """The same user with the rights of now, for a call of the application in its name."""

    def allows(self, user: User, action: Action, request: Request) -> bool:
        """Whether the user may run this action with these arguments."""


class Twins(Protocol):
    """Topics that tell the present state of an asset."""

    def has(self, topic: str) -> bool:
        """Whether it is such a topic."""

    def follow(
        self,
        connection: Connection,
        topics: Mapping[str, bool],
        settled: Callable[[Sequence[bool]], None],
    ) -> None:
        """Tell a connection of these from now on, if it may read the assets, and at once of those
        that it wants to know of by now; `settled` is called before with whether it may."""

    def leave(self, connection: str, topic: str) -> None:
        """Tell it of this one no longer."""


class Auditor(Protocol):
    """Keeps who did what to what, and who was kept out. None of it waits."""

    def check(self, action: Action) -> None:
        """Told before an action is run.

        Raises:
            RouterError: `trivium.audit.unavailable`, it can't be audited and so may not run.
        """

    def answered(
        self,
        action: Action | None,
        request: Request,
        response: Response,
        *,
        count: int | None = None,
    ) -> None:
        """Told once of each answer; `action` is None for one that doesn't exist. `count`: for how
        many at once it was, where that isn't in the request."""

    def turned_away(self, connection: Connection, request_id: str, error: RouterError) -> None:
        """Told by a wire of whom it refused before there was a request."""


class Unaudited:
    """The auditor of a router that keeps no audit."""

    def check(self, action: Action) -> None:
        """Let it pass."""

    def answered(
        self,
        action: Action | None,
        request: Request,
        response: Response,
        *,
        count: int | None = None,
    ) -> None:
        """Forget it."""

    def turned_away(self, connection: Connection, request_id: str, error: RouterError) -> None:
        """Forget it."""


class Doorkeeper(Protocol):
    """Decides who may open a connection that lives on."""

    async def admit(
        self, connection: Connection, username: str | None, password: str | None
    ) -> Bearer | None:
        """Check what a connection was opened with; what it returns is the connection's `bearer`.

        An API key or a token may stand in the place of the password.

        Raises:
            RouterError: The credentials are not good (401), or can't be looked at now.
        """


class TopicRights(Protocol):
    """What one client may do with topics, with the rights that it has at the time of asking."""

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish on this topic name."""

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may have every message that this filter matches."""

    def may_send(self) -> bool:
        """Count one more message within this second; False if its user has had its share."""

    def while_away(self) -> TopicRights:
        """The same without its credentials, which may end before it comes back with others."""


class TopicAuthority(Protocol):
    """Tells what clients may do with topics."""

    async def of_connection(self, connection: Connection) -> TopicRights:
        """The rights of whoever opened a connection, for as long as its credentials are good."""

    async def of_user(self, kuid: str, client_id: str) -> TopicRights:
        """The rights of a user whose client is away; of nobody for an empty id."""


class Dispatcher(Protocol):
    """What a wire hands its requests to."""

    async def dispatch(self, request: Request) -> Response:
        """Answer the request; never raises but for cancellation."""


class ConnectionObserver(Protocol):
    """Told by the wires of their connections and of frames that never became requests."""

    def opened(self, wire: Wire) -> None:
        """A client connected."""

    def closed(self, wire: Wire) -> None:
        """A client's connection is gone."""

    def refused(self, wire: Wire, reason: str) -> None:
        """A frame or connection was refused before dispatch; `reason` is a short fixed text."""
