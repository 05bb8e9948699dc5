"""What the peer's API names and this router refuses, by name, so that clients learn why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from access.natives import NATIVE
from router import places
from router.actions import Action, Handler, Route
from router.envelope import Json, Request
from router.errors import RouterError

_UNSUPPORTED: Final = "trivium.unsupported.feature"
_DENIED: Final = "core.debugger.native_debug_protocol_usage_denied"
_NOT_FOUND: Final = "api.process.action_not_found"

# The routes of a Redis command are `<verb> /ms/_<command><suffix>`; most read or write one key.
_GET_BARE: Final = "dbsize exists mget pfcount ping randomkey scan sinter sunion time"
_GET_KEY: Final = (
    "bitcount bitpos getbit getrange geohash geopos georadius georadiusbymember hgetall hkeys "
    "hlen hmget hscan hvals llen lrange object pttl scard sdiff smembers srandmember sscan "
    "strlen ttl type zcard zcount zlexcount zrange zrangebylex zrevrangebylex zrangebyscore "
    "zrevrange zrevrangebyscore zscan"
)
_POST_BARE: Final = "flushdb mexecute mset msetnx rpoplpush sinterstore sunionstore touch"
_DELETE_KEY: Final = "hdel lrem srem zrem zremrangebylex zremrangebyrank zremrangebyscore"
_ROUTES: Final[dict[str, Route]] = {
    **{name: Route("GET", f"/ms/_{name}") for name in _GET_BARE.split()},
    **{name: Route("GET", f"/ms/_{name}/:_id") for name in _GET_KEY.split()},
    **{name: Route("POST", f"/ms/_{name}") for name in _POST_BARE.split()},
    **{name: Route("DELETE", f"/ms/_{name}/:_id") for name in _DELETE_KEY.split()},
    **{name: Route("GET", f"/ms/_{name}/:_id/:field") for name in ("hexists", "hget", "hstrlen")},
    **{
        name: Route("GET", f"/ms/_{name}/:_id/:member")
        for name in ("sismember", "zrank", "zrevrank", "zscore")
    },
    "geodist": Route("GET", "/ms/_geodist/:_id/:member1/:member2"),
    "keys": Route("GET", "/ms/_keys/:pattern"),
    "lindex": Route("GET", "/ms/_lindex/:_id/:idx"),
    "get": Route("GET", "/ms/:_id"),
    "del": Route("DELETE", "/ms"),
}

_PLACES: Final = {
    "admin": places.everywhere,
    "debug": places.everywhere,
    "index": places.named,
}


def redis() -> Iterator[Action]:
    """The commands of Redis, under both names of their controller; there is no Redis here."""
    for controller in ("memoryStorage", "ms"):
        for name in NATIVE[controller]:
            route = _ROUTES.get(name, Route("POST", f"/ms/_{name}/:_id"))
            yield _refused(
                (controller, name),
                RouterError(_UNSUPPORTED, f"{controller}:{name}"),
                # The URLs are the same under both.
                (route,) if controller == "ms" else (),
            )


def debugging() -> Iterator[Action]:
    """The peer's debugger, which it refuses as well unless its settings allow it."""
    for name in NATIVE["debug"]:
        if name != "nodeVersion":
            is_routed = name in ("disable", "enable", "post")
            route = Route("POST", f"/debug/_{name}")
            yield _refused(("debug", name), RouterError(_DENIED), (route,) if is_routed else ())


def routed_only() -> Iterator[Action]:
    """Actions that the peer has a URL for, but doesn't have."""
    for controller, name, route in (
        ("index", "getAutoRefresh", Route("GET", "/:index/_autoRefresh")),
        ("admin", "resetKuzzleData", Route("POST", "/admin/_resetKuzzleData")),
    ):
        yield _refused((controller, name), RouterError(_NOT_FOUND, controller, name), (route,))


def _refused(name: tuple[str, str], error: RouterError, routes: tuple[Route, ...]) -> Action:
    return Action(
        controller=name[0],
        name=name[1],
        handler=_refusing(error),
        places=_PLACES.get(name[0], places.nowhere),
        summary="Refused by name.",
        routes=routes,
        errors=(error.id,),
        is_unserved=True,
    )


def _refusing(error: RouterError) -> Handler:
    async def refuse(_: Request) -> Json:
        raise RouterError(error.id, *error.props)

    return refuse
