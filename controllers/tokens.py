"""The actions of `auth` by which callers log in and out, and get tokens."""

from __future__ import annotations

from typing import Final

import msgspec

from access import cookies
from access.authority import Authority, Caller, Papers
from access.credentials import STRATEGY
from access.lifetimes import INFINITE, check_lifetime, read_lifetime
from access.sessions import Session
from access.tokens import Token
from router.actions import Action, Argument, Route
from router.envelope import ANONYMOUS, Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.places import nowhere
from router.settings import AccessSettings

_BAD: Final = "plugin.strategy.missing_user"

_EXPIRES_IN: Final = Argument(
    "expiresIn", "any", 'How long the token lives: ms, or a text such as "1h"; -1 is for ever.'
)
_COOKIE: Final = Argument(
    "cookieAuth", "flag", "Over HTTP: put the token into a cookie, and not into the result."
)
_TTL_ERRORS: Final = ("api.assert.invalid_argument", "security.token.ttl_exceeded")
_COOKIE_ERRORS: Final = ("security.cookie.unsupported",)


class TokenActions(msgspec.Struct, frozen=True):
    """Logs in and out, renews, gives out and checks tokens."""

    authority: Authority
    papers: Papers
    settings: AccessSettings

    async def login(self, request: Request) -> Json | Reply:
        """A token for the user whose name and password the body has."""
        strategy = request.name("strategy")
        if strategy != STRATEGY:
            raise RouterError("security.credentials.unknown_strategy", strategy)
        lifetime_ms = self._lifetime(request)
        in_cookie = self._wants_cookie(request)
        username, password = _credentials(request)
        address = request.connection.address
        kuid = await self.papers.logins.verify(username, password, address)
        if not await self.authority.is_user(kuid):
            raise RouterError("plugin.strategy.unknown_kuid", STRATEGY)
        token = await self.papers.tokens.issue(kuid, lifetime_ms)
        self._link(request, token.session)
        return self._given(request, token, in_cookie=in_cookie)

    async def logout(self, request: Request) -> Json | Reply:
        """End the caller's token, or all of the user's; API keys go on."""
        session = _session(request)
        is_everywhere = request.flag("global")
        had_cookie = self._wants_cookie(request) or _came_by_cookie(request, session)
        if is_everywhere:
            await self.papers.tokens.revoke_all(request.user.id)
        elif session is not None and session.kind == "login":
            await self.papers.tokens.revoke(session)
        elif session is not None and session.kind == "connection":
            self.papers.sessions.revoke([session.id])
        result: JsonObject = {"acknowledged": True}
        if not had_cookie:
            return result
        return Reply(result=result, cookie=cookies.erased(is_secure=request.connection.is_secure))

    async def check(self, request: Request) -> Json:
        """Whether a token holds, and until when; without one the anonymous user's does."""
        body = request.body if isinstance(request.body, dict) else {}
        token = body.get("token")
        if token is not None and not isinstance(token, str):
            raise RouterError("api.assert.invalid_type", "body.token", "string")
        try:
            token = token or self.authority.cookie_of(request.connection)
            if not token:
                return {"valid": True, "kuid": ANONYMOUS.id, "expiresAt": -1}
            session = await self.authority.session_of(token)
        except RouterError as error:
            if error.status != 401:
                raise
            return {"valid": False, "state": error.message}
        return {"valid": True, "kuid": session.kuid, "expiresAt": session.expires_at}

    async def refresh(self, request: Request) -> Json | Reply:
        """A new token in the place of the caller's, which goes on for a moment only."""
        old = _session(request)
        if old is None or old.kind != "login":
            raise RouterError("security.token.refresh_forbidden", "What is no login's token")
        lifetime_ms = self._lifetime(request)
        in_cookie = self._wants_cookie(request) or _came_by_cookie(request, old)
        token = await self.papers.tokens.refresh(old, lifetime_ms)
        self.papers.links.move(old, token.session)
        return self._given(request, token, in_cookie=in_cookie)

    async def create(self, request: Request) -> Json:
        """One more token for the caller, to hand on."""
        _session(request)
        lifetime_ms = self._lifetime(request)
        if lifetime_ms == INFINITE:
            raise RouterError("security.token.invalid_expiration", "it would be good for ever")
        single_use = request.flag("singleUse")
        kuid = request.user.id
        token = await self.papers.tokens.issue(kuid, lifetime_ms, single_use=single_use)
        return {
            "expiresAt": token.session.expires_at,
            "singleUse": single_use,
            "token": token.text,
            "ttl": token.ttl,
        }

    # -- inside -------------------------------------------------------------------------

    def _lifetime(self, request: Request) -> float:
        default_ms = self.settings.token_ttl_s * 1_000
        lifetime_ms = read_lifetime(request.args.get("expiresIn"), default_ms=default_ms)
        check_lifetime(lifetime_ms, self.settings.token_max_ttl_s)
        return lifetime_ms

    def _wants_cookie(self, request: Request) -> bool:
        if not request.flag("cookieAuth"):
            return False
        if not self.settings.cookies or request.connection.wire != "http":
            raise RouterError("security.cookie.unsupported")
        return True

    def _link(self, request: Request, session: Session) -> None:
        # HTTP connections aren't known there: they can be told nothing.
        self.papers.links.use(request.connection.id, session)

    def _given(self, request: Request, token: Token, *, in_cookie: bool) -> Json | Reply:
        session = token.session
        result: JsonObject = {
            "_id": session.kuid,
            "expiresAt": session.expires_at,
            "ttl": token.ttl,
        }
        if not in_cookie:
            return {**result, "jwt": token.text}
        is_secure = request.connection.is_secure
        cookie = cookies.written(token.text, session.expires_at_ms, is_secure=is_secure)
        return Reply(result=result, cookie=cookie)

    # -- as data --------------------------------------------------------------------------

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (
            Action(
                controller="auth",
                name="checkToken",
                handler=self.check,
                places=nowhere,
                summary="Whether a token is valid; without one, that of the anonymous user.",
                routes=(Route("POST", "/_checkToken"),),
                arguments=(Argument("token", "string", "The token to check.", place="body"),),
                body="optional",
                result="`{valid: true, kuid, expiresAt}` or `{valid: false, state}`",
            ),
            Action(
                controller="auth",
                name="createToken",
                handler=self.create,
                places=nowhere,
                summary="One more token for the caller, perhaps for a single request.",
                routes=(Route("POST", "/_createToken"),),
                arguments=(_EXPIRES_IN, Argument("singleUse", "flag", "It is good for one use.")),
                result="`{expiresAt, singleUse, token, ttl}`",
                errors=("security.token.invalid_expiration", *_TTL_ERRORS),
            ),
            self._beginning(),
            *self._ending(),
        )

    def _beginning(self) -> Action:
        return Action(
            controller="auth",
            name="login",
            handler=self.login,
            places=nowhere,
            summary="A token for a user's name and password.",
            routes=(Route("GET", "/_login/:strategy"), Route("POST", "/_login/:strategy")),
            arguments=(
                Argument("strategy", "string", f"`{STRATEGY}`.", required=True),
                _EXPIRES_IN,
                _COOKIE,
                Argument("username", "string", "Name.", required=True, place="body"),
                Argument("password", "string", "Password.", required=True, place="body"),
            ),
            body="required",
            result="`{_id, jwt, expiresAt, ttl}`; times in ms, -1 for ever",
            errors=(
                "security.credentials.unknown_strategy",
                _BAD,
                "plugin.strategy.unknown_kuid",
                "api.process.too_many_logins_requests",
                *_TTL_ERRORS,
                *_COOKIE_ERRORS,
            ),
        )

    def _ending(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="auth",
                name="logout",
                handler=self.logout,
                places=nowhere,
                summary="End the caller's token.",
                routes=(Route("POST", "/_logout"),),
                arguments=(Argument("global", "flag", "End all tokens of the user."), _COOKIE),
                result="`{acknowledged: true}`",
                errors=_COOKIE_ERRORS,
            ),
            Action(
                controller="auth",
                name="refreshToken",
                handler=self.refresh,
                places=nowhere,
                summary="A new token in the place of the caller's.",
                routes=(Route("POST", "/_refreshToken"),),
                arguments=(_EXPIRES_IN, _COOKIE),
                result="`{_id, jwt, expiresAt, ttl}`",
                errors=("security.token.refresh_forbidden", *_TTL_ERRORS, *_COOKIE_ERRORS),
            ),
        )


def authenticated(request: Request) -> str:
    """The id of the caller, who must be somebody. Raises: `security.rights.unauthorized`."""
    if request.user.id == ANONYMOUS.id:
        raise RouterError("security.rights.unauthorized", request.controller, request.action)
    return request.user.id


def _session(request: Request) -> Session | None:
    authenticated(request)
    return request.user.session if isinstance(request.user, Caller) else None


def _came_by_cookie(request: Request, session: Session | None) -> bool:
    return session is not None and not request.jwt and request.connection.wire == "http"


def _credentials(request: Request) -> tuple[str, str]:
    if request.body is None:
        raise RouterError(_BAD, "Missing credentials")
    username = request.body_string("username", None)
    password = request.body_string("password", None)
    if not username or not password:
        raise RouterError(_BAD, "Missing credentials")
    return username, password
