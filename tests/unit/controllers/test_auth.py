"""auth:* for the anonymous user."""

from __future__ import annotations

import pytest

from tests.support.inprocess import in_process

ANONYMOUS = {"valid": True, "kuid": "-1", "expiresAt": -1}


@pytest.mark.parametrize("body", [None, {}, {"token": None}, {"token": ""}])
async def test_no_token_is_the_anonymous_one(body: object) -> None:
    async with in_process() as router:
        assert await router.result("auth:checkToken", body) == ANONYMOUS


async def test_any_token_is_answered_as_invalid_not_refused() -> None:
    async with in_process() as router:
        answer = await router.result("auth:checkToken", {"token": "x.y.z"})
    assert answer["valid"] is False
    assert answer["state"].startswith("The token is not valid")


async def test_the_current_user_is_the_anonymous_one() -> None:
    async with in_process() as router:
        assert await router.result("auth:getCurrentUser") == {
            "_id": "-1",
            "_source": {"profileIds": ["anonymous"], "name": "Anonymous"},
            "strategies": [],
        }


async def test_the_anonymous_user_may_do_everything() -> None:
    async with in_process() as router:
        rights = await router.result("auth:getMyRights")
    assert rights["total"] == 1
    assert rights["hits"] == [
        {"controller": "*", "action": "*", "index": "*", "collection": "*", "value": "allowed"}
    ]


async def test_there_is_one_way_to_log_in() -> None:
    async with in_process() as router:
        assert await router.result("auth:getStrategies") == ["local"]
