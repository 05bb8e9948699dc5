"""Roles, as `security` has them."""

from __future__ import annotations

from typing import Final

import msgspec

from access.keeping import Change
from access.places import ROLES
from access.role_keeping import Roles
from controllers.security import asked, finding
from controllers.security.asked import by, routes, seen, shown
from controllers.security.finding import Finder, found
from router import places
from router.actions import Action, Argument
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from storage.query import Search

_CONTROLLERS: Final = Argument(
    "controllers",
    "object",
    "`{<controller> or *: {actions: {<action> or *: true or false}}}`.",
    required=True,
    place="body",
)
_FORCE: Final = Argument("force", "flag", "Name controllers that no application has added yet.")
_REFUSED: Final = (
    *asked.WRITTEN,
    "security.role.unknown_controller",
    "security.role.unknown_action",
    "security.role.login_required",
)


class RoleController(msgspec.Struct, frozen=True):
    """Creates, reads, changes, finds and deletes roles."""

    roles: Roles
    finder: Finder

    async def create(self, request: Request) -> Json:
        """Create a role."""
        return await self._write(request, "create")

    async def create_or_replace(self, request: Request) -> Json:
        """Create a role, or take the place of one."""
        return await self._write(request, "create_or_replace")

    async def update(self, request: Request) -> Json:
        """Replace a role, as the peer's update does."""
        await self.roles.keeping.get(request.name("_id"))
        return await self._write(request, "replace")

    async def get(self, request: Request) -> Json:
        """One role."""
        return shown(await self.roles.keeping.get(request.name("_id")))

    async def mget(self, request: Request) -> Json:
        """Those of these roles that there are."""
        return asked.all_shown(await self.roles.keeping.mget(asked.ids(request)))

    async def search(self, request: Request) -> Json:
        """Find roles, by a query or by the controllers that they name."""
        body = request.body if isinstance(request.body, dict) else {}
        if "controllers" not in body:
            return await self.finder.find_all(request, ROLES)
        named = body["controllers"]
        if not isinstance(named, list):
            raise RouterError("api.assert.invalid_type", "body.controllers", "array")
        return await self._naming(request, named)

    async def delete(self, request: Request) -> Json:
        """Delete a role."""
        id_ = request.name("_id")
        await self.roles.delete(id_, by(request))
        await seen(request, self.roles.keeping)
        return {"_id": id_}

    async def mdelete(self, request: Request) -> Json | Reply:
        """Delete several roles."""
        outcome = await asked.each_deleted(request, lambda id_: self.roles.delete(id_, by(request)))
        await seen(request, self.roles.keeping)
        return outcome

    async def _write(self, request: Request, verb: Change) -> Json:
        id_, content = request.name("_id"), request.body_object()
        force = request.flag("force")
        document = await self.roles.write(verb, id_, content, by(request), force=force)
        await seen(request, self.roles.keeping)
        return shown(document)

    async def _naming(self, request: Request, named: list[Json]) -> Json:
        first = request.integer("from", 0)
        size = request.integer("size", self.finder.fetch_max)
        if first < 0 or size < 0:
            name = "from" if first < 0 else "size"
            raise RouterError("api.assert.invalid_argument", name, "zero or more")
        page = await self.roles.keeping.search(Search(size=self.finder.fetch_max))
        hits = [hit for hit in page.hits if not named or _names(hit.source, named)]
        return {"hits": found(hits[first : first + size]), "total": len(hits)}

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._writing(), *self._reading(), *self._finding(), *self._deleting())

    def _writing(self) -> tuple[Action, ...]:
        return (
            self._writes(
                "createRole",
                "create",
                "Create a role.",
                "POST /roles/:_id/_create",
                "services.storage.document_already_exists",
            ),
            self._writes(
                "createOrReplaceRole",
                "create_or_replace",
                "Create a role, or replace the one with that id.",
                "PUT /roles/:_id",
            ),
            self._writes(
                "updateRole",
                "update",
                "Replace a role that exists.",
                "PUT /roles/:_id/_update",
                "security.role.not_found",
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
            arguments=(asked.ID, _FORCE, asked.REFRESH, _CONTROLLERS),
            body="required",
            result=asked.SHOWN,
            errors=(*_REFUSED, *errors),
        )

    def _reading(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="getRole",
                handler=self.get,
                places=places.everywhere,
                summary="Get a role.",
                routes=routes("GET /roles/:_id"),
                arguments=(asked.ID,),
                result=asked.SHOWN,
                errors=(*asked.READ, "security.role.not_found"),
            ),
            Action(
                controller="security",
                name="mGetRoles",
                handler=self.mget,
                places=places.everywhere,
                summary="Get several roles; those that aren't there are left out.",
                routes=routes("POST /roles/_mGet"),
                arguments=(asked.IDS,),
                body="required",
                result=asked.HITS,
                errors=asked.READ,
            ),
        )

    def _finding(self) -> tuple[Action, ...]:
        controllers = Argument(
            "controllers", "array", "Roles that name one of these, or `*`.", place="body"
        )
        return (
            Action(
                controller="security",
                name="searchRoles",
                handler=self.search,
                places=places.everywhere,
                summary="Find roles; all of them fit on a page unless `size` is given.",
                routes=routes("POST /roles/_search"),
                arguments=(*finding.SEARCH, controllers),
                body="optional",
                result=finding.FOUND,
                errors=finding.ERRORS,
            ),
        )

    def _deleting(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="deleteRole",
                handler=self.delete,
                places=places.everywhere,
                summary="Delete a role that no profile has.",
                routes=routes("DELETE /roles/:_id"),
                arguments=(asked.ID, asked.REFRESH),
                result="`{_id}`",
                errors=(
                    *asked.READ,
                    "security.role.not_found",
                    "security.role.cannot_delete",
                    "security.role.in_use",
                ),
            ),
            Action(
                controller="security",
                name="mDeleteRoles",
                handler=self.mdelete,
                places=places.everywhere,
                summary="Delete several roles.",
                routes=routes("POST /roles/_mDelete"),
                arguments=(asked.IDS, asked.REFRESH),
                body="required",
                result="Array of the ids that were deleted.",
                errors=(*asked.READ, "services.storage.incomplete_delete"),
            ),
        )


def _names(role: JsonObject, named: list[Json]) -> bool:
    controllers = role.get("controllers")
    return isinstance(controllers, dict) and any(
        controller == "*" or controller in named for controller in controllers
    )
