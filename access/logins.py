"""Logging in: the password is looked at, unless there were too many wrong ones."""

from __future__ import annotations

from access.credentials import Credentials
from access.throttle import LoginThrottle
from router.errors import RouterError

WRONG = "plugin.strategy.missing_user"


class Logins:
    """The one way to a user by name and password, for every wire."""

    def __init__(self, credentials: Credentials, throttle: LoginThrottle) -> None:
        self._credentials = credentials
        self._throttle = throttle

    async def verify(self, username: str, password: str, address: str) -> str:
        """The id of the user whose name and password these are.

        Args:
            address: Where the attempt comes from.

        Raises:
            RouterError: `plugin.strategy.missing_user`, `api.process.overloaded`, and
                `api.process.too_many_logins_requests` after too many wrong ones.
        """
        self._throttle.check(username, address)
        is_decided = False
        try:
            kuid = await self._credentials.verify(username, password)
            is_decided = True
        except RouterError as error:
            is_decided = error.id == WRONG
            raise
        finally:
            if not is_decided:
                self._throttle.undecided(username, address)
        self._throttle.succeeded(username, address)
        return kuid
