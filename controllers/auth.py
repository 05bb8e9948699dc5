"""The `auth` controller for a router without users: everybody is the anonymous one."""

from __future__ import annotations

from router import places
from router.actions import Action, Route
from router.envelope import ANONYMOUS, Json, Request


async def get_current_user(request: Request) -> Json:
    """Who asks."""
    profiles: list[Json] = list(request.user.profile_ids)
    name = "Anonymous" if request.user.id == ANONYMOUS.id else request.user.id
    return {
        "_id": request.user.id,
        "_source": {"profileIds": profiles, "name": name},
        "strategies": [],
    }


async def get_my_rights(_: Request) -> Json:
    """What the caller may do: everything, as long as no administrator exists."""
    everything: Json = {
        "controller": "*",
        "action": "*",
        "index": "*",
        "collection": "*",
        "value": "allowed",
    }
    return {"hits": [everything], "total": 1}


async def get_strategies(_: Request) -> Json:
    """The ways to log in; there is none yet."""
    return []


def actions() -> tuple[Action, ...]:
    """The actions of this controller."""
    return (
        Action(
            controller="auth",
            name="getCurrentUser",
            handler=get_current_user,
            places=places.nowhere,
            summary="The user that the request speaks for.",
            routes=(Route("GET", "/_me"), Route("GET", "/users/_me")),
            result="`{_id, _source: {profileIds, name}, strategies}`",
        ),
        Action(
            controller="auth",
            name="getMyRights",
            handler=get_my_rights,
            places=places.nowhere,
            summary="What the user may do.",
            routes=(Route("GET", "/_me/_rights"), Route("GET", "/users/_me/_rights")),
            result="`{hits: [{controller, action, index, collection, value}], total}`",
        ),
        Action(
            controller="auth",
            name="getStrategies",
            handler=get_strategies,
            places=places.nowhere,
            summary="The names of the ways to log in.",
            routes=(Route("GET", "/strategies"),),
            result="Array of names.",
        ),
    )
