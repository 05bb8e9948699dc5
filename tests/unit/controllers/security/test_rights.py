"""Administrators, rights that are told, credentials, and everything loaded or reset at once."""

from __future__ import annotations

import json

import pytest

from tests.unit.controllers.security.conftest import as_user, role, user

ADMIN = {
    "content": {"name": "Root"},
    "credentials": {"local": {"username": "root", "password": "pw"}},
}


GIVEN = {
    "roles": {"reader": role(document="get")},
    "profiles": {"readers": {"policies": [{"roleId": "reader"}]}},
    "users": {"ada": user("readers", name="ada@x"), "bob": user("readers")},
}


class TestFirstAdministrator:
    async def test_there_is_only_one_first(self, router):
        assert await router.result("server:adminExists") == {"exists": False}
        made = await router.result("security:createFirstAdmin", ADMIN, _id="root")
        assert made["_source"]["profileIds"] == ["admin"]
        assert made["_source"]["name"] == "Root"
        assert await router.result("server:adminExists") == {"exists": True}
        await router.refused(
            "api.process.admin_exists", "security:createFirstAdmin", ADMIN, _id="two"
        )
        assert (await router.result("auth:getMyRights"))["total"] == 1, "not reset"

    async def test_reset_restricts_everybody_else(self, router):
        await router.result("security:createFirstAdmin", ADMIN, _id="root", reset=True)
        rights = await router.result("auth:getMyRights")
        assert {(each["controller"], each["action"]) for each in rights["hits"]} == {
            *(("auth", name) for name in ("checkToken", "getCurrentUser", "getMyRights", "login")),
            *(("server", name) for name in ("openapi", "publicApi")),
        }
        profile = (await as_user(router, "root", "security:getProfile", _id="default")).result
        assert profile["_source"]["rateLimit"] == 10
        mine = (await as_user(router, "root", "auth:getMyRights")).result
        assert mine["hits"][0]["controller"] == "*"

    async def test_rights_can_be_restricted_later(self, router):
        assert await router.result("security:restrictDefaultRights") == {"acknowledged": True}
        assert (await router.result("auth:getMyRights"))["total"] == 6

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (
                {"content": {"profileIds": ["default"]}, **ADMIN["credentials"]},
                "api.assert.forbidden_argument",
            ),
            ({"content": {}}, "api.assert.missing_argument"),
            ({"credentials": {}}, "api.assert.missing_argument"),
            ({"credentials": {"local": {"username": "root"}}}, "security.credentials.rejected"),
        ],
    )
    async def test_one_who_could_not_log_in_is_none(self, router, body, error):
        await router.refused(error, "security:createFirstAdmin", body, reset=True)
        assert await router.result("server:adminExists") == {"exists": False}
        assert (await router.result("auth:getMyRights"))["total"] == 1


