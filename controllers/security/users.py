"""Users, as `security` has them."""

from __future__ import annotations

from typing import Final

import msgspec

from access.places import USERS
from access.users import NewUser, Users, new_kuid, restricted
from controllers.security import asked, finding
from controllers.security.asked import by, routes, seen, shown
from controllers.security.finding import Finder
from router import places
from router.actions import Action, Argument
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError

_NEW_ID: Final = Argument("_id", "string", "The user's id; a new one if absent.")
_HYDRATED: Final = (*asked.WRITTEN, "security.user.cannot_hydrate")
_KUID: Final = Argument("kuid", "string", "Form of a new id: `human`, the default, or `uuid`.")
_CONTENT: Final = Argument("content", "object", "The user.", required=True, place="body")
_CREDENTIALS: Final = Argument(
    "credentials", "object", "`{local: {username, password}}`.", place="body"
)
CREATED: Final = (
    "api.assert.body_required",
    "api.assert.invalid_type",
    "api.assert.invalid_id",
    "api.assert.invalid_argument",
    "security.user.already_exists",
    "security.credentials.rejected",
    "security.credentials.unknown_strategy",
)


class UserController(msgspec.Struct, frozen=True):
    """Creates, reads, changes, finds and deletes users."""

    users: Users
    finder: Finder

    async def create(self, request: Request) -> Json:
        """Create a user."""
        return await self._create(request, request.body_field("content"))

    async def create_restricted(self, request: Request) -> Json:
        """Create a user with the default profile."""
        content = without_profiles(request)
        return await self._create(request, restricted(content))

    async def get(self, request: Request) -> Json:
        """One user."""
        return shown(await self.users.keeping.get(request.name("_id")))

    async def mget(self, request: Request) -> Json:
        """Those of these users that there are."""
        return asked.all_shown(await self.users.keeping.mget(asked.ids(request)))

    async def search(self, request: Request) -> Json:
        """Find users."""
        return await self.finder.find(request, USERS)

    async def scroll(self, request: Request) -> Json:
        """Find more users."""
        return await self.finder.go_on(request)

    async def update(self, request: Request) -> Json:
        """Merge changes into a user."""
        id_, changes = request.name("_id"), request.body_object()
        document = await self.users.update(id_, changes, by(request))
        await seen(request, self.users.keeping)
        return shown(document)

    async def replace(self, request: Request) -> Json:
        """Take the place of a user."""
        id_, content = request.name("_id"), request.body_object()
        document = await self.users.replace(id_, content, by(request))
        await seen(request, self.users.keeping)
        return shown(document)

    async def upsert(self, request: Request) -> Json:
        """Merge into a user, or create one."""
        id_, content = request.name("_id"), request.body_field("content")
        default = request.body_field("default", {})
        document, created = await self.users.upsert(id_, content, default, by(request))
        await seen(request, self.users.keeping)
        return {**shown(document), "created": created}

    async def delete(self, request: Request) -> Json:
        """Delete a user and all that was the user's."""
        id_ = request.name("_id")
        await self.users.delete(id_, by(request))
        await seen(request, self.users.keeping)
        return {"_id": id_}

    async def mdelete(self, request: Request) -> Json | Reply:
        """Delete several users."""
        outcome = await asked.each_deleted(request, lambda id_: self.users.delete(id_, by(request)))
        await seen(request, self.users.keeping)
        return outcome

    async def _create(self, request: Request, content: JsonObject) -> Json:
        document = await self.users.create(new_user(request, content))
        await seen(request, self.users.keeping)
        return shown(document)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (
            *self._creating(),
            *self._changing(),
            self._upserting(),
            *self._reading(),
            *self._finding(),
            *self._deleting(),
        )

    def _creating(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="createUser",
                handler=self.create,
                places=places.everywhere,
                summary="Create a user, with credentials if they are given.",
                routes=routes("POST /users/_create", "POST /users/:_id/_create"),
                arguments=(_NEW_ID, _KUID, asked.REFRESH, _CONTENT, _CREDENTIALS),
                body="required",
                result=asked.SHOWN,
                errors=(
                    *CREATED,
                    "api.assert.missing_argument",
                    "api.assert.empty_argument",
                    "security.user.cannot_hydrate",
                ),
            ),
            Action(
                controller="security",
                name="createRestrictedUser",
                handler=self.create_restricted,
                places=places.everywhere,
                summary="Create a user with the default profile: for signing up.",
                routes=routes(
                    "POST /users/_createRestricted", "POST /users/:_id/_createRestricted"
                ),
                arguments=(_NEW_ID, _KUID, asked.REFRESH, _CONTENT, _CREDENTIALS),
                body="required",
                result=asked.SHOWN,
                errors=(
                    *(error for error in CREATED if error != "api.assert.missing_argument"),
                    "api.assert.forbidden_argument",
                ),
            ),
        )

    def _changing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="updateUser",
                handler=self.update,
                places=places.everywhere,
                summary="Merge changes into a user.",
                routes=routes("PUT /users/:_id/_update"),
                arguments=(asked.ID, asked.REFRESH),
                body="required",
                result=asked.SHOWN,
                errors=(*_HYDRATED, "security.user.not_found"),
            ),
            Action(
                controller="security",
                name="replaceUser",
                handler=self.replace,
                places=places.everywhere,
                summary="Replace a user; `profileIds` is required.",
                routes=routes("PUT /users/:_id/_replace"),
                arguments=(asked.ID, asked.REFRESH),
                body="required",
                result=asked.SHOWN,
                errors=(*_HYDRATED, "security.user.not_found"),
            ),
        )

    def _upserting(self) -> Action:
        default = Argument("default", "object", "What else a new user has.", place="body")
        return Action(
            controller="security",
            name="upsertUser",
            handler=self.upsert,
            places=places.everywhere,
            summary="Merge changes into a user, or create one.",
            routes=routes("POST /users/:_id/_upsert"),
            arguments=(asked.ID, asked.REFRESH, _CONTENT, default),
            body="required",
            result="`{_id, _source, created}`",
            errors=_HYDRATED,
        )

    def _reading(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="getUser",
                handler=self.get,
                places=places.everywhere,
                summary="Get a user.",
                routes=routes("GET /users/:_id"),
                arguments=(asked.ID,),
                result=asked.SHOWN,
                errors=(*asked.READ, "security.user.not_found"),
            ),
            Action(
                controller="security",
                name="mGetUsers",
                handler=self.mget,
                places=places.everywhere,
                summary="Get several users; those that aren't there are left out.",
                routes=routes("GET /users/_mGet", "POST /users/_mGet"),
                arguments=(asked.IDS,),
                body="optional",
                result=asked.HITS,
                errors=asked.READ,
            ),
        )

    def _finding(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="searchUsers",
                handler=self.search,
                places=places.everywhere,
                summary="Find users.",
                routes=routes("POST /users/_search"),
                arguments=finding.SEARCH,
                body="optional",
                result=finding.FOUND,
                errors=finding.ERRORS,
            ),
            Action(
                controller="security",
                name="scrollUsers",
                handler=self.scroll,
                places=places.everywhere,
                summary="Read the next page of a search for users.",
                routes=routes("GET /users/_scroll/:scrollId"),
                arguments=finding.SCROLL,
                result=finding.FOUND,
                errors=finding.SCROLL_ERRORS,
            ),
        )

    def _deleting(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="security",
                name="deleteUser",
                handler=self.delete,
                places=places.everywhere,
                summary="Delete a user with credentials, tokens and API keys.",
                routes=routes("DELETE /users/:_id"),
                arguments=(asked.ID, asked.REFRESH),
                result="`{_id}`",
                errors=(*asked.READ, "security.user.not_found"),
            ),
            Action(
                controller="security",
                name="mDeleteUsers",
                handler=self.mdelete,
                places=places.everywhere,
                summary="Delete several users.",
                routes=routes("POST /users/_mDelete"),
                arguments=(asked.IDS, asked.REFRESH),
                body="required",
                result="Array of the ids that were deleted.",
                errors=(*asked.READ, "services.storage.incomplete_delete"),
            ),
        )


def new_user(request: Request, content: JsonObject) -> NewUser:
    """The user that a request wants to create.

    Raises:
        RouterError: `api.assert.invalid_id`, `api.assert.invalid_argument`,
            `api.assert.invalid_type`.
    """
    form = request.string("kuid", "human") or "human"
    if form not in ("human", "uuid"):
        raise RouterError("api.assert.invalid_argument", "kuid", '"human", "uuid"')
    credentials = request.body_field("credentials", {})
    return NewUser(request.new_id() or new_kuid(form), content, credentials, by(request))


def without_profiles(request: Request) -> JsonObject:
    """The `content` of somebody who must not choose profiles.

    Raises:
        RouterError: `api.assert.forbidden_argument`.
    """
    content = request.body_field("content", {})
    if "profileIds" in content:
        raise RouterError("api.assert.forbidden_argument", "body.content.profileIds")
    return content
