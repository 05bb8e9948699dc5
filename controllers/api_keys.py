"""API keys: those of the caller (`auth`), and those of any user (`security`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from access.api_keys import Order
from access.authority import Authority, Papers
from access.lifetimes import INFINITE, check_lifetime, read_lifetime
from controllers import arguments, searches
from controllers.tokens import authenticated
from controllers.writes import author
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.places import everywhere, nowhere
from router.settings import AccessSettings

_USER: Final = Argument("userId", "string", "The user that the key speaks for.", required=True)
_ID: Final = Argument("_id", "string", "Id of the key.", required=True)
_NEW: Final = (
    Argument("_id", "string", "Id of the new key; a random one if absent."),
    Argument("expiresIn", "any", 'How long it lives: ms, or a text such as "1h"; for ever if -1.'),
    arguments.REFRESH,
    Argument("description", "string", "What it is for.", required=True, place="body"),
)
_MADE: Final = "`{_id, _source: {userId, description, expiresAt, ttl, fingerprint, token}}`"
_FOUND: Final = "`{hits: [{_id, _source}], total}`, without the keys themselves"
_MAKING_ERRORS: Final = (
    "api.assert.invalid_argument",
    "api.assert.missing_argument",
    "services.storage.document_already_exists",
)
_MISSING: Final = ("services.storage.not_found",)

WhoseKey = Callable[[Request], Awaitable[str]]


class ApiKeyActions(msgspec.Struct, frozen=True):
    """Makes, lists and deletes API keys; ends the tokens of a user."""

    authority: Authority
    papers: Papers
    settings: AccessSettings
    fetch_max: int

    async def create_own(self, request: Request) -> Json:
        """A key that speaks for the caller."""
        kuid = authenticated(request)
        lifetime_ms = _lifetime(request)
        check_lifetime(lifetime_ms, self.settings.api_key_max_ttl_s)
        return await self._create(request, kuid, lifetime_ms)

    async def create_of_user(self, request: Request) -> Json:
        """A key that speaks for a user, however long it is to live."""
        return await self._create(request, await self._user(request, "userId"), _lifetime(request))

    async def search_own(self, request: Request) -> Json:
        """The caller's keys."""
        return await self._search(request, authenticated(request))

    async def search_of_user(self, request: Request) -> Json:
        """The keys of a user."""
        return await self._search(request, await self._user(request, "userId"))

    async def delete_own(self, request: Request) -> Json:
        """Delete a key of the caller."""
        return await self._delete(request, authenticated(request))

    async def delete_of_user(self, request: Request) -> Json:
        """Delete a key of a user."""
        return await self._delete(request, await self._user(request, "userId"))

    async def revoke_tokens(self, request: Request) -> Json:
        """End all tokens of a user; API keys go on."""
        await self.papers.tokens.revoke_all(await self._user(request, "_id"))
        return None

    # -- inside -------------------------------------------------------------------------

    async def _user(self, request: Request, key: str) -> str:
        kuid = request.name(key)
        if not await self.authority.is_user(kuid):
            raise RouterError("security.user.not_found", kuid)
        return kuid

    async def _create(self, request: Request, kuid: str, lifetime_ms: float) -> Json:
        order = Order(
            description=request.body_name("description"),
            id=request.new_id(),
            author=author(request),
            refresh=_refreshes(request),
        )
        key = await self.papers.api_keys.create(kuid, lifetime_ms, order)
        return {"_id": key.id, "_source": key.source}

    async def _search(self, request: Request, kuid: str) -> Json:
        # The body is the query itself, unlike that of other searches.
        body = request.body
        if isinstance(body, dict) and body and "query" not in body:
            request = request.replace(body={"query": body})
        search = searches.read(request, fetch_max=self.fetch_max)
        page = await self.papers.api_keys.search(kuid, search)
        hits: list[Json] = [{"_id": hit.id, "_source": hit.source} for hit in page.hits]
        return {"hits": hits, "total": page.total}

    async def _delete(self, request: Request, kuid: str) -> Json:
        key_id = request.name("_id")
        await self.papers.api_keys.delete(kuid, key_id, refresh=_refreshes(request))
        result: JsonObject = {"_id": key_id}
        return result

    # -- as data --------------------------------------------------------------------------

    def own(self) -> tuple[Action, ...]:
        """The actions of `auth`."""
        return (
            Action(
                controller="auth",
                name="createApiKey",
                handler=self.create_own,
                places=nowhere,
                summary="A key that speaks for the caller; it is shown this once.",
                routes=(Route("POST", "/api-keys/_create"),),
                arguments=_NEW,
                body="required",
                result=_MADE,
                errors=("security.token.ttl_exceeded", *_MAKING_ERRORS),
            ),
            Action(
                controller="auth",
                name="deleteApiKey",
                handler=self.delete_own,
                places=nowhere,
                summary="Delete a key of the caller; it is refused from now on.",
                routes=(Route("DELETE", "/api-keys/:_id"),),
                arguments=(_ID, arguments.REFRESH),
                result="`{_id}`",
                errors=_MISSING,
            ),
            Action(
                controller="auth",
                name="searchApiKeys",
                handler=self.search_own,
                places=nowhere,
                summary="The caller's keys.",
                routes=(Route("POST", "/api-keys/_search"),),
                arguments=(arguments.FROM, arguments.SIZE, arguments.LANG),
                body="optional",
                result=_FOUND,
                errors=searches.ERRORS,
            ),
        )

    def of_users(self) -> tuple[Action, ...]:
        """The actions of `security`."""
        return (
            Action(
                controller="security",
                name="createApiKey",
                handler=self.create_of_user,
                places=everywhere,
                summary="A key that speaks for a user; it is shown this once.",
                routes=(Route("POST", "/users/:userId/api-keys/_create"),),
                arguments=(_USER, *_NEW),
                body="required",
                result=_MADE,
                errors=("security.user.not_found", *_MAKING_ERRORS),
            ),
            Action(
                controller="security",
                name="deleteApiKey",
                handler=self.delete_of_user,
                places=everywhere,
                summary="Delete a key of a user; it is refused from now on.",
                routes=(Route("DELETE", "/users/:userId/api-keys/:_id"),),
                arguments=(_USER, _ID, arguments.REFRESH),
                result="`{_id}`",
                errors=("security.user.not_found", *_MISSING),
            ),
            *self._others_of_users(),
        )

    def _others_of_users(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="revokeTokens",
                handler=self.revoke_tokens,
                places=everywhere,
                summary="End all tokens of a user; API keys go on.",
                routes=(Route("DELETE", "/users/:_id/tokens"),),
                arguments=(Argument("_id", "string", "Id of the user.", required=True),),
                result="null",
                errors=("security.user.not_found",),
            ),
            Action(
                controller="security",
                name="searchApiKeys",
                handler=self.search_of_user,
                places=everywhere,
                summary="The keys of a user.",
                routes=(Route("POST", "/users/:userId/api-keys/_search"),),
                arguments=(_USER, arguments.FROM, arguments.SIZE, arguments.LANG),
                body="optional",
                result=_FOUND,
                errors=("security.user.not_found", *searches.ERRORS),
            ),
        )


def _lifetime(request: Request) -> float:
    return read_lifetime(request.args.get("expiresIn"), default_ms=INFINITE)


def _refreshes(request: Request) -> bool:
    return "refresh" not in request.args or request.refresh_lenient()
