"""Who a request speaks for, and what that user may do."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

import msgspec

from access import api_keys, standard, tokens
from access.api_keys import ApiKeys
from access.cookies import CookiePolicy
from access.directory import Account, Directory
from access.links import Links
from access.logins import WRONG, Logins
from access.rights import Grant, Rights
from access.roles import read as read_role
from access.sessions import REVOKED, Session, Sessions, invalid
from access.tokens import Tokens, system_ms
from router.actions import Action
from router.envelope import ANONYMOUS, APPLICATION, Connection, Request, User
from router.errors import RouterError

_LASTING: Final = ("websocket", "mqtt")
"""Wires whose connections live on between requests."""

_WITHOUT_TOKEN: Final = frozenset({("auth", "login"), ("auth", "checkToken")})
"""What a browser must be able to ask although its cookie is good no longer: no page can delete
a cookie that it can't see."""


_NONE: Final = Rights(())
_NOBODY: Final = ANONYMOUS.id
_UNKNOWN: Final = object()


class Caller(User, frozen=True):
    """A user as one request needs it. `session` is that of its token, None without one."""

    rights: Rights = _NONE
    session: Session | None = None


class Papers(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller can show: tokens, API keys, cookies, a name and password."""

    sessions: Sessions
    tokens: Tokens
    api_keys: ApiKeys
    cookies: CookiePolicy
    logins: Logins
    links: Links


class Authority:
    """Identifies by the token of a request, by a browser's cookie, or by the connection.

    Args:
        clock: ms since 1970.
    """

    def __init__(
        self, directory: Directory, papers: Papers, clock: Callable[[], float] = system_ms
    ) -> None:
        self._directory = directory
        self._papers = papers
        self._sessions = papers.sessions
        self._clock = clock
        self._nobody: User = ANONYMOUS
        self._is_open = False
        self._nobodys: object = _UNKNOWN

    # -- who ------------------------------------------------------------------------------

    async def identify(self, request: Request) -> User:
        """See `router.ports.Authority`."""
        connection = request.connection
        session = await self._by_cookie(request) if "cookie" in connection.headers else None
        if session is not None:
            pass
        elif request.jwt:
            session = await self._session(request.jwt)
        elif connection.bearer is not None:
            session = _borne(connection.bearer, self._clock())
        elif connection.certified:
            return await self._certified(connection.certified)
        else:
            if self._directory.known(_NOBODY) is not self._nobodys:
                await self._learn_nobody()
            if self._is_open and not connection.is_local():
                # As long as anybody may do everything, only those of this machine are meant.
                return _STRANGER
            return self._nobody
        account = self._directory.known(session.kuid) or await self._account(session.kuid)
        if connection.wire in _LASTING and not session.single_use:
            self._papers.links.use(connection.id, session)
        return _caller(account, session)

    async def assume(self, user: User) -> User:
        """See `router.ports.Authority`."""
        account = await self._directory.account(user.id)
        if account is None and self._directory.has_admin:
            return Caller(user.id, user.profile_ids, 0, _NONE)
        if account is None:
            # Nobody has to be a user yet in whose name the application may call.
            account = await self._directory.account(ANONYMOUS.id)
            assert account is not None
        return Caller(user.id, user.profile_ids or account.profile_ids, 0, account.rights)

    async def session_of(self, text: str) -> Session:
        """The session of a token or API key, whoever shows it.

        Raises:
            RouterError: `security.token.invalid`.
        """
        session = await self._session(text)
        await self._account(session.kuid)
        return session

    async def follow(self, request: Request) -> None:
        """Let the connection of a request, if it lives on, end with the token that it came with.

        Raises:
            RouterError: As `identify`.
        """
        connection = request.connection
        session = await self._by_cookie(request) if "cookie" in connection.headers else None
        if session is None and request.jwt:
            session = await self._session(request.jwt)
        if session is not None and not session.single_use:
            self._papers.links.use(connection.id, session)

    async def is_user(self, kuid: str) -> bool:
        """Whether there is such a user; the anonymous one is none."""
        return kuid != ANONYMOUS.id and await self._directory.account(kuid) is not None

    def cookie_of(self, connection: Connection) -> str | None:
        """The token in the connection's cookies. Raises: as `CookiePolicy.token`."""
        return self._papers.cookies.token(connection.headers)

    async def _session(self, text: str) -> Session:
        session = self._sessions.of_text(text)
        if session is not None and not session.single_use and not session.is_revoked:
            session.check(self._clock())
            return session
        if text.startswith(api_keys.PREFIX):
            return await self._papers.api_keys.verify(text)
        return await self._papers.tokens.verify(text)

    async def _by_cookie(self, request: Request) -> Session | None:
        try:
            token = self.cookie_of(request.connection)
            if token is None:
                return None
            if request.jwt:
                raise RouterError(
                    "security.token.verification_error", "the request has one beside the cookie"
                )
            return await self._session(token)
        except RouterError as error:
            if error.status != 401 or (request.controller, request.action) not in _WITHOUT_TOKEN:
                raise
            return None

    async def _account(self, kuid: str) -> Account:
        account = await self._directory.account(kuid)
        if account is None or kuid == ANONYMOUS.id:
            raise invalid(REVOKED)
        return account

    async def _certified(self, kuid: str) -> User:
        account = await self._directory.account(kuid)
        if account is None or kuid == ANONYMOUS.id:
            raise invalid(f'The certificate is that of "{kuid}", who is not a user here.')
        return _caller(account, None)

    async def _learn_nobody(self) -> None:
        account = await self._directory.account(_NOBODY)
        assert account is not None
        self._is_open = account.rights.is_everything
        # The object that every request has to begin with: it needs no copy.
        is_plain = self._is_open and not account.rate_limit
        self._nobody = ANONYMOUS if is_plain else _caller(account, None)
        self._nobodys = account

    # -- at the door ----------------------------------------------------------------------

    async def admit(
        self, connection: Connection, username: str | None, password: str | None
    ) -> Session | None:
        """See `router.ports.Doorkeeper`."""
        if not self._directory.has_admin:
            # Nobody can have a password yet that would tell more than anonymous; in the peer
            # they are never looked at.
            return None
        if password is None:
            raise RouterError(WRONG, "Missing credentials")
        if password.startswith((api_keys.PREFIX, tokens.PREFIX)):
            session = await self.session_of(password)
        else:
            kuid = await self._papers.logins.verify(username or "", password, connection.address)
            await self._account(kuid)
            fresh = Session(id=f"connection:{uuid.uuid4().hex}", kuid=kuid, kind="connection")
            session = self._sessions.add(fresh)
        self._papers.links.open_with(connection.id, session)
        return session

    # -- what -----------------------------------------------------------------------------

    def allows(self, user: User, action: Action, request: Request) -> bool:
        """See `router.ports.Authority`."""
        if user is ANONYMOUS or user is APPLICATION:
            # The first as `identify` gave it, to somebody who may do everything.
            return True
        rights = user.rights if isinstance(user, Caller) else _NONE
        return rights.is_everything or rights.allows(action, action.places(request))


def _borne(bearer: object, now_ms: float) -> Session:
    assert isinstance(bearer, Session)
    bearer.check(now_ms)
    return bearer


def _caller(account: Account, session: Session | None) -> Caller:
    return Caller(account.id, account.profile_ids, account.rate_limit, account.rights, session)


_STRANGER: Final = Caller(
    ANONYMOUS.id,
    ANONYMOUS.profile_ids,
    200,
    Rights([Grant(read_role("anonymous", standard.STANDARD_ROLES["anonymous"]))]),
)
"""Whom `security.standard` lets in: enough to log in."""
