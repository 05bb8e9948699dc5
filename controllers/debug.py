"""The `debug` controller: what this router runs on."""

from __future__ import annotations

import platform

from controllers import unserved
from router import places
from router.actions import Action, Route
from router.envelope import Json, Request


async def node_version(_: Request) -> Json:
    """What runs the router, under the name by which clients ask for it."""
    return f"python {platform.python_version()}"


def actions() -> tuple[Action, ...]:
    """The actions of this controller."""
    version = Action(
        controller="debug",
        name="nodeVersion",
        handler=node_version,
        places=places.nowhere,
        summary="The version of the program that runs the router.",
        routes=(Route("GET", "/debug/_nodeVersion"),),
        result="`string`",
    )
    return (version, *unserved.debugging())
