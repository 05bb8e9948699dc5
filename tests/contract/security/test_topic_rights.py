"""What clients may do with topics, over each engine: a change counts from the next message."""

from __future__ import annotations

from typing import Any

import pytest

from access.places import INDEX, ROLES
from access.sessions import Session
from access.topic_rights import ClientTopics, TopicDoor
from router.envelope import Connection, JsonObject
from router.rates import Rates
from storage.contract import Author, Write
from tests.contract.security.test_register import make
from tests.support.stores import refused

BY = Author("root", "r1", "http")
CLOCK = 1_000.0


def role(**topics: Any) -> JsonObject:
    """A role that may publish on and subscribe to these topics."""
    actions: JsonObject = {"publish": True, "subscribe": True}
    return {"controllers": {"mqtt": {"actions": actions, "topics": topics}}}


async def give(register: Any, user: str, content: JsonObject, *indexes: str) -> None:
    """Make a user with a role of its own, bound to indexes if there are some."""
    await register.roles.write("create_or_replace", user, content, BY, force=True)
    policy: JsonObject = {"roleId": user}
    if indexes:
        policy["restrictedTo"] = [{"index": index} for index in indexes]
    await register.profiles.write("create_or_replace", user, {"policies": [policy]}, BY)
    await make(register, user, user)


async def topics(register: Any, user: str, client_id: str = "client", **more: Any) -> ClientTopics:
    """The rights of a connection that this user has opened."""
    session = Session(id=f"s-{user}", kuid=user, kind="login", **more)
    connection = Connection("c1", "mqtt", client_id=client_id, bearer=session)
    return await TopicDoor(register.directory, lambda: CLOCK).of_connection(connection)


async def nobody(register: Any, *, is_local: bool) -> ClientTopics:
    connection = Connection("c1", "mqtt", is_local=lambda: is_local)
    return await TopicDoor(register.directory, lambda: CLOCK).of_connection(connection)


class TestWhatRolesSay:
    async def test_a_role_that_names_no_topics_has_all(self, register):
        await give(register, "ada", role())
        ada = await topics(register, "ada")
        assert ada.may_publish("a/b")
        assert ada.may_subscribe("#")
        assert not ada.may_subscribe("$SYS/#")

    async def test_others_have_none(self, register):
        await give(register, "bob", {"controllers": {"document": {"actions": {"get": True}}}})
        bob = await topics(register, "bob")
        assert not bob.may_publish("a")
        assert not bob.may_subscribe("a")

    async def test_each_verb_has_its_own(self, register):
        await give(register, "ada", role(publish=["up/#"], subscribe=["down/+"]))
        ada = await topics(register, "ada")
        assert [ada.may_publish(each) for each in ("up", "up/a", "down/a")] == [True, True, False]
        asked = ("down/a", "down/+", "down/#", "#", "up/a")
        assert [ada.may_subscribe(each) for each in asked] == [True, True, False, False, False]

    async def test_an_action_that_is_denied_has_none(self, register):
        content: Any = role(publish=["#"])
        content["controllers"]["mqtt"]["actions"]["publish"] = False
        await give(register, "ada", content)
        assert not (await topics(register, "ada")).may_publish("a")

    async def test_places_are_filled_in_for_each_client(self, register):
        filters = ["users/{userId}/#", "clients/{clientId}/+", "x-{clientId}/{userId}"]
        await give(register, "ada", role(publish=filters))
        ada = await topics(register, "ada", "c1")
        assert ada.may_publish("users/ada/a/b")
        assert ada.may_publish("clients/c1/a")
        assert ada.may_publish("x-c1/ada")
        assert not ada.may_publish("users/bob/a")
        assert not ada.may_publish("clients/c2/a")

    @pytest.mark.parametrize("client_id", ["#", "+", "a/b", "+/c1", "", "a#"])
    async def test_no_name_of_a_client_widens_a_filter(self, register, client_id):
        await give(register, "ada", role(subscribe=["c/{clientId}/#", "u/{userId}"]))
        ada = await topics(register, "ada", client_id)
        for asked in ("c/#", "c/+/#", "c/a/b", f"c/{client_id}/x", "c//x"):
            assert not ada.may_subscribe(asked), asked
        assert ada.may_subscribe("u/ada")

    async def test_a_name_is_no_place(self, register):
        await give(register, "{clientId}", role(subscribe=["u/{userId}/#"]))
        mallory = await topics(register, "{clientId}", "bob")
        assert not mallory.may_subscribe("u/bob/#")
        assert mallory.may_subscribe("u/{clientId}/#")

    @pytest.mark.parametrize(
        "bad", ["", "a/#/b", "a+", "{user}/a", "a{index}", "{index}#", "$share/g/a", "a/{}", 7]
    )
    async def test_a_bad_filter_is_refused(self, register, bad):
        error = "invalid_type" if bad == 7 else "invalid_argument"
        with refused(f"api.assert.{error}"):
            await register.roles.write("create", "r", role(publish=["a", bad]), BY)

    @pytest.mark.parametrize("bad", [7, [], {"publish": "a"}, {"publish": {}}])
    async def test_a_bad_form_is_refused(self, register, bad):
        content: Any = role()
        content["controllers"]["mqtt"]["topics"] = bad
        with refused("api.assert.invalid_type"):
            await register.roles.write("create", "r", content, BY)

    async def test_only_two_verbs_have_topics(self, register):
        with refused("api.assert.unexpected_argument"):
            await register.roles.write("create", "r", role(read=["a"]), BY)

    async def test_an_unknown_action_of_it_is_refused(self, register):
        content: Any = {"controllers": {"mqtt": {"actions": {"publsh": True}}}}
        with refused("security.role.unknown_action"):
            await register.roles.write("create", "r", content, BY)