class TestTelling:
    async def test_rights_of_users_and_questions_about_them(self, router):
        await router.result("security:createRole", role(document="get"), _id="reader")
        policy = {"roleId": "reader", "restrictedTo": [{"index": "a"}]}
        await router.result("security:createProfile", {"policies": [policy]}, _id="readers")
        await router.result("security:createUser", user("readers", name="ada@x"), _id="ada")
        rights = await router.result("security:getUserRights", _id="ada")
        assert [(each["index"], each["value"]) for each in rights["hits"]] == [("a", "allowed")]
        for index, action, allowed in (
            ("a", "get", True),
            ("b", "get", False),
            ("a", "nope", False),
        ):
            payload = {
                "controller": "document",
                "action": action,
                "index": index,
                "collection": "c",
            }
            told = await router.result("security:checkRights", payload, userId="ada")
            assert told == {"allowed": allowed}
            own = await as_user(router, "ada", "auth:checkRights", payload)
            assert own.result == {"allowed": allowed}
        assert await router.result("security:getUserStrategies", _id="ada") == {
            "strategies": ["local"],
            "total": 1,
        }
        for name in ("getUserRights", "getUserStrategies"):
            await router.refused("security.user.not_found", f"security:{name}", _id="bob")
        await router.refused(
            "api.assert.missing_argument", "security:checkRights", {"controller": "x"}, userId="ada"
        )

    async def test_targets_count_in_questions_too(self, router):
        await router.result("security:createRole", role(document="search"), _id="reader")
        policy = {"roleId": "reader", "restrictedTo": [{"index": "a"}]}
        await router.result("security:createProfile", {"policies": [policy]}, _id="readers")
        await router.result("security:createUser", user("readers"), _id="ada")
        for indexes, allowed in (("a", True), ("ab", False)):
            targets = [{"index": index, "collections": ["c"]} for index in indexes]
            payload = {"controller": "document", "action": "search", "targets": targets}
            assert await router.result("security:checkRights", payload, userId="ada") == {
                "allowed": allowed
            }

    @pytest.mark.parametrize(
        ("action", "more", "allowed"),
        [
            ("publish", {"topic": "up/ada"}, True),
            ("publish", {"topic": "up/bob"}, False),
            ("publish", {"topic": "c/c1", "clientId": "c1"}, True),
            ("publish", {"topic": "c/c1"}, False),
            ("publish", {}, True),
            ("subscribe", {"topic": "a/down/+"}, True),
            ("subscribe", {"topic": "$share/g/a/down/+"}, True),
            ("subscribe", {"topic": "a/#"}, False),
            ("subscribe", {"topic": "b/down/1"}, False),
            ("unsubscribe", {"topic": "a/down/1"}, False),
        ],
    )
    async def test_topics(self, router, action, more, allowed):
        topics = {"publish": ["up/{userId}", "c/{clientId}"], "subscribe": ["{index}/down/#"]}
        actions = {"publish": True, "subscribe": True}
        content = {"controllers": {"mqtt": {"actions": actions, "topics": topics}}}
        await router.result("security:createRole", content, _id="device")
        policy = {"roleId": "device", "restrictedTo": [{"index": "a"}]}
        await router.result("security:createProfile", {"policies": [policy]}, _id="devices")
        await router.result("security:createUser", user("devices"), _id="ada")
        asked = {"controller": "mqtt", "action": action, **more}
        told = await router.result("security:checkRights", asked, userId="ada")
        assert told == {"allowed": allowed}
        assert (await as_user(router, "ada", "auth:checkRights", asked)).result == told

    @pytest.mark.parametrize(
        ("action", "topic", "error"),
        [
            ("publish", "a/#", "invalid_argument"),
            ("publish", "", "invalid_argument"),
            ("subscribe", "a/#/b", "invalid_argument"),
            ("subscribe", "$share/g", "invalid_argument"),
            ("subscribe", "$share/+/a", "invalid_argument"),
            ("subscribe", ["a"], "invalid_type"),
        ],
    )
    async def test_what_is_no_topic_is_refused(self, router, action, topic, error):
        await router.result("security:createUser", user("default"), _id="ada")
        asked = {"controller": "mqtt", "action": action, "topic": topic}
        named = "security:checkRights"
        await router.refused(f"api.assert.{error}", named, asked, userId="ada")

    async def test_the_current_user_is_told_whole(self, router):
        await router.result(
            "security:createUser", user("default", name="ada@x", city="Oslo"), _id="ada"
        )
        told = (await as_user(router, "ada", "auth:getCurrentUser")).result
        assert told["_source"].keys() == {"profileIds", "city", "_kuzzle_info"}
        assert told["strategies"] == ["local"]


