"""Credentials of any user, as `security` has them; none of the answers holds a secret."""

from __future__ import annotations

from typing import Final

import msgspec

from access.credentials import FIELDS, STRATEGY, Credentials
from access.users import Users
from controllers import searches
from controllers.security import asked
from controllers.security.asked import by, routes
from router import places
from router.actions import Action, Argument
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError

STRATEGY_ARGUMENT: Final = Argument(
    "strategy", "string", "`local`: user name and password.", required=True
)
SHOWN: Final = "`{username, kuid}`"
NEW: Final = (
    "api.assert.body_required",
    "trivium.credentials.username_required",
    "trivium.credentials.password_required",
    "trivium.credentials.name_taken",
    "trivium.credentials.already_exist",
)
CHANGED: Final = (
    "api.assert.body_required",
    "trivium.credentials.nothing_given",
    "trivium.credentials.name_taken",
    "trivium.credentials.missing",
)
UNKNOWN: Final = (*asked.READ, "security.credentials.unknown_strategy")
_OF_USER: Final = (STRATEGY_ARGUMENT, asked.ID)


class CredentialController(msgspec.Struct, frozen=True):
    """Creates, checks, changes, finds and deletes what users log in with."""

    credentials: Credentials
    users: Users
    fetch_max: int

    async def create(self, request: Request) -> Json:
        """Give a user credentials."""
        kuid, given = await self._user(request), request.body_object()
        return (await self.credentials.create(kuid, given, by(request))).to_json()

    async def update(self, request: Request) -> Json:
        """Change a user's credentials."""
        kuid, given = await self._user(request), request.body_object()
        return (await self.credentials.update(kuid, given, by(request))).to_json()

    async def validate(self, request: Request) -> Json:
        """Whether these could be a user's credentials."""
        kuid = await self._user(request)
        await self.credentials.check(kuid, request.body_object(), is_update=False)
        return True

    async def delete(self, request: Request) -> Json:
        """Take a user's credentials away."""
        check_strategy(request)
        await self.credentials.delete(request.name("_id"), by(request))
        return {"acknowledged": True}

    async def get(self, request: Request) -> Json:
        """A user's credentials, without the secret."""
        check_strategy(request)
        return await of_user(self.credentials, request.name("_id"))

    async def get_by_id(self, request: Request) -> Json:
        """The same by user name."""
        check_strategy(request)
        name = request.name("_id")
        login = await self.credentials.of_name(name)
        if login is None:
            raise RouterError("trivium.credentials.missing", name)
        return login.to_json()

    async def has(self, request: Request) -> Json:
        """Whether a user has credentials."""
        check_strategy(request)
        return await self.credentials.of_user(request.name("_id")) is not None

    async def fields(self, request: Request) -> Json:
        """What credentials consist of."""
        check_strategy(request)
        return [*FIELDS]

    async def all_fields(self, _: Request) -> Json:
        """The same for every strategy."""
        return {STRATEGY: [*FIELDS]}

    async def search(self, request: Request) -> Json:
        """Find users by their credentials."""
        check_strategy(request)
        page = await self.credentials.search(searches.read(request, fetch_max=self.fetch_max))
        hits: list[Json] = [
            {"username": hit.id, "kuid": hit.source.get("kuid")} for hit in page.hits
        ]
        return {"hits": hits, "total": page.total}

    async def _user(self, request: Request) -> str:
        check_strategy(request)
        return (await self.users.keeping.get(request.name("_id"))).id

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._writing(), *self._deleting(), *self._reading(), *self._describing())

    def _writing(self) -> tuple[Action, ...]:
        return (
            self._writes(
                "createCredentials",
                "create",
                "Give a user credentials.",
                "POST /credentials/:strategy/:_id/_create",
                *NEW,
            ),
            self._writes(
                "updateCredentials",
                "update",
                "Change a user's name, password, or both.",
                "PUT /credentials/:strategy/:_id/_update",
                *CHANGED,
            ),
            self._writes(
                "validateCredentials",
                "validate",
                "Whether these could be a user's credentials; refused if not.",
                "POST /credentials/:strategy/:_id/_validate",
                *NEW,
            ),
        )

    def _writes(self, name: str, handler: str, summary: str, route: str, *errors: str) -> Action:
        return Action(
            controller="security",
            name=name,
            handler=getattr(self, handler),
            places=places.everywhere,
            summary=summary,
            routes=routes(route),
            arguments=(
                *_OF_USER,
                Argument("username", "string", "Name to log in with.", place="body"),
                Argument("password", "string", "Kept as argon2id only.", place="body"),
            ),
            body="required",
            result="boolean" if handler == "validate" else SHOWN,
            errors=(*UNKNOWN, "security.user.not_found", *errors),
        )

    def _deleting(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="deleteCredentials",
                handler=self.delete,
                places=places.everywhere,
                summary="Take a user's credentials away.",
                routes=routes("DELETE /credentials/:strategy/:_id"),
                arguments=_OF_USER,
                result="`{acknowledged: true}`",
                errors=(*UNKNOWN, "trivium.credentials.missing"),
            ),
        )

    def _reading(self) -> tuple[Action, ...]:
        missing = (*UNKNOWN, "trivium.credentials.missing")
        return (
            Action(
                controller="security",
                name="getCredentials",
                handler=self.get,
                places=places.everywhere,
                summary="What a user logs in with, without the secret.",
                routes=routes("GET /credentials/:strategy/:_id"),
                arguments=_OF_USER,
                result=SHOWN,
                errors=missing,
            ),
            Action(
                controller="security",
                name="getCredentialsById",
                handler=self.get_by_id,
                places=places.everywhere,
                summary="Whose user name that is.",
                routes=routes("GET /credentials/:strategy/:_id/_byId"),
                arguments=_OF_USER,
                result=SHOWN,
                errors=missing,
            ),
            Action(
                controller="security",
                name="hasCredentials",
                handler=self.has,
                places=places.everywhere,
                summary="Whether a user has credentials.",
                routes=routes("GET /credentials/:strategy/:_id/_exists"),
                arguments=_OF_USER,
                result="boolean",
                errors=UNKNOWN,
            ),
        )

    def _describing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="getCredentialFields",
                handler=self.fields,
                places=places.everywhere,
                summary="What credentials of a strategy consist of.",
                routes=routes("GET /credentials/:strategy/_fields"),
                arguments=(STRATEGY_ARGUMENT,),
                result="Array of names.",
                errors=UNKNOWN,
            ),
            Action(
                controller="security",
                name="getAllCredentialFields",
                handler=self.all_fields,
                places=places.everywhere,
                summary="What credentials of each strategy consist of.",
                routes=routes("GET /credentials/_fields"),
                result="`{<strategy>: [name]}`",
            ),
            Action(
                controller="security",
                name="searchUsersByCredentials",
                handler=self.search,
                places=places.everywhere,
                summary="Find users by their credentials; only `kuid` and `_id` can be asked for.",
                routes=routes("POST /credentials/:strategy/users/_search"),
                arguments=(STRATEGY_ARGUMENT, *searches.ARGUMENTS),
                body="optional",
                result="`{hits: [{username, kuid}], total}`",
                errors=(*UNKNOWN, *searches.ERRORS),
            ),
        )


def check_strategy(request: Request) -> None:
    """Let a request pass that names a strategy there is.

    Raises:
        RouterError: `api.assert.missing_argument`, `security.credentials.unknown_strategy`.
    """
    strategy = request.name("strategy")
    if strategy != STRATEGY:
        raise RouterError("security.credentials.unknown_strategy", strategy)


async def of_user(credentials: Credentials, kuid: str) -> JsonObject:
    """A user's credentials, without the secret. Raises: `trivium.credentials.missing`."""
    login = await credentials.of_user(kuid)
    if login is None:
        raise RouterError("trivium.credentials.missing", kuid)
    return login.to_json()
