"""Users, profiles, roles and credentials over each engine; every change counts at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from access.places import CREDENTIALS, INDEX, USERS
from access.users import NewUser
from router.actions import Action
from router.places import named
from storage.contract import Author, Write
from storage.query import Search
from tests.support.stores import refused
from tests.unit.access.test_passwords import kuzzle

BY = Author("root", "r1", "http")
GET = Action(controller="document", name="get", handler=None, places=named, summary="")  # type: ignore[arg-type]
READER = {"controllers": {"document": {"actions": {"get": True}}}}


async def make(register: Any, id: str, *profiles: str, **login: str) -> Any:
    """Create a user, with credentials if a name is given."""
    credentials: Any = {"local": login} if login else {}
    return await register.users.create(NewUser(id, {"profileIds": [*profiles]}, credentials, BY))


async def allowed(register: Any, id: str, *places: Any) -> bool:
    account = await register.directory.account(id)
    assert account is not None
    return account.rights.allows(GET, places)


async def logins(register: Any, name: str, password: str) -> Any:
    return await register.credentials.verify(name, password)


class TestDirectory:
    async def test_the_first_start_lets_everybody_do_everything(self, register):
        assert not register.directory.has_admin
        assert {"admin", "anonymous", "default", "assets.reader"} <= {*register.directory.roles}
        assert await allowed(register, "-1", ("any", "where"))
        assert await register.directory.account("ada") is None

    async def test_a_second_start_changes_nothing(self, register, new_register):
        await register.roles.write("create_or_replace", "default", READER, BY)
        again = new_register()
        await again.prepare()
        assert again.directory.roles == register.directory.roles
        assert again.directory.profiles == register.directory.profiles
        again.close()

    async def test_a_role_counts_from_the_next_question(self, register):
        await register.roles.write("create", "reader", READER, BY)
        policy = {"roleId": "reader", "restrictedTo": [{"index": "a"}]}
        await register.profiles.write("create", "readers", {"policies": [policy]}, BY)
        await make(register, "ada", "readers")
        assert await allowed(register, "ada", ("a", "c"))
        assert not await allowed(register, "ada", ("b", "c"))
        nothing = {"controllers": {"document": {"actions": {"get": False}}}}
        await register.roles.write("create_or_replace", "reader", nothing, BY)
        assert not await allowed(register, "ada", ("a", "c"))
        await register.roles.write("create_or_replace", "reader", READER, BY)
        await register.users.update("ada", {"profileIds": ["default"]}, BY)
        assert await allowed(register, "ada", ("b", "c"))

    async def test_administrators_come_and_go(self, register, new_register):
        await make(register, "root", "admin")
        await make(register, "ada", "default")
        assert register.directory.has_admin
        other = new_register()
        await other.prepare()
        assert other.directory.has_admin
        await register.users.update("root", {"profileIds": ["default"]}, BY)
        await register.users.update("ada", {"profileIds": ["admin", "default"]}, BY)
        assert register.directory.has_admin
        await register.users.delete("ada", BY)
        assert not register.directory.has_admin
        await other.directory.hear(await register.directory._private.changes(0))
        assert (await other.directory.account("root")).profile_ids == ("default",)
        assert not other.directory.has_admin
        other.close()

    async def test_what_another_program_wrote_badly_gives_no_right(self, register, new_register):
        for kind, content in (
            ("roles", {"controllers": {"a": 7}}),
            ("profiles", {"policies": [{"roleId": ""}]}),
        ):
            write = Write(verb="create", index=INDEX, collection=kind, id="bad", content=content)
            await register.directory._private.write(write)
        write = Write(verb="create", index=INDEX, collection=USERS, id="eve", content={})
        await register.directory._private.write(write)
        again = new_register()
        await again.prepare()
        assert "bad" not in again.directory.roles
        assert "bad" not in again.directory.profiles
        assert not await allowed(again, "eve")
        again.close()


class TestRoles:
    async def test_actions_of_the_peer_may_be_named(self, register):
        role = {"controllers": {"realtime": {"actions": {"subscribe": True}}}}
        await register.roles.write("create", "r", role, BY)

    async def test_the_anonymous_role_keeps_the_login(self, register):
        with refused("security.role.login_required"):
            await register.roles.write("create_or_replace", "anonymous", READER, BY)

    async def test_protected_and_used_roles_stay(self, register):
        await register.roles.write("create", "reader", READER, BY)
        profile = {"policies": [{"roleId": "reader"}]}
        await register.profiles.write("create", "readers", profile, BY)
        with refused("security.role.cannot_delete"):
            await register.roles.delete("default", BY)
        with refused("security.role.in_use", "reader"):
            await register.roles.delete("reader", BY)
        await register.profiles.delete("readers", BY)
        await register.roles.delete("reader", BY)
        with refused("security.role.not_found", "reader"):
            await register.roles.delete("reader", BY)


class TestProfiles:
    async def test_the_anonymous_profile_keeps_its_role(self, register):
        with refused("security.profile.missing_anonymous_role"):
            await register.profiles.write(
                "create_or_replace", "anonymous", {"policies": [{"roleId": "default"}]}, BY
            )

    async def test_an_update_changes_a_part(self, register):
        first = {"policies": [{"roleId": "default"}], "rateLimit": 5}
        await register.profiles.write("create", "p", first, BY)
        await register.profiles.write("update", "p", {"rateLimit": 7}, BY)
        assert register.directory.profiles["p"].rate_limit == 7
        await make(register, "ada", "p")
        assert (await register.directory.account("ada")).rate_limit == 7
        with refused("security.profile.not_found", "q"):
            await register.profiles.write("update", "q", first, BY)

    @pytest.mark.parametrize(
        ("field", "kept"),
        [("rateLimit", "rate_limit"), ("messageRateLimit", "message_rate_limit")],
    )
    async def test_the_most_generous_limit_of_a_user_counts(self, register, field, kept):
        for name, limit in (("slow", 5), ("fast", 50), ("free", 0)):
            content = {"policies": [{"roleId": "default"}], field: limit}
            await register.profiles.write("create", name, content, BY)
        for profiles, limit in ((["slow", "fast"], 50), (["slow", "free"], 0)):
            await make(register, "-".join(profiles), *profiles)
            account = await register.directory.account("-".join(profiles))
            limits = {"rate_limit": 0, "message_rate_limit": 0, kept: limit}
            assert (account.rate_limit, account.message_rate_limit) == tuple(limits.values())

    async def test_strict_insists_on_places_that_exist(self, register):
        public = register.profiles.public
        await public.create_collection("a", "c")
        for bound, error in (
            ({"index": "a", "collections": ["c"]}, None),
            ({"index": "b"}, "services.storage.unknown_index"),
            ({"index": "a", "collections": ["d"]}, "services.storage.unknown_collection"),
        ):
            content = {"policies": [{"roleId": "default", "restrictedTo": [bound]}]}
            if error is None:
                await register.profiles.write("create", "p", content, BY, strict=True)
                continue
            with refused(error):
                await register.profiles.write("create", "q", content, BY, strict=True)

    async def test_protected_and_held_profiles_stay(self, register):
        content = {"policies": [{"roleId": "default"}]}
        await register.profiles.write("create", "p", content, BY)
        await make(register, "ada", "p", "default")
        await make(register, "bob", "p")
        with refused("security.profile.cannot_delete"):
            await register.profiles.delete("admin", BY)
        with refused("security.profile.in_use", "p"):
            await register.profiles.delete("p", BY)
        await register.profiles.delete("p", BY, from_users=True)
        assert (await register.directory.account("ada")).profile_ids == ("default",)
        assert (await register.directory.account("bob")).profile_ids == ("anonymous",)


class TestUsers:
    async def test_a_user_comes_with_credentials(self, register):
        made = await make(register, "ada", "default", username="ada@x", password="secret")
        assert made.source["profileIds"] == ["default"]
        assert made.source["_kuzzle_info"]["author"] == "root"
        assert await logins(register, "ada@x", "secret") == "ada"
        with refused("security.user.already_exists", "ada"):
            await make(register, "ada", "default")

    async def test_credentials_that_are_refused_leave_no_user(self, register):
        await make(register, "ada", "default", username="ada", password="secret")
        for login, message in (
            ({"username": "ada", "password": "x"}, 'Login "ada" is already used.'),
            ({"username": "bob"}, "Password required."),
            ({"password": "x"}, "Username required."),
        ):
            with refused("security.credentials.rejected", message):
                await make(register, "bob", "default", **login)
            assert await register.directory.account("bob") is None
        with refused("security.credentials.unknown_strategy", "saml"):
            await register.users.create(
                NewUser("bob", {"profileIds": ["default"]}, {"saml": {}}, BY)
            )

    async def test_two_who_want_one_name_get_one(self, register):
        outcomes = await asyncio.gather(
            *(
                make(register, name, "default", username="same", password="secret")
                for name in ("ada", "bob")
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Exception) for each in outcomes) == 1
        accounts = [await register.directory.account(name) for name in ("ada", "bob")]
        left = [each for each in accounts if each is not None]
        assert [each.id for each in left] == [await logins(register, "same", "secret")]

    async def test_the_anonymous_user_keeps_its_profile(self, register):
        with refused("security.user.anonymous_profile_required"):
            await make(register, "-1", "default")
        await make(register, "-1", "anonymous", "default")
        assert (await register.directory.account("-1")).profile_ids == ("anonymous", "default")

    async def test_only_one_is_the_first_administrator(self, register):
        users = [NewUser(name, {"profileIds": ["admin"]}, {}, BY) for name in ("ada", "bob")]
        made = await asyncio.gather(
            *(register.users.create(user, as_first_admin=True) for user in users),
            return_exceptions=True,
        )
        errors = [each for each in made if isinstance(each, Exception)]
        assert [error.id for error in errors] == ["api.process.admin_exists"]  # type: ignore[attr-defined]

    async def test_changes_and_upserts(self, register):
        _, created = await register.users.upsert("ada", {"a": 1}, {"profileIds": ["default"]}, BY)
        assert created
        document, created = await register.users.upsert("ada", {"b": 2}, {}, BY)
        assert not created
        assert document.source["a"] == 1
        replaced = await register.users.replace("ada", {"profileIds": ["admin"]}, BY)
        assert "a" not in replaced.source
        for change in (register.users.update, register.users.replace):
            with refused("security.user.not_found", "bob"):
                await change("bob", {"profileIds": ["default"]}, BY)

    async def test_who_is_deleted_leaves_nothing(self, register):
        gone = []

        async def farewell(id: str) -> None:
            gone.append(id)

        register.users.farewells.append(farewell)
        await make(register, "ada", "default", username="ada", password="secret")
        await register.users.delete("ada", BY)
        assert gone == ["ada"]
        with refused("plugin.strategy.missing_user"):
            await logins(register, "ada", "secret")
        with refused("security.user.not_found", "ada"):
            await register.users.delete("ada", BY)


class TestCredentials:
    async def test_wrong_names_and_passwords_are_told_alike(self, register):
        await make(register, "ada", "default", username="ada", password="secret")
        for name, password in (("ada", "Secret"), ("bob", "secret"), ("", ""), ("ada\ud800", "x")):
            with refused("plugin.strategy.missing_user", "wrong username or password"):
                await logins(register, name, password)

    async def test_name_and_password_change_apart(self, register):
        await make(register, "ada", "default", username="ada", password="secret")
        assert (await register.credentials.update("ada", {"password": "new"}, BY)).username == "ada"
        assert await logins(register, "ada", "new") == "ada"
        await register.credentials.update("ada", {"username": "ada2"}, BY)
        assert await logins(register, "ada2", "new") == "ada"
        with refused("plugin.strategy.missing_user"):
            await logins(register, "ada", "new")
        with refused("trivium.credentials.nothing_given"):
            await register.credentials.update("ada", {}, BY)
        with refused("trivium.credentials.already_exist", "ada"):
            await register.credentials.create("ada", {"username": "x", "password": "y"}, BY)
        await register.credentials.delete("ada", BY)
        for refuse in (register.credentials.delete("ada", BY), update_of("ada", register)):
            with refused("trivium.credentials.missing", "ada"):
                await refuse

    async def test_what_kuzzle_stored_is_verified_and_stored_anew(self, private, new_register):
        await private.create_collection(*CREDENTIALS)
        place = {"index": CREDENTIALS[0], "collection": CREDENTIALS[1]}
        await private.write(Write(verb="create", id="ada", content=kuzzle("secret"), **place))
        register = new_register()
        await register.prepare()
        with refused("plugin.strategy.missing_user"):
            await logins(register, "ada", "wrong")
        assert await logins(register, "ada", "secret") == "ada"
        stored = (await private.get(*CREDENTIALS, "ada")).source
        assert stored["algorithm"] == "argon2id"
        assert "userSalt" not in stored
        assert await logins(register, "ada", "secret") == "ada"
        register.close()

    async def test_searches_find_the_user_of_a_name(self, register):
        await make(register, "ada", "default", username="ada@x", password="secret")
        assert (await register.credentials.of_user("ada")).username == "ada@x"
        assert (await register.credentials.of_name("ada@x")).kuid == "ada"
        page = await register.credentials.search(Search())
        assert [hit.id for hit in page.hits] == ["ada@x"]


async def update_of(id: str, register: Any) -> Any:
    return await register.credentials.update(id, {"password": "x"}, BY)
