"""The authority of a router that has no users: everybody is the anonymous one."""

from __future__ import annotations

from router.actions import Action
from router.envelope import ANONYMOUS, Request, User
from router.errors import RouterError


class OpenAuthority:
    """Lets the anonymous user do everything; the listeners see to it that only locals can ask."""

    async def identify(self, request: Request) -> User:
        """The anonymous user.

        Raises:
            RouterError: `security.token.invalid` for a request with a token, since no token was
                ever given out.
        """
        if request.jwt is not None:
            raise RouterError("security.token.invalid")
        return ANONYMOUS

    def allows(self, user: User, action: Action, request: Request) -> bool:  # noqa: ARG002 - a port
        """Yes."""
        return True
