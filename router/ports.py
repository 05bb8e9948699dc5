"""What the router needs from other rooms, as protocols that they implement."""

from __future__ import annotations

from typing import Protocol

from router.actions import Action
from router.envelope import Request, Response, User, Wire


class Authority(Protocol):
    """Decides who a request speaks for and what that user may do."""

    async def identify(self, request: Request) -> User:
        """The user of the request's token, the anonymous one without a token.

        Raises:
            RouterError: `security.token.invalid`.
        """

    def allows(self, user: User, action: Action, request: Request) -> bool:
        """Whether the user may run this action with these arguments."""


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
