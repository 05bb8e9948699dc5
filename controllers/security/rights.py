"""Who may do what, and how an administrator comes into being, as `security` has it."""

from __future__ import annotations

import msgspec

from access.directory import Account, Directory
from access.places import KINDS
from access.register import Register
from access.securities import Securities
from access.users import administrator
from controllers.security import asked
from controllers.security.asked import by, routes, seen, shown
from controllers.security.might import MIGHT, might
from controllers.security.users import CREATED, new_user, without_profiles
from router import places
from router.actions import Action, ActionTable, Argument
from router.envelope import ANONYMOUS, Json, Request
from router.errors import RouterError


class RightsController(msgspec.Struct, frozen=True):
    """Tells and changes what users may do."""

    register: Register
    securities: Securities
    table: ActionTable

    async def user_rights(self, request: Request) -> Json:
        """What a user may do."""
        account = await account_of(self.register.directory, request.name("_id"))
        return asked.listed_rights(account.rights.listed())

    async def strategies(self, request: Request) -> Json:
        """By which strategies a user can log in."""
        account = await account_of(self.register.directory, request.name("_id"))
        found = await strategies_of(self.register, account.id)
        return {"strategies": found, "total": len(found)}

    async def check(self, request: Request) -> Json:
        """Whether a user might make a request."""
        account = await account_of(self.register.directory, request.name("userId"))
        return {"allowed": might(self.table, account, request)}

    async def create_first_admin(self, request: Request) -> Json:
        """Create the first administrator, and restrict everybody else if asked."""
        register = self.register
        if await register.directory.admin_exists():
            raise RouterError("api.process.admin_exists")
        content = administrator(without_profiles(request))
        if not request.body_field("credentials").get("local"):
            # Nobody could log in, and nobody could make another one.
            raise RouterError("api.assert.missing_argument", "body.credentials.local")
        reset = request.flag("reset")
        document = await register.users.create(new_user(request, content), as_first_admin=True)
        if reset:
            await self.securities.restrict(by(request))
        await seen(request, register.users.keeping)
        return shown(document)

    async def restrict(self, request: Request) -> Json:
        """Put the standard rights in force."""
        await self.securities.restrict(by(request))
        return {"acknowledged": True}

    async def refresh(self, request: Request) -> Json:
        """Make every write of before visible to searches."""
        kind = request.name("collection")
        for each in KINDS:
            if each == kind:
                await self.register.keeping(each).refresh()
                return None
        raise RouterError("api.assert.invalid_argument", "collection", ", ".join(KINDS))

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._telling(), *self._checking(), *self._restricting())

    def _telling(self) -> tuple[Action, ...]:
        missing = (*asked.READ, "security.user.not_found")
        return (
            Action(
                controller="security",
                name="getUserRights",
                handler=self.user_rights,
                places=places.everywhere,
                summary="What a user may do.",
                routes=routes("GET /users/:_id/_rights"),
                arguments=(asked.ID,),
                result=asked.RIGHTS,
                errors=missing,
            ),
            Action(
                controller="security",
                name="getUserStrategies",
                handler=self.strategies,
                places=places.everywhere,
                summary="By which strategies a user can log in.",
                routes=routes("GET /users/:_id/_strategies"),
                arguments=(asked.ID,),
                result="`{strategies: [name], total}`",
                errors=missing,
            ),
        )

    def _checking(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="checkRights",
                handler=self.check,
                places=places.everywhere,
                summary="Whether a user might make the request that the body holds.",
                routes=routes("POST /_checkRights/:userId"),
                arguments=(asked.USER_ID, *MIGHT),
                body="required",
                result="`{allowed: boolean}`",
                errors=(*asked.BODY, "api.assert.invalid_argument", "security.user.not_found"),
            ),
            Action(
                controller="security",
                name="refresh",
                handler=self.refresh,
                places=places.everywhere,
                summary="Make every earlier write visible to searches.",
                routes=routes("POST /_security/:collection/_refresh"),
                arguments=(
                    Argument("collection", "string", f"One of {', '.join(KINDS)}.", required=True),
                ),
                result="null",
                errors=(*asked.READ, "api.assert.invalid_argument"),
            ),
        )

    def _restricting(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="createFirstAdmin",
                handler=self.create_first_admin,
                places=places.everywhere,
                summary="Create an administrator, as long as there is none.",
                routes=routes("POST /_createFirstAdmin/:_id", "POST /_createFirstAdmin"),
                arguments=(
                    Argument("_id", "string", "The user's id; a new one if absent."),
                    Argument("reset", "flag", "Also put the standard rights in force."),
                    asked.REFRESH,
                    Argument("content", "object", "The user.", place="body"),
                    Argument("credentials", "object", "For `local`.", True, "body"),
                ),
                body="required",
                result=asked.SHOWN,
                errors=(
                    *CREATED,
                    "api.assert.missing_argument",
                    "api.process.admin_exists",
                    "api.assert.forbidden_argument",
                ),
            ),
            Action(
                controller="security",
                name="restrictDefaultRights",
                handler=self.restrict,
                places=places.everywhere,
                summary="Put the standard rights of anonymous and default users in force.",
                routes=routes("POST /_restrictDefaultRights"),
                result="`{acknowledged: true}`",
            ),
        )


async def account_of(directory: Directory, kuid: str) -> Account:
    """The user of that id. Raises: `security.user.not_found`."""
    account = await directory.account(kuid)
    if account is None:
        raise RouterError("security.user.not_found", kuid)
    return account


async def strategies_of(register: Register, kuid: str) -> list[Json]:
    """By which strategies a user can log in."""
    if kuid == ANONYMOUS.id or await register.credentials.of_user(kuid) is None:
        return []
    return ["local"]
