"""Profiles, as `security` has them."""

from __future__ import annotations

from typing import Final

import msgspec

from access.keeping import Change
from access.places import PROFILES
from access.profile_keeping import Profiles
from controllers.security import asked, finding
from controllers.security.asked import by, routes, seen, shown
from controllers.security.finding import Finder
from router import places
from router.actions import Action, Argument
from router.envelope import Json, Reply, Request
from router.errors import RouterError

_POLICIES: Final = Argument(
    "policies",
    "array",
    "`[{roleId, restrictedTo?: [{index, collections?: [name]}]}]`.",
    required=True,
    place="body",
)
_RATE: Final = Argument(
    "rateLimit", "integer", "Requests a second of one holder; 0 for any number.", place="body"
)
_MESSAGES: Final = Argument(
    "messageRateLimit",
    "integer",
    "Messages a second that one holder publishes to other MQTT clients; 0 for any number.",
    place="body",
)
_STRICT: Final = Argument("strict", "flag", "The indexes and collections named must exist.")
_REFUSED: Final = (
    *asked.WRITTEN,
    "api.assert.invalid_argument",
    "api.assert.unexpected_argument",
    "security.profile.cannot_hydrate",
    "security.profile.missing_anonymous_role",
    "services.storage.unknown_index",
    "services.storage.unknown_collection",
)
_ON_USERS: Final = ("fail", "remove")


