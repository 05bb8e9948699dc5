"""realtime: who hears what, from which write, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.connections import Notification
from router.envelope import User
from router.events import Exchange
from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
RANGE = {"range": {"n": {"gte": 5}}}


class Ear:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def notify(self, notification: Notification) -> None:
        self.heard.append({**notification.content, "room": notification.channel})

    def expel(self, reason: str) -> None:
        raise AssertionError("nobody is expelled here")

    def unsent(self) -> int:
        return 0

    def hears(self, channel: str) -> bool:
        return True

    def taken(self) -> list[Any]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router


def ear(lab: InProcess, connection: str = "c1") -> Ear:
    opened = Ear()
    lab.connections.opened(connection, opened)
    return opened


async def subscribe(lab: InProcess, body: Any, **more: Any) -> Any:
    return await lab.result("realtime:subscribe", body, **{**PLACE, **more})


async def do(lab: InProcess, action: str, id: str, body: Any = None, **more: Any) -> Any:
    more = {"connection": "writer", "_id": id, **PLACE, **more}
    return await lab.result(f"document:{action}", body, **more)


def told(notices: list[Any]) -> list[tuple[Any, ...]]:
    return [(each["action"], each["scope"], each["result"]["_id"]) for each in notices]


class TestWrites:
    async def test_documents_come_in_and_go_out(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE)
        await do(lab, "create", "a", {"n": 6})
        await do(lab, "create", "b", {"n": 1})
        await do(lab, "update", "b", {"n": 7})
        await do(lab, "update", "b", {"x": 1})
        await do(lab, "update", "b", {"n": 2})
        await do(lab, "update", "b", {"n": 3})
        await do(lab, "replace", "a", {"n": 9})
        await do(lab, "createOrReplace", "a", {"n": 0})
        await do(lab, "createOrReplace", "a", {"n": 5})
        await do(lab, "delete", "a")
        await do(lab, "delete", "b")
        assert told(listener.taken()) == [
            ("create", "in", "a"),
            ("update", "in", "b"),
            ("update", "in", "b"),
            ("update", "out", "b"),
            ("replace", "in", "a"),
            ("replace", "out", "a"),
            ("replace", "in", "a"),
            ("delete", "out", "a"),
        ]

    async def test_a_notification_says_all_that_clients_read(self, lab: InProcess) -> None:
        listener = ear(lab)
        joined = await subscribe(lab, {})
        body = {"n": 1, "deep": {"er": {"x": 1, "y": [1]}, "none": {}}}
        await do(lab, "create", "a", body)
        await do(lab, "update", "a", {"deep": {"er": {"y": [2]}, "none": {}}, "n": 2}, wire="mqtt")
        created, updated = listener.taken()
        assert created["result"]["_source"]["_kuzzle_info"]["author"] == "-1"
        assert created["result"]["_version"] == 1
        assert created["room"] == joined["channel"]
        assert joined["channel"] == f"{joined['roomId']}-311"
        assert updated["result"]["_updatedFields"] == ["deep.er.y", "deep.none", "n"]
        assert updated["result"]["_source"]["deep"] == {"er": {"x": 1, "y": [2]}, "none": {}}
        seq = updated.pop("seq")
        assert seq == created["seq"] + 1
        assert updated.pop("feed") == lab.storage.feed
        del updated["result"], updated["timestamp"], updated["requestId"], updated["room"]
        assert updated == {
            "type": "document",
            "status": 200,
            "action": "update",
            "scope": "in",
            "event": "write",
            "volatile": None,
            "controller": "document",
            "protocol": "mqtt",
            **PLACE,
        }

    async def test_a_deleted_document_is_told_as_it_was(self, lab: InProcess) -> None:
        listener = ear(lab)
        await do(lab, "create", "a", {"n": 6})
        await subscribe(lab, {"ids": {"values": ["a"]}})
        await do(lab, "delete", "a")
        (notice,) = listener.taken()
        assert (notice["event"], notice["scope"]) == ("delete", "out")
        assert notice["result"]["_source"]["n"] == 6

    async def test_every_kind_of_write_is_told(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, {})
        documents = [{"_id": name, "body": {"n": 1}} for name in ("a", "b")]
        many = {"connection": "writer", **PLACE}
        await lab.result("document:mCreate", {"documents": documents}, **many)
        await lab.result("document:mUpdate", {"documents": documents}, **many)
        await lab.result("document:mReplace", {"documents": documents}, **many)
        await lab.result("document:mCreateOrReplace", {"documents": documents}, **many)
        changes = {"changes": {"n": 2}, "query": {"ids": {"values": ["a"]}}}
        await lab.result("document:updateByQuery", changes, **many)
        await do(lab, "upsert", "c", {"changes": {"n": 3}})
        await do(lab, "upsert", "c", {"changes": {"m": 3}})
        await do(lab, "deleteFields", "c", {"fields": ["m"]})
        await lab.result("document:mDelete", {"ids": ["a"]}, **many)
        query = {"query": {"ids": {"values": ["b"]}}}
        await lab.result("document:deleteByQuery", query, **many)
        assert [(action, key) for action, _, key in told(listener.taken())] == [
            *[(action, key) for action in ("create", "update") for key in ("a", "b")],
            *[("replace", key) for _ in range(2) for key in ("a", "b")],
            ("update", "a"),
            ("create", "c"),
            ("update", "c"),
            ("update", "c"),
            ("delete", "a"),
            ("delete", "b"),
        ]

    async def test_assets_are_told_with_the_callers_request(self, lab: InProcess) -> None:
        listener = ear(lab)
        await lab.fleet()
        await subscribe(lab, {"exists": "metadata.speed"}, index="fleet", collection="assets")
        await lab.asset("t1", color="red")
        body = {"metadata": {"speed": 4}}
        await lab.result("device-manager/asset:update", body, index="fleet", _id="t1")
        (notice,) = listener.taken()
        assert notice["result"]["_updatedFields"] == ["metadata.speed"]
        assert notice["result"]["_source"]["metadata"] == {"color": "red", "speed": 4}
        assert notice["controller"] == "document"

    async def test_silent_writes_are_not_told(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE)
        await do(lab, "create", "a", {"n": 6}, silent=True)
        await do(lab, "update", "a", {"n": 7}, silent=True)
        documents = [{"_id": "b", "body": {"n": 8}}]
        body = {"documents": documents}
        await lab.result("document:mCreate", body, silent=True, connection="writer", **PLACE)
        assert listener.taken() == []
        await do(lab, "update", "a", {"n": 1})
        assert told(listener.taken()) == [("update", "out", "a")]
        await lab.refused(
            "api.assert.invalid_type", "document:create", {}, silent="yes", _id="x", **PLACE
        )

    async def test_what_is_refused_is_not_told(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, {})
        await lab.refused("services.storage.not_found", "document:update", {}, _id="no", **PLACE)
        await do(lab, "create", "a", {})
        await lab.refused(
            "services.storage.document_already_exists", "document:create", {}, _id="a", **PLACE
        )
        assert told(listener.taken()) == [("create", "in", "a")]

    async def test_other_collections_are_not_told_of(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, {}, collection="others")
        await do(lab, "create", "a", {})
        assert listener.taken() == []


class TestPublish:
    async def test_a_message_reaches_those_whose_filter_it_matches(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE)
        assert await lab.result("realtime:publish", {"n": 50}, **PLACE) == {"published": True}
        await lab.result("realtime:publish", {"n": 4}, **PLACE)
        (notice,) = listener.taken()
        assert (notice["action"], notice["event"], notice["scope"]) == ("publish", "publish", "in")
        assert notice["controller"] == "realtime"
        source = notice["result"]["_source"]
        assert source["n"] == 50
        assert source["_kuzzle_info"]["author"] == "-1"
        assert "_id" not in notice["result"]

    async def test_it_may_have_an_id(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, {"ids": {"values": ["m1"]}})
        await lab.result("realtime:publish", {"n": 1}, _id="m1", **PLACE)
        await lab.result("realtime:publish", {"n": 1}, _id="m2", **PLACE)
        assert [each["result"]["_id"] for each in listener.taken()] == ["m1"]

    async def test_it_is_checked_by_the_specification_of_its_collection(
        self, lab: InProcess
    ) -> None:
        listener = ear(lab)
        fields = {"n": {"type": "integer"}, "unit": {"type": "string", "defaultValue": "kg"}}
        await lab.result("collection:updateSpecifications", {"fields": fields}, **PLACE)
        await subscribe(lab, {})
        publish = "realtime:publish"
        await lab.refused("validation.check.failed_field", publish, {"n": "x"}, **PLACE)
        tried = await lab.result("realtime:validate", {"n": "x"}, **PLACE)
        assert tried["valid"] is False
        assert "n" in tried["errorMessages"]["fieldScope"]["children"]
        assert (await lab.result("realtime:validate", {"n": 1}, **PLACE))["valid"] is True
        assert listener.taken() == []
        await lab.result(publish, {"n": 1}, **PLACE)
        (notice,) = listener.taken()
        assert notice["result"]["_source"]["unit"] == "kg"

    async def test_messages_of_one_connection_keep_their_order(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, {})

        async def late_for_some(exchange: Exchange) -> Exchange:
            body = exchange.request.body
            assert isinstance(body, dict)
            for _ in range(0 if body["n"] == 2 else 20):
                await asyncio.sleep(0)
            return exchange

        lab.events.add_pipe("realtime:beforePublish", late_for_some)
        await asyncio.gather(
            *(lab.result("realtime:publish", {"n": number}, **PLACE) for number in range(4))
        )
        assert [each["result"]["_source"]["n"] for each in listener.taken()] == [0, 1, 2, 3]

    async def test_it_needs_a_body_and_a_place(self, lab: InProcess) -> None:
        await lab.refused("api.assert.body_required", "realtime:publish", **PLACE)
        await lab.refused("api.assert.missing_argument", "realtime:publish", {}, index="lab")
        await lab.refused("api.assert.invalid_type", "realtime:publish", {}, _id=1, **PLACE)


class TestChoices:
    @pytest.mark.parametrize(
        ("scope", "heard"),
        [("all", ["in", "out"]), ("in", ["in"]), ("out", ["out"]), ("none", [])],
    )
    async def test_scope(self, lab: InProcess, scope: str, heard: list[str]) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE, scope=scope)
        await do(lab, "create", "a", {"n": 6})
        await do(lab, "update", "a", {"n": 1})
        assert [each["scope"] for each in listener.taken()] == heard

    @pytest.mark.parametrize(
        ("users", "heard"),
        [("all", ["in", "out"]), ("in", ["in"]), ("out", ["out"]), ("none", []), (None, [])],
    )
    async def test_users(self, lab: InProcess, users: str | None, heard: list[str]) -> None:
        listener = ear(lab)
        joined = await subscribe(lab, RANGE, users=users)
        ear(lab, "c2")
        await subscribe(lab, RANGE, connection="c2")
        lab.connections.closed("c2")
        notices = listener.taken()
        assert [each["user"] for each in notices] == heard
        assert all(each["room"] == joined["channel"] for each in notices)

    async def test_each_choice_has_a_channel_of_its_own(self, lab: InProcess) -> None:
        ear(lab)
        channels = {
            (await subscribe(lab, {}, users=users, scope=scope))["channel"]
            for users in ("all", "in", "out", "none")
            for scope in ("all", "in", "out", "none")
        }
        assert len(channels) == 16

    async def test_others_are_refused(self, lab: InProcess) -> None:
        ear(lab)
        for name in ("scope", "users"):
            await lab.refused(
                f"core.realtime.invalid_{name}", "realtime:subscribe", {}, **{name: "some"}, **PLACE
            )


class TestUsers:
    async def test_who_comes_and_goes_is_told_with_what_he_gave(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE, users="all")
        assert listener.taken() == []
        ear(lab, "c2")
        joined = await subscribe(lab, RANGE, connection="c2", users="all")
        (notice,) = listener.taken()
        assert {key: notice[key] for key in ("type", "status", "user", "result", "action")} == {
            "type": "user",
            "status": 200,
            "user": "in",
            "result": {"count": 2},
            "action": "subscribe",
        }
        body = {"roomId": joined["roomId"]}
        await lab.result("realtime:unsubscribe", body, connection="c2")
        (notice,) = listener.taken()
        assert (notice["user"], notice["result"]) == ("out", {"count": 1})
        assert (notice["action"], notice["protocol"]) == ("unsubscribe", "websocket")

    async def test_subscribing_twice_does_not_double(self, lab: InProcess) -> None:
        listener, other = ear(lab), ear(lab, "c2")
        first = await subscribe(lab, {"and": [RANGE, {"exists": "n"}]}, users="all")
        await subscribe(lab, {"and": [{"exists": "n"}, RANGE]}, connection="c2", users="all")
        again = await subscribe(lab, {"and": [{"exists": "n"}, RANGE]}, users="all")
        assert again == first
        assert [each["user"] for each in listener.taken()] == ["in"]
        other.taken()
        await do(lab, "create", "a", {"n": 6})
        assert len(listener.taken()) == len(other.taken()) == 1
        assert await lab.result("realtime:count", {"roomId": first["roomId"]}) == {"count": 2}


class TestRooms:
    async def test_joining_counting_listing_leaving(self, lab: InProcess) -> None:
        ear(lab)
        listener = ear(lab, "c2")
        room = (await subscribe(lab, RANGE))["roomId"]
        joined = await lab.result("realtime:join", {"roomId": room}, connection="c2", scope="in")
        assert joined == {"roomId": room, "channel": f"{room}-312"}
        await do(lab, "create", "a", {"n": 6})
        assert len(listener.taken()) == 1
        other = (await subscribe(lab, {}, collection="others"))["roomId"]
        listed = await lab.result("realtime:list")
        assert listed == {"lab": {"things": {room: 2}, "others": {other: 1}}}
        metrics = await lab.result("server:metrics")
        assert metrics["realtime"] == {"rooms": 2, "subscriptions": 3}
        assert await lab.result("realtime:unsubscribe", {"roomId": room}) == {"roomId": room}
        assert await lab.result("realtime:count", {"roomId": room}) == {"count": 1}
        lab.connections.closed("c2")
        lab.connections.closed("c1")
        assert await lab.result("realtime:count", {"roomId": room}) == {"count": 0}
        assert await lab.result("realtime:list") == {}

    async def test_collections_are_listed_where_somebody_listens(self, lab: InProcess) -> None:
        ear(lab)
        room = (await subscribe(lab, {}, collection="messages"))["roomId"]
        await subscribe(lab, {})
        await subscribe(lab, {}, index="elsewhere")

        async def named(kind: str, **more: Any) -> Any:
            listed = await lab.result("collection:list", **{"index": "lab", "type": kind, **more})
            return [(each["name"], each["type"]) for each in listed["collections"]]

        heard = [("messages", "realtime"), ("things", "realtime")]
        stored = ("things", "stored")
        assert await named("realtime") == heard
        assert await named("stored") == [stored]
        assert await named("all") == [*heard, stored]
        assert await named("all", size=1, **{"from": 1}) == heard[1:]
        assert await lab.result("collection:exists", index="lab", collection="messages") is False
        await lab.result("realtime:unsubscribe", {"roomId": room})
        assert await named("realtime") == heard[1:]

    async def test_what_is_not_there_is_refused(self, lab: InProcess) -> None:
        ear(lab)
        room = (await subscribe(lab, RANGE))["roomId"]
        error = await lab.refused(
            "core.realtime.not_subscribed", "realtime:unsubscribe", {"roomId": "nope"}
        )
        assert error["props"] == ["c1", "nope"]
        ear(lab, "c2")
        for connection in ("c2", "gone"):
            await lab.refused(
                "core.realtime.not_subscribed",
                "realtime:unsubscribe",
                {"roomId": room},
                connection=connection,
            )
        await lab.refused("core.realtime.room_not_found", "realtime:join", {"roomId": "nope"})
        assert await lab.result("realtime:count", {"roomId": "nope"}) == {"count": 0}
        for action in ("join", "count", "unsubscribe"):
            await lab.refused("api.assert.missing_argument", f"realtime:{action}", {})
            await lab.refused("api.assert.body_required", f"realtime:{action}")
            await lab.refused("api.assert.invalid_type", f"realtime:{action}", {"roomId": 1})

    async def test_a_subscription_ends_with_its_token(self, lab: InProcess) -> None:
        listener = ear(lab)
        await subscribe(lab, RANGE)
        lab.connections.signed_out("c1")
        await do(lab, "create", "a", {"n": 6})
        assert listener.taken() == []
        assert await lab.result("realtime:list") == {}

    async def test_a_connection_that_is_gone_leaves_nothing_behind(self, lab: InProcess) -> None:
        await lab.refused("api.process.connection_dropped", "realtime:subscribe", {}, **PLACE)
        for wire in ("http", "internal"):
            await lab.refused(
                "trivium.unsupported.feature", "realtime:subscribe", {}, wire=wire, **PLACE
            )
        assert await lab.result("realtime:list") == {}

    async def test_rooms_and_subscriptions_are_bounded(self) -> None:
        async with in_process(rooms=3, rooms_per_connection=2) as lab:
            for connection in ("c1", "c2"):
                ear(lab, connection)
            for number in range(2):
                await subscribe(lab, {"equals": {"n": number}})
            third = {"equals": {"n": 2}}
            await lab.refused("core.realtime.too_many_rooms", "realtime:subscribe", third, **PLACE)
            await subscribe(lab, third, connection="c2")
            await lab.refused(
                "core.realtime.too_many_rooms",
                "realtime:subscribe",
                {"equals": {"n": 3}},
                connection="c2",
                **PLACE,
            )
            await subscribe(lab, {"equals": {"n": 0}}, connection="c2")
            assert len((await lab.result("realtime:list"))["lab"]["things"]) == 3

    async def test_filters_are_bounded(self, lab: InProcess) -> None:
        ear(lab)
        deep: Any = {"exists": "a"}
        for _ in range(40):
            deep = {"not": deep}
        many = {"in": {"a": [str(number) for number in range(101)]}}
        for body in (deep, many, {"nope": {}}, {"equals": 1}):
            await lab.refused("api.assert.koncorde_dsl_error", "realtime:subscribe", body, **PLACE)

    async def test_who_may_listen_no_longer_is_taken_out(self, lab: InProcess) -> None:
        listener, other = ear(lab), ear(lab, "c2")
        await lab.result("collection:create", index="lab", collection="others")
        await subscribe(lab, {}, users="all")
        await subscribe(lab, {}, connection="c2", collection="others")

        def may_listen(user: User, place: tuple[str, str]) -> bool:
            return place[1] == "others" and user.id == "-1"

        lab.notifier.review(may_listen)
        await do(lab, "create", "a", {})
        await do(lab, "create", "a", {}, collection="others")
        assert listener.taken() == []
        assert len(other.taken()) == 1