class TestTenants:
    async def test_who_is_bound_has_the_topics_of_its_index(self, register):
        await give(register, "ada", role(), "tenant-a", "shared")
        ada = await topics(register, "ada")
        asked = ("tenant-a/x", "tenant-a/#", "shared/#", "tenant-b/x", "+/x", "#", "tenant-ab/x")
        assert [ada.may_subscribe(each) for each in asked] == [True] * 3 + [False] * 4

    async def test_everything_in_an_index_is_nothing_elsewhere(self, register):
        everything: Any = {"controllers": {"*": {"actions": {"*": True}}}}
        await give(register, "ada", everything, "tenant-a")
        ada = await topics(register, "ada")
        assert ada.may_publish("tenant-a/x")
        assert not ada.may_publish("tenant-b/x")
        assert not ada.may_subscribe("#")

    async def test_the_index_has_its_place_in_filters(self, register):
        await give(register, "ada", role(subscribe=["twins/{index}/#"]), "tenant-a")
        ada = await topics(register, "ada")
        assert ada.may_subscribe("twins/tenant-a/#")
        assert not ada.may_subscribe("twins/tenant-b/1")
        await give(register, "eve", role(subscribe=["twins/{index}/#"]))
        assert (await topics(register, "eve")).may_subscribe("twins/tenant-b/1")

    async def test_some_collections_are_not_an_index(self, register):
        await register.roles.write("create", "r", role(), BY)
        bound = {"index": "tenant-a", "collections": ["assets"]}
        policy = {"roleId": "r", "restrictedTo": [bound]}
        await register.profiles.write("create", "p", {"policies": [policy]}, BY)
        await make(register, "ada", "p")
        assert not (await topics(register, "ada")).may_subscribe("tenant-a/x")


