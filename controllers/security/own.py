"""What users may ask and change about themselves: the `auth` actions without tokens."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from access.credentials import STRATEGY
from access.directory import Account
from access.register import Register
from controllers.security import asked
from controllers.security import credentials as stored
from controllers.security.asked import by, logged_in, routes, seen, shown
from controllers.security.might import MIGHT, might
from controllers.security.rights import strategies_of
from router import places
from router.actions import Action, ActionTable, Handler
from router.envelope import Json, Request
from router.errors import RouterError

_LOGIN_FIRST: Final = "security.rights.unauthorized"


class _Own(NamedTuple):
    name: str
    verb: str
    end: str
    summary: str


_CREATE: Final = _Own("createMyCredentials", "POST", "/_create", "Get credentials of one's own.")
_UPDATE: Final = _Own("updateMyCredentials", "PUT", "/_update", "Change one's own credentials.")
_VALIDATE: Final = _Own(
    "validateMyCredentials",
    "POST",
    "/_validate",
    "Whether these could be one's own credentials; refused if not.",
)
_DELETE: Final = _Own("deleteMyCredentials", "DELETE", "", "Give one's own credentials up.")
_GET: Final = _Own("getMyCredentials", "GET", "", "What one logs in with, without the secret.")
_EXIST: Final = _Own("credentialsExist", "GET", "/_exists", "Whether one has credentials.")


class OwnController(msgspec.Struct, frozen=True):
    """Answers for the user who asks."""

    register: Register
    table: ActionTable

    async def current(self, request: Request) -> Json:
        """Who asks."""
        account = await self._account(request)
        return {
            "_id": account.id,
            "_source": {**account.content, "profileIds": [*account.profile_ids]},
            "strategies": await strategies_of(self.register, account.id),
        }

    async def rights(self, request: Request) -> Json:
        """What the one who asks may do."""
        return asked.listed_rights((await self._account(request)).rights.listed())

    async def check(self, request: Request) -> Json:
        """Whether the one who asks might make a request."""
        return {"allowed": might(self.table, await self._account(request), request)}

    async def update(self, request: Request) -> Json:
        """Change what is known of the one who asks, but for the rights."""
        kuid, changes = logged_in(request), request.body_object()
        for name in ("_id", "profileIds"):
            if name in changes:
                raise RouterError("api.assert.forbidden_argument", f"body.{name}")
        document = await self.register.users.update(kuid, changes, by(request))
        await seen(request, self.register.users.keeping)
        return shown(document)

    async def strategies(self, _: Request) -> Json:
        """The ways to log in."""
        return [STRATEGY]

    async def create_credentials(self, request: Request) -> Json:
        """Get credentials of one's own."""
        kuid, given = self._asking(request), request.body_object()
        return (await self.register.credentials.create(kuid, given, by(request))).to_json()

    async def update_credentials(self, request: Request) -> Json:
        """Change one's own credentials."""
        kuid, given = self._asking(request), request.body_object()
        return (await self.register.credentials.update(kuid, given, by(request))).to_json()

    async def validate_credentials(self, request: Request) -> Json:
        """Whether these could be one's own credentials."""
        kuid = self._asking(request)
        await self.register.credentials.check(kuid, request.body_object(), is_update=False)
        return True

    async def delete_credentials(self, request: Request) -> Json:
        """Give one's own credentials up."""
        await self.register.credentials.delete(self._asking(request), by(request))
        return {"acknowledged": True}

    async def get_credentials(self, request: Request) -> Json:
        """One's own credentials, without the secret."""
        return await stored.of_user(self.register.credentials, self._asking(request))

    async def has_credentials(self, request: Request) -> Json:
        """Whether one has credentials."""
        return await self.register.credentials.of_user(self._asking(request)) is not None

    def _asking(self, request: Request) -> str:
        kuid = logged_in(request)
        stored.check_strategy(request)
        return kuid

    async def _account(self, request: Request) -> Account:
        account = await self.register.directory.account(request.user.id)
        if account is not None:
            return account
        # The application may speak for somebody who isn't stored.
        ids = request.user.profile_ids
        rights = self.register.directory.rights(ids)
        return Account(request.user.id, ids, {"name": request.user.id}, rights, 0)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._telling(), *self._checking(), *self._credentials())

    def _telling(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="auth",
                name="getCurrentUser",
                handler=self.current,
                places=places.nowhere,
                summary="The user that the request speaks for.",
                routes=routes("GET /_me", "GET /users/_me"),
                result="`{_id, _source: {profileIds, …}, strategies}`",
            ),
            Action(
                controller="auth",
                name="getMyRights",
                handler=self.rights,
                places=places.nowhere,
                summary="What the user may do.",
                routes=routes("GET /_me/_rights", "GET /users/_me/_rights"),
                result=asked.RIGHTS,
            ),
            Action(
                controller="auth",
                name="getStrategies",
                handler=self.strategies,
                places=places.nowhere,
                summary="The names of the ways to log in.",
                routes=routes("GET /strategies"),
                result="Array of names.",
            ),
        )

    def _checking(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="auth",
                name="checkRights",
                handler=self.check,
                places=places.nowhere,
                summary="Whether the user might make the request that the body holds.",
                routes=routes("POST /_checkRights"),
                arguments=MIGHT,
                body="required",
                result="`{allowed: boolean}`",
                errors=(*asked.BODY, "api.assert.invalid_argument"),
            ),
            Action(
                controller="auth",
                name="updateSelf",
                handler=self.update,
                places=places.nowhere,
                summary="Change what is known of oneself, but for the rights.",
                routes=routes("PUT /_me", "PUT /_updateSelf"),
                arguments=(asked.REFRESH,),
                body="required",
                result=asked.SHOWN,
                errors=("api.assert.body_required", "api.assert.forbidden_argument", _LOGIN_FIRST),
            ),
        )

    def _credentials(self) -> tuple[Action, ...]:
        missing, own = "trivium.credentials.missing", stored.SHOWN
        return (
            self._of(_CREATE, self.create_credentials, own, stored.NEW),
            self._of(_UPDATE, self.update_credentials, own, stored.CHANGED),
            self._of(_VALIDATE, self.validate_credentials, "boolean", stored.NEW),
            self._of(_DELETE, self.delete_credentials, "`{acknowledged: true}`", (missing,)),
            self._of(_GET, self.get_credentials, own, (missing,)),
            self._of(_EXIST, self.has_credentials, "boolean", ()),
        )

    def _of(self, own: _Own, handler: Handler, result: str, errors: tuple[str, ...]) -> Action:
        return Action(
            controller="auth",
            name=own.name,
            handler=handler,
            places=places.nowhere,
            summary=own.summary,
            routes=routes(
                f"{own.verb} /_me/credentials/:strategy{own.end}",
                f"{own.verb} /credentials/:strategy/_me{own.end}",
            ),
            arguments=(stored.STRATEGY_ARGUMENT,),
            body="required" if own.verb in ("POST", "PUT") else "none",
            result=result,
            errors=(_LOGIN_FIRST, *stored.UNKNOWN, *errors),
        )