class ProfileController(msgspec.Struct, frozen=True):
    """Creates, reads, changes, finds and deletes profiles."""

    profiles: Profiles
    finder: Finder

    async def create(self, request: Request) -> Json:
        """Create a profile."""
        return await self._write(request, "create")

    async def create_or_replace(self, request: Request) -> Json:
        """Create a profile, or take the place of one."""
        return await self._write(request, "create_or_replace")

    async def update(self, request: Request) -> Json:
        """Change a part of a profile."""
        return await self._write(request, "update")

    async def get(self, request: Request) -> Json:
        """One profile."""
        return shown(await self.profiles.keeping.get(request.name("_id")))

    async def mget(self, request: Request) -> Json:
        """Those of these profiles that there are."""
        return asked.all_shown(await self.profiles.keeping.mget(asked.ids(request)))

    async def rights(self, request: Request) -> Json:
        """What a holder of the profile alone may do."""
        profile = await self.profiles.keeping.get(request.name("_id"))
        return asked.listed_rights(self.profiles.directory.rights([profile.id]).listed())

    async def search(self, request: Request) -> Json:
        """Find profiles, by a query or by the roles that they have."""
        body = request.body if isinstance(request.body, dict) else {}
        if "roles" not in body:
            return await self.finder.find(request, PROFILES)
        roles = body["roles"]
        if not isinstance(roles, list):
            raise RouterError("api.assert.invalid_type", "body.roles", "array")
        rest = {key: value for key, value in body.items() if key != "roles"}
        query: Json = {"terms": {"policies.roleId": roles}} if roles else {"match_all": {}}
        return await self.finder.find(request.replace(body={**rest, "query": query}), PROFILES)

    async def scroll(self, request: Request) -> Json:
        """Find more profiles."""
        return await self.finder.go_on(request)

    async def delete(self, request: Request) -> Json:
        """Delete a profile."""
        id_ = request.name("_id")
        choice = request.string("onAssignedUsers", "fail")
        if choice not in _ON_USERS:
            raise RouterError(
                "api.assert.invalid_argument", "onAssignedUsers", " or ".join(_ON_USERS)
            )
        await self.profiles.delete(id_, by(request), from_users=choice == "remove")
        await seen(request, self.profiles.keeping)
        return {"_id": id_}

    async def mdelete(self, request: Request) -> Json | Reply:
        """Delete several profiles."""
        outcome = await asked.each_deleted(
            request, lambda id_: self.profiles.delete(id_, by(request))
        )
        await seen(request, self.profiles.keeping)
        return outcome

    async def _write(self, request: Request, verb: Change) -> Json:
        id_, content = request.name("_id"), request.body_object()
        strict = request.flag("strict")
        if verb != "update" and content.get("rateLimit") is None:
            content = {**content, "rateLimit": 0}
        document = await self.profiles.write(verb, id_, content, by(request), strict=strict)
        await seen(request, self.profiles.keeping)
        return shown(document)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._writing(), *self._reading(), *self._finding(), *self._deleting())

    def _writing(self) -> tuple[Action, ...]:
        return (
            self._writes(
                "createProfile",
                "create",
                "Create a profile.",
                "POST /profiles/:_id/_create",
                "services.storage.document_already_exists",
            ),
            self._writes(
                "createOrReplaceProfile",
                "create_or_replace",
                "Create a profile, or replace the one with that id.",
                "PUT /profiles/:_id",
            ),
            self._writes(
                "updateProfile",
                "update",
                "Change a part of a profile.",
                "PUT /profiles/:_id/_update",
                "security.profile.not_found",
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
            arguments=(asked.ID, _STRICT, asked.REFRESH, _POLICIES, _RATE, _MESSAGES),
            body="required",
            result=asked.SHOWN,
            errors=(*_REFUSED, *errors),
        )

    def _reading(self) -> tuple[Action, ...]:
        missing = (*asked.READ, "security.profile.not_found")
        return (
            Action(
                controller="security",
                name="getProfile",
                handler=self.get,
                places=places.everywhere,
                summary="Get a profile.",
                routes=routes("GET /profiles/:_id"),
                arguments=(asked.ID,),
                result=asked.SHOWN,
                errors=missing,
            ),
            Action(
                controller="security",
                name="mGetProfiles",
                handler=self.mget,
                places=places.everywhere,
                summary="Get several profiles; those that aren't there are left out.",
                routes=routes("POST /profiles/_mGet"),
                arguments=(asked.IDS,),
                body="required",
                result=asked.HITS,
                errors=asked.READ,
            ),
            Action(
                controller="security",
                name="getProfileRights",
                handler=self.rights,
                places=places.everywhere,
                summary="What a holder of the profile may do.",
                routes=routes("GET /profiles/:_id/_rights"),
                arguments=(asked.ID,),
                result=asked.RIGHTS,
                errors=missing,
            ),
        )

    def _finding(self) -> tuple[Action, ...]:
        roles = Argument("roles", "array", "Profiles that have one of these roles.", place="body")
        return (
            Action(
                controller="security",
                name="searchProfiles",
                handler=self.search,
                places=places.everywhere,
                summary="Find profiles.",
                routes=routes("POST /profiles/_search"),
                arguments=(*finding.SEARCH, roles),
                body="optional",
                result=finding.FOUND,
                errors=finding.ERRORS,
            ),
            Action(
                controller="security",
                name="scrollProfiles",
                handler=self.scroll,
                places=places.everywhere,
                summary="Read the next page of a search for profiles.",
                routes=routes("GET /profiles/_scroll/:scrollId"),
                arguments=finding.SCROLL,
                result=finding.FOUND,
                errors=finding.SCROLL_ERRORS,
            ),
        )

    def _deleting(self) -> tuple[Action, ...]:
        on_users = Argument(
            "onAssignedUsers",
            "string",
            "`fail`, the default, while users hold it; `remove` takes it from them.",
        )
        return (
            Action(
                controller="security",
                name="deleteProfile",
                handler=self.delete,
                places=places.everywhere,
                summary="Delete a profile.",
                routes=routes("DELETE /profiles/:_id"),
                arguments=(asked.ID, on_users, asked.REFRESH),
                result="`{_id}`",
                errors=(
                    *asked.READ,
                    "api.assert.invalid_argument",
                    "security.profile.not_found",
                    "security.profile.cannot_delete",
                    "security.profile.in_use",
                ),
            ),
            Action(
                controller="security",
                name="mDeleteProfiles",
                handler=self.mdelete,
                places=places.everywhere,
                summary="Delete several profiles.",
                routes=routes("POST /profiles/_mDelete"),
                arguments=(asked.IDS, asked.REFRESH),
                body="required",
                result="Array of the ids that were deleted.",
                errors=(*asked.READ, "services.storage.incomplete_delete"),
            ),
        )
