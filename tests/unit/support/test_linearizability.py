"""The checker of histories: what it lets pass and what it must catch."""

from __future__ import annotations

import random

import pytest

from tests.support.linearizability import (
    NEVER,
    Operation,
    State,
    UndecidedError,
    violation,
)

START = State("start", 1)


def read(value: str, version: int, invoked: float, returned: float) -> Operation:
    return Operation("read", value, version, invoked, returned)


def update(value: str, version: int | None, invoked: float, returned: float = NEVER) -> Operation:
    return Operation("update", value, version, invoked, returned)


LINEARIZABLE = {
    "nothing": [],
    "one after the other": [update("a", 2, 0, 1), read("a", 2, 2, 3)],
    "a read beside an update sees it": [update("a", 2, 0, 9), read("a", 2, 1, 2)],
    "a read beside an update does not see it": [update("a", 2, 0, 9), read("start", 1, 1, 2)],
    "updates side by side, the later call first": [
        update("a", 3, 0, 9),
        update("b", 2, 1, 8),
        read("a", 3, 10, 11),
    ],
    "no answer, and it did not happen": [update("a", None, 0), read("start", 1, 5, 6)],
    "no answer, and it happened": [update("a", None, 0), read("a", 2, 5, 6)],
    "no answer, and it happened late": [
        update("a", None, 0),
        read("start", 1, 1, 2),
        update("b", 2, 3, 4),
        read("b", 2, 5, 6),
        read("a", 3, 7, 8),
    ],
    "no answer, and only a version tells": [update("a", None, 0), update("b", 3, 1, 2)],
    "two without answers, one happened": [
        update("a", None, 0),
        update("b", None, 0),
        update("c", 3, 1, 2),
    ],
}

VIOLATIONS = {
    "an update that is lost": [update("a", 2, 0, 1), read("start", 1, 2, 3)],
    "an update that another overwrote unseen": [
        update("a", 2, 0, 9),
        update("b", 2, 0, 9),
        read("b", 2, 10, 11),
    ],
    "a stale read after a fresh one": [
        update("a", 2, 0, 9),
        read("a", 2, 1, 2),
        read("start", 1, 3, 4),
    ],
    "a read of what was not yet written": [read("a", 2, 0, 1), update("a", 2, 2, 3)],
    "an update without an answer seen before its call": [
        read("a", 2, 0, 1),
        update("a", None, 2),
    ],
    "a value that nobody wrote": [read("a", 2, 0, 1)],
    "updates in the wrong order": [update("a", 3, 0, 1), update("b", 2, 2, 3)],
    "an update applied twice": [update("a", 2, 0, 1), read("a", 3, 2, 3)],
    "an update without an answer applied twice": [
        update("a", None, 0),
        read("a", 2, 1, 2),
        update("b", 3, 3, 4),
        read("a", 4, 5, 6),
    ],
    "a version with another value": [
        update("a", 2, 0, 9),
        update("b", 3, 0, 9),
        read("a", 3, 10, 11),
    ],
    "a version that is skipped": [update("a", 3, 0, 1)],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_what_some_order_explains_passes(name: str) -> None:
    assert violation(LINEARIZABLE[name], START) is None


@pytest.mark.parametrize("name", VIOLATIONS)
def test_what_no_order_explains_is_caught(name: str) -> None:
    assert violation(VIOLATIONS[name], START)


def test_what_could_not_be_explained_is_told() -> None:
    good, bad = update("a", 2, 0, 1), read("start", 1, 2, 3)
    assert violation([good, bad], START) == (bad,)


@pytest.mark.parametrize("seed", range(20))
def test_a_long_history_passes_until_one_answer_is_altered(seed: int) -> None:
    draw = random.Random(seed)
    history, state = [], START
    for at in range(100):
        if draw.random() < 0.5:
            state = State(f"v{at}", state.version + 1)
            kind = "update"
        else:
            kind = "read"
        # The moment it takes effect is `at`; a fifth of the updates is never answered.
        lost = kind == "update" and draw.random() < 0.2
        returned = NEVER if lost else at + draw.random() * 6
        version = None if lost else state.version
        history.append(Operation(kind, state.value, version, at - draw.random() * 6, returned))
    assert violation(history, START) is None
    end = read("start", 1, 200, 201)
    assert violation([*history, end], START) == (end,)


def test_a_search_has_an_end() -> None:
    history = [update(f"v{at}", None, 0) for at in range(40)]
    history += [read(f"v{at}", 90, 1, 2) for at in range(40)]
    with pytest.raises(UndecidedError):
        violation(history, START, max_steps=1_000)
