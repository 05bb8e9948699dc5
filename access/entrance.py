"""Everything by which somebody is let in, put together over the private store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
import structlog

from access.api_keys import ApiKeys
from access.authority import Authority, Papers
from access.cookies import CookiePolicy
from access.keyring import KeyringError, KeySource
from access.links import Links
from access.logins import Logins
from access.places import CONFIG, INDEX, MAPPINGS
from access.register import Register
from access.sessions import Sessions
from access.throttle import LoginThrottle
from access.tokens import Tokens, system_ms
from router.connections import Connections
from router.errors import RouterError
from router.settings import Settings
from router.tasks import ended
from storage.contract import Storage

_SWEEP_S: Final = 600.0
"""Between two clean-ups; what has expired is refused at once, it only takes room until then."""

_log: Final = structlog.get_logger("trivium.access")


class Entrance(msgspec.Struct, frozen=True):
    """Tokens, API keys, cookies and passwords, and whom they let in."""

    private: Storage
    keys: KeySource
    papers: Papers
    authority: Authority

    async def prepare(self) -> None:
        """Make ready; call once the private store is open and the register prepared.

        Raises:
            KeyringError: The signing keys can't be used.
        """
        await self.private.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
        await self.papers.tokens.prepare()
        await self.papers.api_keys.prepare()

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """For the time of the block what has expired is cleaned up now and then."""
        cleaning = asyncio.create_task(self._clean())
        try:
            yield
        finally:
            await ended(cleaning)
            self.papers.links.close()

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                await self.papers.tokens.sweep()
            except (RouterError, KeyringError) as error:
                # The store may be away; there is always a next time.
                _log.warning("expired tokens were not cleaned up", reason=str(error))


def make_entrance(
    private: Storage,
    register: Register,
    connections: Connections,
    settings: Settings,
    keys: KeySource,
    *,
    clock: Callable[[], float] = system_ms,
) -> Entrance:
    """An entrance over stores that need not be open yet.

    Users who are deleted lose their tokens and API keys.
    """
    sessions = Sessions(settings.access.tokens_cached)
    papers = Papers(
        sessions=sessions,
        tokens=Tokens(private, keys, sessions, settings.access, clock),
        api_keys=ApiKeys(private, keys, sessions, clock),
        cookies=CookiePolicy(settings),
        logins=Logins(register.credentials, LoginThrottle(settings.logins)),
        links=Links(connections, sessions, clock),
    )
    register.users.farewells.extend([papers.tokens.revoke_all, papers.api_keys.delete_all])
    authority = Authority(register.directory, papers, clock)
    return Entrance(private, keys, papers, authority)
