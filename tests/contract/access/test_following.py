"""What one router changes counts on the others that follow the private store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from access.api_keys import Order
from access.sessions import Session
from access.users import NewUser
from router.errors import RouterError
from storage.contract import Author, Storage
from storage.memory import MemoryStorage
from tests.contract.access.test_tokens import HOUR_MS, refused
from tests.support.people import settings
from trivium import App
from trivium.assembly import Core
from trivium.following import Following

BY = Author()
READ: Any = {"controllers": {"document": {"actions": {"get": True}}}}


class Router:
    """One router without its wires; it hears of others when it is told to catch up."""

    def __init__(self, private: Storage) -> None:
        core = Core(App(), settings(), MemoryStorage(), private)
        self.register, self.entrance = core.register, core.entrance
        self.papers = core.entrance.papers
        self.following = Following(private, core.register.directory, core.entrance.papers)

    async def open(self) -> Router:
        await self.following.begin()
        await self.register.prepare()
        await self.entrance.prepare()
        return self

    async def profiles(self, kuid: str) -> tuple[str, ...] | None:
        account = await self.register.directory.account(kuid)
        return None if account is None else account.profile_ids

    def connected(self, kuid: str, id: str) -> Session:
        """The session of a connection that was opened by name and password."""
        return self.papers.sessions.add(Session(id=id, kuid=kuid, kind="connection"))

    def miss(self) -> None:
        """Be somewhere where the feed is no longer, as after its store was restored."""
        self.following._seen = 1_000_000


@pytest.fixture
async def one(storage: Storage) -> AsyncIterator[Router]:
    opened = await Router(storage).open()
    yield opened
    opened.register.close()


@pytest.fixture
async def two(storage: Storage, one: Router) -> AsyncIterator[Router]:
    opened = await Router(storage).open()
    yield opened
    opened.register.close()


async def make(router: Router, kuid: str, *profiles: str) -> None:
    await router.register.users.create(NewUser(kuid, {"profileIds": [*profiles]}, {}, BY))


async def test_users_profiles_and_roles(one: Router, two: Router) -> None:
    await make(one, "ada", "default")
    await two.following.catch_up()
    assert await two.profiles("ada") == ("default",)
    await one.register.roles.write("create_or_replace", "default", READ, BY)
    await make(one, "root", "admin")
    await one.register.users.update("ada", {"profileIds": ["default", "admin"]}, BY)
    assert not two.register.directory.has_admin
    assert await two.register.directory.admin_exists()
    await two.following.catch_up()
    assert two.register.directory.has_admin
    assert two.register.directory.roles["default"] == one.register.directory.roles["default"]
    assert await two.profiles("ada") == ("default", "admin")
    await one.register.users.delete("ada", BY)
    await two.following.catch_up()
    assert await two.profiles("ada") is None


@pytest.mark.parametrize("is_missed", [False, True])
async def test_tokens_and_keys(
    one: Router, two: Router, request: pytest.FixtureRequest, is_missed: bool
) -> None:
    if is_missed and "memory" in request.node.name:
        return  # its feed never ends
    logins = [await one.papers.tokens.issue(kuid, HOUR_MS) for kuid in ("ada", "bob", "eve")]
    key, kept = [await one.papers.api_keys.create("ada", math.inf, Order(n)) for n in "ab"]
    for login in logins:
        await two.papers.tokens.verify(login.text)
    for each in (key, kept):
        await two.papers.api_keys.verify(each.text)
    connections = [two.connected(kuid, f"connection:{kuid}") for kuid in ("ada", "bob")]
    await one.papers.tokens.revoke(logins[1].session)
    await one.papers.tokens.revoke_all("ada")
    await one.papers.api_keys.delete("ada", key.id)
    await make(one, "root", "admin")
    if is_missed:
        two.miss()
    await two.following.catch_up()
    await refused(two.papers.tokens.verify(logins[0].text))
    await refused(two.papers.tokens.verify(logins[1].text))
    await refused(two.papers.api_keys.verify(key.text))
    await two.papers.tokens.verify(logins[2].text)
    await two.papers.api_keys.verify(kept.text)
    assert [each.is_revoked for each in connections] == [True, False]
    assert two.register.directory.has_admin
    # It goes on from where it is now.
    await one.papers.tokens.revoke(logins[2].session)
    await two.following.catch_up()
    await refused(two.papers.tokens.verify(logins[2].text))


async def test_who_comes_back_before_it_is_heard_stays(one: Router) -> None:
    await one.papers.tokens.revoke_all("ada")
    again = await one.papers.tokens.issue("ada", HOUR_MS)
    connection = one.connected("ada", "connection:1")
    old = await one.papers.api_keys.create("ada", HOUR_MS, Order("old", id="k"))
    await one.papers.api_keys.verify(old.text)
    await one.papers.api_keys.delete("ada", "k")
    new = await one.papers.api_keys.create("ada", math.inf, Order("new", id="k"))
    await one.papers.api_keys.verify(new.text)
    await one.following.catch_up()
    await one.papers.tokens.verify(again.text)
    await one.papers.api_keys.verify(new.text)
    await refused(one.papers.api_keys.verify(old.text))
    assert not connection.is_revoked


async def test_two_routers_that_see_no_administrator_make_one(one: Router, two: Router) -> None:
    for turn in range(3):
        names = [f"{name}{turn}" for name in ("ada", "bob")]
        made = await together(one, two, names)
        assert sorted(each for each in made if each) == ["api.process.admin_exists"]
        left = [name for name in names if await one.register.users.keeping.find(name)]
        assert len(left) == 1
        for router in (one, two):
            await router.following.catch_up()
            assert router.register.directory.has_admin
        await one.register.users.delete(left[0], BY)
        await two.following.catch_up()


async def together(one: Router, two: Router, names: list[str]) -> list[str]:
    """What two routers answer when both are asked for the first administrator at once."""

    async def ask(router: Router, name: str) -> str:
        user = NewUser(name, {"profileIds": ["admin"]}, {}, BY)
        try:
            await router.register.users.create(user, as_first_admin=True)
        except RouterError as error:
            return error.id
        return ""

    return list(await asyncio.gather(ask(one, names[0]), ask(two, names[1])))
