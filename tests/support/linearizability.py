"""Whether a history of one versioned register could have happened one operation at a time.

Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of visited
configurations that Lowe added ("Testing for linearizability", 2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

STEPS: Final = 200_000
"""Configurations looked at before giving up; a history of 100 operations needs some hundreds."""

NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class State:
    """What the register holds."""

    value: str
    version: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one client.

    Args:
        value: What a read returned, or what an update wrote; no two updates write the same.
        version: What the answer said; None where none came.
        invoked: When it was sent, on the one clock of the history.
        returned: When its answer was there; `NEVER` if none came.
    """

    kind: Literal["read", "update"]
    value: str
    version: int | None
    invoked: float
    returned: float = NEVER

    def after(self, state: State) -> State | None:
        """The register once this took effect; None if it can't have, with this answer."""
        if self.kind == "read":
            return state if state == State(self.value, self.version or 0) else None
        if self.version not in (None, state.version + 1):
            return None
        return State(self.value, state.version + 1)


class UndecidedError(Exception):
    """The search was given up: neither proven nor refuted."""


def violation(
    history: Sequence[Operation], start: State, *, max_steps: int = STEPS
) -> tuple[Operation, ...] | None:
    """None if some order explains the history, else what the longest explanation can't hold.

    Each operation takes effect at one moment between its call and its answer; an update
    without an answer does so at any moment after its call, or never. Reads without an answer
    tell nothing and must be left out.

    Raises:
        UndecidedError: More than `max_steps` configurations were looked at.
    """
    search = _Search(history)
    must = sum(1 << at for at, each in enumerate(search.operations) if each.returned < NEVER)
    waiting, visited = [(0, start)], {(0, start)}
    best = 0
    while waiting:
        done, state = waiting.pop()
        if done & must == must:
            return None
        if (done & must).bit_count() > (best & must).bit_count():
            best = done
        for step in search.steps(done, state):
            if step not in visited:
                visited.add(step)
                waiting.append(step)
        if len(visited) > max_steps:
            raise UndecidedError(f"{len(history)} operations, {len(visited)} configurations")
    left = must & ~best
    return tuple(each for at, each in enumerate(search.operations) if left >> at & 1)


class _Search:
    def __init__(self, history: Sequence[Operation]) -> None:
        self.operations = sorted(history, key=lambda each: each.invoked)
        self._read = {each.value for each in history if each.kind == "read"}

    def steps(self, done: int, state: State) -> Iterator[tuple[int, State]]:
        """The configurations one operation further."""
        updates: list[tuple[int, State]] = []
        is_unread_tried = False
        for at in self._minimal(done):
            operation = self.operations[at]
            after = operation.after(state)
            if after is None:
                continue
            if operation.kind == "read":
                # It alters nothing, so taking it now closes no way.
                yield done | 1 << at, after
                return
            if operation.returned == NEVER and operation.value not in self._read:
                # Those that nobody heard of are alike: one stands for all that could be next.
                if is_unread_tried:
                    continue
                is_unread_tried = True
            updates.append((done | 1 << at, after))
        yield from updates

    def _minimal(self, done: int) -> list[int]:
        """Operations left before which no other one left was answered."""
        left = [at for at in range(len(self.operations)) if not done >> at & 1]
        first_answer = min((self.operations[at].returned for at in left), default=NEVER)
        return [at for at in left if self.operations[at].invoked <= first_answer]