class TestOneself:
    @pytest.mark.parametrize(
        "name",
        [
            "updateSelf",
            *(f"{verb}MyCredentials" for verb in ("create", "update", "validate", "delete", "get")),
            "credentialsExist",
        ],
    )
    async def test_anonymous_has_no_self(self, router, name):
        await router.refused("security.rights.unauthorized", f"auth:{name}", {}, strategy="local")

    async def test_everything_but_the_rights_can_be_changed(self, router):
        await router.result("security:createUser", user("default"), _id="ada")
        changed = (await as_user(router, "ada", "auth:updateSelf", {"city": "Rome"})).result
        assert (changed["_id"], changed["_source"]["city"]) == ("ada", "Rome")
        for body in ({"profileIds": ["admin"]}, {"_id": "root"}):
            answer = await as_user(router, "ada", "auth:updateSelf", body)
            assert answer.error["id"] == "api.assert.forbidden_argument"

    async def test_credentials_of_ones_own(self, router):
        await router.result("security:createUser", user("default"), _id="ada")
        login = {"username": "ada@x", "password": "pw"}

        async def ask(action, body=None, strategy="local"):
            answer = await as_user(router, "ada", f"auth:{action}", body, strategy=strategy)
            return answer.result if answer.error is None else answer.error["id"]

        assert await ask("credentialsExist") is False
        assert await ask("getMyCredentials") == "trivium.credentials.missing"
        assert await ask("validateMyCredentials", login) is True
        assert await ask("createMyCredentials", login) == {"username": "ada@x", "kuid": "ada"}
        assert await ask("createMyCredentials", login) == "trivium.credentials.already_exist"
        assert await ask("updateMyCredentials", {"password": "new"}) == {
            "username": "ada@x",
            "kuid": "ada",
        }
        assert await ask("getMyCredentials") == {"username": "ada@x", "kuid": "ada"}
        assert await ask("credentialsExist") is True
        assert (
            await ask("credentialsExist", strategy="saml")
            == "security.credentials.unknown_strategy"
        )
        assert await ask("deleteMyCredentials") == {"acknowledged": True}


class TestCredentials:
    async def test_those_of_any_user(self, router):
        await router.result("security:createUser", user("default"), _id="ada")
        login = {"username": "ada@x", "password": "pw"}

        async def ask(action, body=None, **arguments):
            answer = await router.ask(
                f"security:{action}", body, **{"strategy": "local", "_id": "ada", **arguments}
            )
            return answer.result if answer.error is None else answer.error["id"]

        shown = {"username": "ada@x", "kuid": "ada"}
        assert await ask("hasCredentials") is False
        assert await ask("validateCredentials", login) is True
        assert await ask("createCredentials", login) == shown
        assert await ask("getCredentials") == shown
        assert await ask("getCredentialsById", _id="ada@x") == shown
        assert await ask("getCredentialsById", _id="ada") == "trivium.credentials.missing"
        assert await ask("hasCredentials") is True
        assert await ask("updateCredentials", {"username": "ada@y"}) == {
            **shown,
            "username": "ada@y",
        }
        assert await ask("createCredentials", login, _id="bob") == "security.user.not_found"
        assert (
            await ask("getCredentials", strategy="saml") == "security.credentials.unknown_strategy"
        )
        assert await ask("getCredentialFields") == ["username", "password"]
        assert await ask("getAllCredentialFields") == {"local": ["username", "password"]}
        found = await ask("searchUsersByCredentials", {"query": {"term": {"kuid": "ada"}}})
        assert found == {"hits": [{"username": "ada@y", "kuid": "ada"}], "total": 1}
        assert await ask("deleteCredentials") == {"acknowledged": True}
        assert await ask("deleteCredentials") == "trivium.credentials.missing"

    async def test_a_user_name_belongs_to_one(self, router):
        await router.result("security:createUser", user("default", name="same"), _id="ada")
        error = await router.refused(
            "security.credentials.rejected",
            "security:createUser",
            user("default", name="same"),
            _id="bob",
        )
        assert (
            error["message"] == 'The credentials were not accepted: Login "same" is already used.'
        )
        await router.refused("security.user.not_found", "security:getUser", _id="bob")

    async def test_no_answer_and_no_feed_holds_a_secret(self, router, capsys):
        answers = [
            await router.ask(
                "security:createUser", user("default", name="ada@x", password="hunter2"), _id="ada"
            )
        ]
        for name, body in (
            ("searchUsersByCredentials", {}),
            ("searchUsersByCredentials", {"query": {"exists": {"field": "userPassword"}}}),
            ("getCredentials", None),
            ("updateCredentials", {"password": "hunter2"}),
            ("validateCredentials", {"username": "ada@x", "password": "hunter2"}),
            ("searchUsers", {}),
        ):
            answers.append(await router.ask(f"security:{name}", body, strategy="local", _id="ada"))
        told = " ".join(str(answer) for answer in answers) + "".join(capsys.readouterr())
        told += json.dumps([str(change) for change in await router.storage.changes(0)])
        assert "hunter2" not in told
        assert "argon2" not in told


