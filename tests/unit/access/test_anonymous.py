"""A router without users serves everybody as the anonymous user, and knows no token."""

from __future__ import annotations

import pytest

from access.anonymous import OpenAuthority
from router.actions import Action
from router.envelope import ANONYMOUS, Connection, Json, Request
from router.errors import RouterError
from router.places import nowhere
from router.ports import Authority


async def nothing(request: Request) -> Json:
    return None


def request(jwt: str | None) -> Request:
    connection = Connection(id="1", wire="http")
    return Request(controller="test", action="run", connection=connection, jwt=jwt)


async def test_without_a_token_the_caller_is_anonymous_and_may_do_everything() -> None:
    authority: Authority = OpenAuthority()
    user = await authority.identify(request(None))
    assert user == ANONYMOUS
    action = Action(controller="test", name="run", handler=nothing, places=nowhere, summary="")
    assert authority.allows(user, action, request(None))


@pytest.mark.parametrize("jwt", ["", "a.b.c"])
async def test_any_token_is_refused(jwt: str) -> None:
    with pytest.raises(RouterError) as refusal:
        await OpenAuthority().identify(request(jwt))
    assert (refusal.value.id, refusal.value.status) == ("security.token.invalid", 401)