class TestChanges:
    async def test_a_change_of_a_role_counts_at_once(self, register):
        await give(register, "ada", role())
        ada = await topics(register, "ada")
        assert ada.may_publish("a")
        await register.roles.write("create_or_replace", "ada", role(publish=["b"]), BY)
        assert (ada.may_publish("a"), ada.may_publish("b")) == (False, True)

    async def test_so_does_one_of_a_profile(self, register):
        await give(register, "ada", role())
        await give(register, "bob", role(publish=["b"]))
        ada = await topics(register, "ada")
        policies = {"policies": [{"roleId": "bob"}]}
        await register.profiles.write("create_or_replace", "ada", policies, BY)
        assert (ada.may_publish("a"), ada.may_publish("b")) == (False, True)

    async def test_so_does_one_of_the_user(self, register):
        await give(register, "ada", role())
        await give(register, "bob", role(publish=["b"]))
        ada = await topics(register, "ada")
        await register.users.update("ada", {"profileIds": ["bob"]}, BY)
        assert (ada.may_publish("a"), ada.may_publish("b")) == (False, True)
        await register.users.delete("ada", BY)
        assert not ada.may_publish("b")

    async def test_so_does_what_another_router_did(self, register, private):
        await give(register, "ada", role())
        ada = await topics(register, "ada")
        other = role(publish=["b"])
        await private.write(
            Write(verb="replace", index=INDEX, collection=ROLES, id="ada", content=other)
        )
        assert ada.may_publish("a")
        await register.directory.refresh()
        assert (ada.may_publish("a"), ada.may_publish("b")) == (False, True)

    async def test_a_token_that_has_ended_has_none(self, register):
        await give(register, "ada", role())
        assert not (await topics(register, "ada", expires_at_ms=CLOCK)).may_publish("a")
        assert (await topics(register, "ada", expires_at_ms=CLOCK + 1)).may_publish("a")

    async def test_the_user_of_a_client_that_is_away_keeps_its_rights(self, register):
        await give(register, "ada", role(subscribe=["c/{clientId}"]))
        away = await TopicDoor(register.directory).of_user("ada", "c1")
        assert away.may_subscribe("c/c1")
        assert not away.may_subscribe("c/c2")


class TestRates:
    """Messages count against what a profile allows within a second."""

    async def test_those_of_a_user_count_together_and_not_with_its_requests(self, register):
        await give(register, "ada", role())
        policies = {"policies": [{"roleId": "ada"}], "rateLimit": 1, "messageRateLimit": 2}
        await register.profiles.write("create_or_replace", "ada", policies, BY)
        door = TopicDoor(register.directory, lambda: CLOCK, rates=Rates(lambda: CLOCK))
        session = Session(id="s", kuid="ada", kind="login")
        one, other = [
            await door.of_connection(Connection(each, "mqtt", client_id=each, bearer=session))
            for each in ("c1", "c2")
        ]
        assert [one.may_send(), other.may_send(), one.may_send()] == [True, True, False]
        assert not one.while_away().may_send()

    async def test_those_of_nobody_count_by_address(self, register):
        login: Any = {"controllers": {"auth": {"actions": {"login": True}}}}
        policies = {"policies": [{"roleId": "anonymous"}], "messageRateLimit": 1}
        await register.roles.write("create_or_replace", "anonymous", login, BY)
        await register.profiles.write("create_or_replace", "anonymous", policies, BY)
        door = TopicDoor(register.directory, rates=Rates(lambda: CLOCK))
        near, far = [
            await door.of_connection(Connection("c", "mqtt", address=address))
            for address in ("192.0.2.1", "192.0.2.2")
        ]
        assert [near.may_send(), far.may_send(), near.may_send()] == [True, True, False]

    async def test_without_a_limit_nothing_is_counted(self, register):
        await give(register, "ada", role())
        policies = {"policies": [{"roleId": "ada"}], "rateLimit": 1}
        await register.profiles.write("create_or_replace", "ada", policies, BY)
        ada = await topics(register, "ada")
        assert all(ada.may_send() for _ in range(1_000))


class TestNobody:
    async def test_before_there_are_rights_the_locals_may_do_everything(self, register):
        assert (await nobody(register, is_local=True)).may_subscribe("#")
        assert not (await nobody(register, is_local=False)).may_subscribe("a")

    async def test_who_has_no_name_has_what_anonymous_has(self, register):
        content: Any = role(subscribe=["news/#"])
        content["controllers"]["auth"] = {"actions": {"login": True}}
        local = await nobody(register, is_local=True)
        await register.roles.write("create_or_replace", "anonymous", content, BY)
        for each in (local, await nobody(register, is_local=False)):
            assert each.may_subscribe("news/a")
            assert not each.may_subscribe("a")