class TestAllAtOnce:
    async def test_a_description_is_loaded(self, router):
        assert await router.result("admin:loadSecurities", GIVEN) == {"acknowledge": True}
        assert (await router.result("security:searchUsers", {}))["total"] == 2
        assert await router.register.credentials.verify("ada@x", "secret") == "ada"

    async def test_users_that_exist_fail_are_skipped_or_replaced(self, router):
        await router.result("admin:loadSecurities", GIVEN)
        other = {"users": {"ada": user("default", name="ada@y"), "eve": user("default")}}
        await router.refused("security.user.prevent_overwrite", "admin:loadSecurities", other)
        await router.refused("security.user.not_found", "security:getUser", _id="eve")
        await router.result("admin:loadSecurities", other, onExistingUsers="skip")
        ada = await router.result("security:getUser", _id="ada")
        assert ada["_source"]["profileIds"] == ["readers"]
        await router.result(
            "admin:loadSecurities",
            {"users": {"ada": user("default", name="ada@y")}},
            onExistingUsers="overwrite",
        )
        assert await router.register.credentials.verify("ada@y", "secret") == "ada"
        await router.refused(
            "api.assert.invalid_argument", "admin:loadSecurities", other, onExistingUsers="ask"
        )

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (None, "api.assert.body_required"),
            ({"roles": []}, "api.assert.invalid_type"),
            ({"roles": {"r": 1}}, "api.assert.invalid_type"),
            ({"roles": {"r": role(nothing="x")}}, "security.role.unknown_controller"),
            (
                {"profiles": {"p": {"policies": [{"roleId": "nobody"}]}}},
                "security.profile.cannot_hydrate",
            ),
            ({"users": {"u": {}}}, "api.assert.missing_argument"),
            ({"users": {"u": user()}}, "api.assert.missing_argument"),
            ({"users": {"u": user("nobody")}}, "security.user.cannot_hydrate"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_before_anything_is_written(
        self, router, body, error
    ):
        whole = body and {
            **GIVEN,
            **{
                key: {**GIVEN[key], **value} if isinstance(value, dict) else value
                for key, value in body.items()
            },
        }
        await router.refused(error, "admin:loadSecurities", whole)
        await router.refused("security.role.not_found", "security:getRole", _id="reader")
        assert (await router.result("security:searchUsers", {}))["total"] == 0

    async def test_a_reset_leaves_a_first_start(self, router):
        first = await router.result("security:searchRoles", {})
        await router.result("admin:loadSecurities", GIVEN)
        await router.result("security:createFirstAdmin", ADMIN, reset=True)
        told = (await as_user(router, "root", "admin:resetSecurity")).result
        assert told["deletedUsers"] == 3
        assert await router.result("server:adminExists") == {"exists": False}
        assert (await router.result("auth:getMyRights"))["hits"][0]["controller"] == "*"
        now = await router.result("security:searchRoles", {})
        assert {hit["_id"] for hit in now["hits"]} == {hit["_id"] for hit in first["hits"]}
        assert (await router.result("security:searchProfiles"))["total"] == 3
