"""Waiting for answers: each reaches the one who asked, and nobody waits for ever."""

import asyncio

import pytest

from trivium.client.exchange import Answers, ConnectionFailedError

NOW = {"controller": "server", "action": "now"}


def answers(timeout_s: float = 5.0) -> Answers:
    return Answers(timeout_s)


async def test_answers_are_matched_by_request_id_in_any_order():
    waiting = answers()
    first, first_answer = waiting.expect(NOW)
    second, second_answer = waiting.expect({**NOW, "requestId": "mine"})
    assert second["requestId"] == "mine"
    waiting.deliver({"requestId": "mine", "result": 2})
    waiting.deliver({"requestId": first["requestId"], "result": 1})
    assert (await waiting.wait(first_answer))["result"] == 1
    assert (await waiting.wait(second_answer))["result"] == 2


@pytest.mark.parametrize("frame", [None, [1], {"requestId": "unknown"}, {"type": "document"}])
async def test_what_nobody_waits_for_is_dropped(frame):
    waiting = answers()
    _, answer = waiting.expect(NOW)
    waiting.deliver(frame)
    assert not answer.done()


async def test_no_answer_in_time_is_an_error_with_the_time():
    waiting = answers(0.01)
    _, answer = waiting.expect(NOW)
    with pytest.raises(ConnectionFailedError, match=r"no answer in 0\.01 s"):
        await waiting.wait(answer)


async def test_an_answer_after_the_time_changes_nothing():
    waiting = answers(0.01)
    sent, answer = waiting.expect(NOW)
    with pytest.raises(ConnectionFailedError):
        await waiting.wait(answer)
    waiting.deliver({"requestId": sent["requestId"]})


async def test_a_lost_connection_fails_who_waits_and_who_comes_later():
    waiting = answers()
    _, answer = waiting.expect(NOW)
    task = asyncio.create_task(waiting.wait(answer))
    waiting.fail("gone")
    with pytest.raises(ConnectionFailedError, match="gone"):
        await task
    with pytest.raises(ConnectionFailedError, match="gone"):
        waiting.expect(NOW)
