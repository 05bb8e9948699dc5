"""Dispatch answers every request, in the order of its stages, whatever the stages do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from router.actions import Action, ActionTable
from router.admission import Admission
from router.dispatch import CURRENT, Router
from router.envelope import ABSENT, ANONYMOUS, Json, Reply, Request, Response, User
from router.errors import RouterError
from router.events import Events, Exchange
from storage.memory import MemoryStorage
from tests.support.requests import action, request, until

ADA = User("ada", ("default",))


class Bouncer:
    """Knows one user by her token, and lets in whom it is told to."""

    def __init__(self) -> None:
        self.lets_in: Callable[[User, Action], bool] = lambda user, action: True
        self.fault: Exception | None = None

    async def identify(self, request: Request) -> User:
        if self.fault is not None:
            raise self.fault
        if request.jwt == "expired":
            raise RouterError("security.token.invalid")
        return ANONYMOUS if request.jwt is None else ADA

    async def assume(self, user: User) -> User:
        return user

    def allows(self, user: User, action: Action, request: Request) -> bool:
        return self.lets_in(user, action)


class Tally:
    """Keeps what it was told of each answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []
        self.at_work = 0

    def begun(self, wire: str) -> None:
        self.at_work += 1

    def ended(self, wire: str) -> None:
        self.at_work -= 1

    def answered(self, request: Request, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.answers.append((request.action, status))


class House:
    """A router, and what stands around it."""

    def __init__(self, *actions: Action, at_work: int = 10, waiting: int = 10) -> None:
        self.events = Events(lambda event, error: None)
        self.authority = Bouncer()
        self.tally = Tally()
        self.admission = Admission(at_work=at_work, waiting=waiting)
        self.router = Router(
            ActionTable(actions),
            events=self.events,
            authority=self.authority,
            admission=self.admission,
            meter=self.tally,
            memory=MemoryStorage(),
        )

    async def ask(self, name: str = "test:run", jwt: str | None = None, **rest: Any) -> Response:
        return await self.router.dispatch(request(name, **rest).replace(jwt=jwt))


def assert_refused(answer: Response, id: str) -> None:
    assert answer.error is not None, answer
    assert answer.error["id"] == id
    assert answer.status == answer.error["status"]
    assert answer.result is None


async def echo(request: Request) -> Json:
    return {"args": request.args, "body": request.body, "user": request.user.id}


async def broken(request: Request) -> Json:
    raise ZeroDivisionError("made for the test")


class TestWhatDoesNotExist:
    async def test_who_might_not_run_it_is_not_told(self) -> None:
        house = House(action("test:run", echo))
        house.authority.lets_in = lambda user, action: action.name == "run" and user == ADA
        assert_refused(await house.ask("test:nope"), "security.rights.unauthorized")
        assert_refused(await house.ask("test:nope", "hers"), "security.rights.forbidden")
        assert_refused(await house.ask("nope:run", "hers"), "api.process.controller_not_found")

    async def test_a_bad_token_comes_first(self) -> None:
        house = House(action("test:run", echo))
        assert_refused(await house.ask("nope:run", "expired"), "security.token.invalid")


class TestAnswers:
    async def test_the_result_goes_back_with_what_was_asked(self) -> None:
        house = House(action("test:run", echo))
        asked = request(index="i", collection="c").replace(volatile={"v": 1}, request_id="r1")
        assert await house.router.dispatch(asked) == Response(
            request_id="r1",
            status=200,
            result={"args": {"index": "i", "collection": "c"}, "body": None, "user": "-1"},
            controller="test",
            action="run",
            index="i",
            collection="c",
            volatile={"v": 1},
        )
        assert house.tally.answers == [("run", 200)]

    async def test_a_reply_overrules_what_the_request_says(self) -> None:
        failure = RouterError("core.fatal.service_unavailable", "x")

        async def reply(request: Request) -> Reply:
            return Reply(
                result=[1], status=500, index="j", collection="d", headers={"a": "b"}, error=failure
            )

        answer = await House(action("test:run", reply)).ask(index="i")
        assert (answer.status, answer.index, answer.collection) == (500, "j", "d")
        assert (answer.headers, answer.result, answer.error) == (
            {"a": "b"},
            [1],
            failure.to_json(),
        )

    async def test_an_answer_may_carry_no_result_at_all(self) -> None:
        async def nothing(request: Request) -> Reply:
            return Reply(result=ABSENT)

        answer = await House(action("test:run", nothing)).ask()
        assert isinstance(answer.result, msgspec.UnsetType)

    @pytest.mark.parametrize(
        ("name", "id"),
        [
            (":run", "api.assert.missing_argument"),
            ("test:", "api.assert.missing_argument"),
            ("other:run", "api.process.controller_not_found"),
            ("test:other", "api.process.action_not_found"),
        ],
    )
    async def test_what_is_not_in_the_table(self, name: str, id: str) -> None:
        house = House(action("test:run", echo))
        assert_refused(await house.ask(name), id)
        assert len(house.tally.answers) == 1
        assert_refused(await house.router.call(request(name)), id)

    async def test_a_fault_is_an_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = await House(action("test:run", broken)).ask()
        assert_refused(answer, "plugin.runtime.unexpected_error")
        captured = capsys.readouterr()
        logged = captured.out + captured.err
        assert "made for the test" in logged
        assert answer.request_id in logged

    async def test_a_fault_without_words_names_itself(self) -> None:
        async def wordless(request: Request) -> Json:
            raise KeyError

        answer = await House(action("test:run", wordless)).ask()
        assert answer.error is not None
        assert answer.error["props"] == ["KeyError()"]

    async def test_log_lines_meanwhile_can_know_the_request(self) -> None:
        seen: list[str] = []

        async def look(request: Request) -> Json:
            seen.append(CURRENT.get())
            return None

        answer = await House(action("test:run", look)).ask()
        assert seen == [answer.request_id]
        assert CURRENT.get(None) is None


class TestRights:
    async def test_the_user_of_the_token_asks(self) -> None:
        answer = await House(action("test:run", echo)).ask(jwt="ada's")
        assert isinstance(answer.result, dict)
        assert answer.result["user"] == "ada"

    async def test_a_bad_token_is_refused(self) -> None:
        answer = await House(action("test:run", echo)).ask(jwt="expired")
        assert_refused(answer, "security.token.invalid")

    async def test_anonymous_is_asked_to_log_in_and_a_user_is_told_off(self) -> None:
        house = House(action("test:run", echo))
        house.authority.lets_in = lambda user, action: False
        assert_refused(await house.ask(), "security.rights.unauthorized")
        answer = await house.ask(jwt="ada's")
        assert_refused(answer, "security.rights.forbidden")
        assert answer.error is not None
        assert answer.error["props"] == ["test", "run", "ada"]

    async def test_a_fault_of_the_authority_is_an_answer(self) -> None:
        house = House(action("test:run", echo))
        house.authority.fault = OSError("disk")
        assert_refused(await house.ask(), "plugin.runtime.unexpected_error")
        assert house.admission.running == 0

    async def test_no_event_is_triggered_for_what_is_not_allowed(self) -> None:
        house, heard = House(action("test:run", echo)), list[object]()
        house.authority.lets_in = lambda user, action: False
        house.events.add_hook("test:*", heard.append)
        await house.ask()
        await house.events.settle(60)
        assert heard == []


class TestPipes:
    async def test_before_changes_the_request(self) -> None:
        house = House(action("test:run", echo))

        def rename(exchange: Exchange) -> Exchange:
            exchange.request.args["index"] = "other"
            return exchange

        house.events.add_pipe("test:beforeRun", rename)
        asked = request(index="i")
        answer = await house.router.dispatch(asked)
        assert answer.index == "other"
        assert asked.index == "i"

    async def test_after_changes_the_result(self) -> None:
        house = House(action("test:run", echo))

        def replace(exchange: Exchange) -> Exchange:
            exchange.result = {"was": exchange.result}
            return exchange

        house.events.add_pipe("test:afterRun", replace)
        answer = await house.ask()
        assert answer.result == {"was": {"args": {}, "body": None, "user": "-1"}}

    async def test_after_sees_null_where_there_is_no_result(self) -> None:
        async def nothing(request: Request) -> Reply:
            return Reply(result=ABSENT)

        house, seen = House(action("test:run", nothing)), list[object]()
        house.events.add_pipe("test:afterRun", lambda it: seen.append(it.result) or it)
        await house.ask()
        assert seen == [None]

    @pytest.mark.parametrize("stage", ["before", "after"])
    @pytest.mark.parametrize("returned", [None, {"a": 1}])
    async def test_a_pipe_must_return_its_payload(self, stage: str, returned: object) -> None:
        house = House(action("test:run", echo))
        house.events.add_pipe(f"test:{stage}Run", lambda exchange: returned)
        assert_refused(await house.ask(), "plugin.runtime.unexpected_error")

    async def test_a_pipe_may_refuse(self) -> None:
        house, ran = House(action("test:run", echo)), list[str]()

        def refuse(exchange: Exchange) -> Exchange:
            raise RouterError("services.storage.not_found", "a", "b", "c")

        house.events.add_pipe("test:beforeRun", refuse)
        house.events.add_hook("test:afterRun", lambda it: ran.append("after"))
        assert_refused(await house.ask(), "services.storage.not_found")
        await house.events.settle(60)
        assert ran == []

    async def test_an_error_pipe_may_mend_a_failure(self) -> None:
        house = House(action("test:run", broken))

        def mend(exchange: Exchange) -> Exchange:
            assert exchange.error is not None
            exchange.result, exchange.error = {"mended": exchange.error.id}, None
            return exchange

        house.events.add_pipe("test:errorRun", mend)
        answer = await house.ask()
        assert (answer.status, answer.error) == (200, None)
        assert answer.result == {"mended": "plugin.runtime.unexpected_error"}

    async def test_an_error_pipe_may_change_the_error(self) -> None:
        house = House(action("test:run", broken))

        def change(exchange: Exchange) -> Exchange:
            exchange.error = RouterError("api.assert.body_required")
            return exchange

        house.events.add_pipe("test:errorRun", change)
        assert_refused(await house.ask(), "api.assert.body_required")

    async def test_an_error_pipe_that_fails_gives_its_own_error(self) -> None:
        house = House(action("test:run", broken))
        house.events.add_pipe("test:errorRun", lambda exchange: None)
        assert_refused(await house.ask(), "plugin.runtime.unexpected_error")


class TestAdmission:
    async def test_overload_is_answered_at_once(self) -> None:
        opened = asyncio.Event()

        async def hold(request: Request) -> Json:
            await opened.wait()
            return None

        house = House(action("test:run", hold), at_work=1, waiting=1)
        tasks = [asyncio.create_task(house.ask()) for _ in range(2)]
        await until(lambda: house.admission.waiting == 1)
        answer = await house.ask()
        assert_refused(answer, "api.process.overloaded")
        assert answer.status == 503
        opened.set()
        assert [answer.status for answer in await asyncio.gather(*tasks)] == [200, 200]
        assert house.admission.running == 0

    async def test_one_who_leaves_the_queue_takes_no_place_and_no_turn(self) -> None:
        opened = asyncio.Event()

        async def hold(request: Request) -> Json:
            await opened.wait()
            return None

        one = action("test:run", hold, order_key=lambda request: "k")
        house = House(one, at_work=1, waiting=2)
        first, second, third = (asyncio.create_task(house.ask()) for _ in range(3))
        await until(lambda: house.admission.waiting == 2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        opened.set()
        assert [(await task).status for task in (first, third)] == [200, 200]
        assert (house.admission.running, house.admission.waiting) == (0, 0)

    async def test_a_cancelled_action_gives_its_place_back(self) -> None:
        reached = asyncio.Event()

        async def hang(request: Request) -> Json:
            reached.set()
            await asyncio.Event().wait()
            return None

        house = House(action("test:run", hang))
        task = asyncio.create_task(house.ask())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house.admission.running == 0

    async def test_something_cancelled_inside_an_action_is_an_error(self) -> None:
        async def wait_for_a_lost_task(request: Request) -> Json:
            lost = asyncio.create_task(asyncio.sleep(60))
            lost.cancel()
            await lost
            return None

        answer = await House(action("test:run", wait_for_a_lost_task)).ask()
        assert_refused(answer, "plugin.runtime.unexpected_error")


class TestOrder:
    async def test_writes_of_one_connection_keep_their_order_past_slow_pipes(self) -> None:
        written: list[Json] = []

        async def write(request: Request) -> Json:
            assert request.turn is not None
            await request.turn.wait()
            written.append(request.args["n"])
            request.turn.leave()
            return None

        house = House(action("test:run", write, order_key=lambda request: request.args["_id"]))
        first_may_go = asyncio.Event()

        async def slow(exchange: Exchange) -> Exchange:
            if exchange.request.args["n"] == 1:
                await first_may_go.wait()
            return exchange

        house.events.add_pipe("test:beforeRun", slow)
        tasks = [asyncio.create_task(house.ask(_id="a", n=n)) for n in (1, 2, 3)]
        other = asyncio.create_task(house.ask(_id="b", n=4))
        await other
        assert written == [4]
        first_may_go.set()
        await asyncio.gather(*tasks)
        assert written == [4, 1, 2, 3]

    async def test_a_key_that_cannot_be_made_is_an_answer(self) -> None:
        house = House(action("test:run", echo, order_key=lambda request: []))
        assert_refused(await house.ask(), "plugin.runtime.unexpected_error")

    async def test_no_key_is_no_turn(self) -> None:
        turns: list[object] = []

        async def look(request: Request) -> Json:
            turns.append(request.turn)
            return None

        house = House(action("test:run", look, order_key=lambda request: None))
        await house.ask()
        await house.router.call(request())
        assert turns == [None, None]


class TestCalls:
    async def test_the_application_asks_without_rights_events_or_admission(self) -> None:
        house, heard = House(action("test:run", echo), at_work=1, waiting=0), list[object]()
        house.authority.lets_in = lambda user, action: False
        house.events.add_hook("test:*", heard.append)
        house.admission.enter()
        answer = await house.router.call(request().replace(user=ADA))
        assert isinstance(answer.result, dict)
        assert answer.result["user"] == "ada"
        await house.events.settle(60)
        assert heard == []
        assert house.tally.answers == []

    async def test_in_a_users_name_it_has_that_users_rights(self) -> None:
        house = House(action("test:run", echo))
        house.authority.lets_in = lambda user, action: user is ADA
        allowed = await house.router.call(request().replace(user=ADA), rights=True)
        assert allowed.status == 200
        other = await house.router.call(request().replace(user=User("bob")), rights=True)
        assert_refused(other, "security.rights.forbidden")

    async def test_events_come_when_asked_for(self) -> None:
        house, seen = House(action("test:run", echo)), list[str]()

        def note(exchange: Exchange) -> Exchange:
            seen.append(f"events {exchange.request.trigger_events}")
            return exchange

        house.events.add_pipe("test:beforeRun", note)
        await house.router.call(request(), events=True)
        assert seen == ["events True"]

    async def test_a_fault_is_an_answer(self) -> None:
        house = House(action("test:run", echo, order_key=lambda request: []))
        assert_refused(await house.router.call(request()), "plugin.runtime.unexpected_error")

    async def test_a_call_may_call_again_about_the_same_document(self) -> None:
        async def write(request: Request) -> Json:
            if request.turn is not None:
                await request.turn.wait()
                request.turn.leave()
            return request.args["n"]

        house = House(action("test:run", write, order_key=lambda request: "the document"))

        async def write_more(exchange: Exchange) -> Exchange:
            inner = await house.router.call(request(n=2))
            exchange.request.args["n"] = [1, inner.result]
            return exchange

        house.events.add_pipe("test:beforeRun", write_more)
        async with asyncio.timeout(60):
            answer = await house.router.call(request(n=1), events=True)
        assert answer.result == [1, 2]


# -- the rate of a user -------------------------------------------------------------------


class Limiting:
    """Everybody may do everything, so often a second; the token is the user's id."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    async def identify(self, request: Request) -> User:
        return User(request.jwt or ANONYMOUS.id, (), self.limit)

    def allows(self, user: User, action: Action, request: Request) -> bool:
        return True


class Crowd:
    """A router that limits its users, and requests from several addresses."""

    def __init__(self, limit: int) -> None:
        names = ("test:run", "auth:login", "auth:logout")
        self.router = Router(
            ActionTable(action(name, echo) for name in names),
            events=Events(lambda event, error: None),
            authority=Limiting(limit),
            admission=Admission(at_work=10, waiting=10),
            meter=Tally(),
            memory=MemoryStorage(),
        )

    async def ask(
        self, user: str | None, name: str = "test:run", address: str = "192.0.2.1"
    ) -> Response:
        asked = request(name)
        connection = msgspec.structs.replace(asked.connection, address=address)
        return await self.router.dispatch(asked.replace(jwt=user, connection=connection))

    async def flood(self, user: str | None, name: str = "test:run", count: int = 20) -> list[int]:
        # Twice the limit may pass around the turn of a second; 20 is many times the limit.
        return [(await self.ask(user, name)).status for _ in range(count)]


async def test_a_user_beyond_its_rate_is_refused() -> None:
    crowd = Crowd(3)
    statuses = await crowd.flood("ada")
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    answer = next(a for a in [await crowd.ask("ada") for _ in range(10)] if a.status == 429)
    assert_refused(answer, "api.process.too_many_requests")
    assert answer.headers == {"Retry-After": "1"}


async def test_another_user_is_not() -> None:
    crowd = Crowd(3)
    await crowd.flood("ada")
    assert (await crowd.ask("bob")).status == 200


async def test_no_rate_is_no_limit() -> None:
    assert set(await Crowd(0).flood("ada", count=500)) == {200}


async def test_strangers_count_by_their_address() -> None:
    crowd = Crowd(3)
    assert 429 in await crowd.flood(None)
    assert (await crowd.ask(None, address="192.0.2.2")).status == 200


async def test_login_has_other_limits() -> None:
    crowd = Crowd(3)
    assert set(await crowd.flood(None, "auth:login")) == {200}
    assert set(await crowd.flood("ada", "auth:login")) == {200}


async def test_nobody_is_kept_from_logging_out() -> None:
    crowd = Crowd(3)
    await crowd.flood("ada")
    assert set(await crowd.flood("ada", "auth:logout")) == {200}
    assert 429 in await crowd.flood(None, "auth:logout")
