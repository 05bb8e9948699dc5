"""All users, profiles and roles at once: `admin:loadSecurities` and `admin:resetSecurity`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from access.securities import Description, OnExisting, Securities
from controllers.administration.locks import Locks
from controllers.security import asked
from controllers.security.asked import by, routes
from router import places
from router.actions import Action, Argument
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError

_ON_EXISTING: Final[Mapping[str, OnExisting]] = {
    "fail": "fail",
    "skip": "skip",
    "overwrite": "overwrite",
}


class SecuritiesController(msgspec.Struct, frozen=True):
    """Loads and resets."""

    securities: Securities
    locks: Locks = msgspec.field(default_factory=Locks)

    async def load(self, request: Request) -> Json:
        """Create what the body describes."""
        choice = request.string("onExistingUsers", "fail") or "fail"
        if choice not in _ON_EXISTING:
            raise RouterError(
                "api.assert.invalid_argument", "onExistingUsers", ", ".join(_ON_EXISTING)
            )
        request.body_object()
        given = Description(*(_described(request, key) for key in ("roles", "profiles", "users")))
        await self.securities.load(
            given, by(request), on_existing=_ON_EXISTING[choice], force=request.flag("force")
        )
        return {"acknowledge": True}

    async def reset(self, request: Request) -> Json:
        """Delete everybody."""
        with self.locks.held("resetSecurity"):
            removed = await self.securities.reset(by(request))
        return {
            "deletedUsers": removed.users,
            "deletedProfiles": removed.profiles,
            "deletedRoles": removed.roles,
        }

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (
            Action(
                controller="admin",
                name="loadSecurities",
                handler=self.load,
                places=places.everywhere,
                summary="Create or replace roles and profiles, and create users.",
                routes=routes("POST /admin/_loadSecurities"),
                arguments=(
                    Argument("onExistingUsers", "string", "`fail` (default), `skip`, `overwrite`."),
                    Argument("force", "flag", "Roles may name controllers that aren't there yet."),
                    Argument("roles", "object", "`{<id>: {controllers}}`.", place="body"),
                    Argument("profiles", "object", "`{<id>: {policies}}`.", place="body"),
                    Argument("users", "object", "`{<id>: {content, credentials}}`.", place="body"),
                ),
                body="required",
                result="`{acknowledge: true}`",
                errors=(
                    *asked.BODY,
                    "api.assert.invalid_argument",
                    "security.role.unknown_controller",
                    "security.role.unknown_action",
                    "security.profile.cannot_hydrate",
                    "security.user.cannot_hydrate",
                    "security.user.prevent_overwrite",
                    "security.credentials.rejected",
                ),
            ),
            Action(
                controller="admin",
                name="resetSecurity",
                handler=self.reset,
                places=places.everywhere,
                summary="Delete all users, profiles and roles but those of a first start.",
                routes=routes("POST /admin/_resetSecurity"),
                result="`{deletedUsers, deletedProfiles, deletedRoles}`",
                errors=("api.process.action_locked",),
            ),
        )


def _described(request: Request, key: str) -> dict[str, JsonObject]:
    described: dict[str, JsonObject] = {}
    for name, value in request.body_field(key, {}).items():
        if not isinstance(value, dict):
            raise RouterError("api.assert.invalid_type", f"body.{key}.{name}", "object")
        described[name] = value
    return described
