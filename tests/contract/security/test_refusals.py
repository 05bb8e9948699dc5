"""What makes no role, profile or user, and a flood of logins: the same whatever the engine."""

from __future__ import annotations

import asyncio

import pytest

from access.users import NewUser
from storage.contract import Storage
from storage.memory import MemoryStorage
from tests.contract.security.test_register import BY, logins
from tests.support.stores import refused


@pytest.fixture
async def private() -> Storage:
    """One engine is enough here."""
    return MemoryStorage()


class TestRoles:
    @pytest.mark.parametrize(
        ("content", "error"),
        [
            ({}, "api.assert.missing_argument"),
            ({"controllers": {}}, "api.assert.empty_argument"),
            ({"controllers": []}, "api.assert.invalid_type"),
            ({"controllers": {"document": {}}}, "api.assert.missing_argument"),
            ({"controllers": {"document": {"actions": {}}}}, "api.assert.empty_argument"),
            (
                {"controllers": {"document": {"actions": {"get": "yes"}}}},
                "api.assert.invalid_type",
            ),
            (
                {"controllers": {"documents": {"actions": {"get": True}}}},
                "security.role.unknown_controller",
            ),
            (
                {"controllers": {"document": {"actions": {"gets": True}}}},
                "security.role.unknown_action",
            ),
            ({"controllers": {"*": {"actions": {"get": True}}}}, "security.role.unknown_action"),
            (
                {"controllers": {"own/things": {"actions": {"walk": True}}}},
                "security.role.unknown_action",
            ),
        ],
    )
    async def test_what_makes_no_role_is_refused(self, register, content, error):
        with refused(error):
            await register.roles.write("create", "r", content, BY)
        assert "r" not in register.directory.roles

    async def test_the_name_that_was_meant_is_told(self, register):
        role = {"controllers": {"document": {"actions": {"updat": True}}}}
        with refused(
            "security.role.unknown_action", "r", "updat", "document", 'Did you mean "update"?'
        ):
            await register.roles.write("create", "r", role, BY)

    async def test_force_lets_pass_what_an_application_may_bring(self, register):
        role = {"controllers": {"later/things": {"actions": {"run": True}}}}
        await register.roles.write("create", "r", role, BY, force=True)
        native = {"controllers": {"document": {"actions": {"runn": True}}}}
        with refused("security.role.unknown_action"):
            await register.roles.write("create", "s", native, BY, force=True)


class TestProfiles:
    @pytest.mark.parametrize(
        ("content", "error"),
        [
            ({}, "api.assert.missing_argument"),
            ({"policies": {}}, "api.assert.invalid_type"),
            ({"policies": []}, "api.assert.empty_argument"),
            ({"policies": ["default"]}, "api.assert.invalid_type"),
            ({"policies": [{}]}, "api.assert.missing_argument"),
            ({"policies": [{"roleId": 1}]}, "api.assert.invalid_type"),
            ({"policies": [{"roleId": "nobody"}]}, "security.profile.cannot_hydrate"),
            (
                {"policies": [{"roleId": "default", "restricted": []}]},
                "api.assert.unexpected_argument",
            ),
            (
                {"policies": [{"roleId": "default", "restrictedTo": "a"}]},
                "api.assert.invalid_type",
            ),
            (
                {"policies": [{"roleId": "default", "restrictedTo": [{}]}]},
                "api.assert.missing_argument",
            ),
            (
                {"policies": [{"roleId": "default", "restrictedTo": [{"index": 3}]}]},
                "api.assert.invalid_type",
            ),
            (
                {
                    "policies": [
                        {
                            "roleId": "default",
                            "restrictedTo": [{"index": "a", "collections": [1]}],
                        }
                    ]
                },
                "api.assert.invalid_type",
            ),
            (
                {"policies": [{"roleId": "default"}], "rateLimit": -1},
                "api.assert.invalid_argument",
            ),
            ({"policies": [{"roleId": "default"}], "rateLimit": "9"}, "api.assert.invalid_type"),
            (
                {"policies": [{"roleId": "default"}], "messageRateLimit": -1},
                "api.assert.invalid_argument",
            ),
            (
                {"policies": [{"roleId": "default"}], "messageRateLimit": True},
                "api.assert.invalid_type",
            ),
        ],
    )
    async def test_what_makes_no_profile_is_refused(self, register, content, error):
        with refused(error):
            await register.profiles.write("create", "p", content, BY)
        assert "p" not in register.directory.profiles


class TestUsers:
    @pytest.mark.parametrize(
        ("content", "error"),
        [
            ({}, "api.assert.missing_argument"),
            ({"profileIds": "default"}, "api.assert.invalid_type"),
            ({"profileIds": [1]}, "api.assert.invalid_type"),
            ({"profileIds": []}, "api.assert.empty_argument"),
            ({"profileIds": ["nobody"]}, "security.user.cannot_hydrate"),
        ],
    )
    async def test_profiles_must_exist(self, register, content, error):
        with refused(error):
            await register.users.create(NewUser("ada", content, {}, BY))
        with refused(error):
            await register.users.replace("ada", content, BY)


async def test_a_flood_of_logins_is_bounded(register):
    """The last ones are refused at once; those let in are answered, and the loop stays free."""
    attempts = [asyncio.create_task(logins(register, f"u{n}", "x")) for n in range(300)]
    await asyncio.sleep(0)
    done, waiting = await asyncio.wait(attempts, return_when=asyncio.FIRST_EXCEPTION)
    assert {task.exception().id for task in done} <= {  # type: ignore[union-attr]
        "api.process.overloaded",
        "plugin.strategy.missing_user",
    }
    assert sum(task.exception().id == "api.process.overloaded" for task in done) == 44  # type: ignore[union-attr]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
