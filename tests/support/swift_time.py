"""Time that passes at once, and only while nobody has anything to do: for what goes by the clock
of the loop alone. However long the machine stands still, no timer is early or late."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class _Skipping(selectors.DefaultSelector):
    """Never waits for a time: it is over when it is asked for."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # no timer is set: only another thread can bring something
            return super().select()
        ready = super().select(0)
        if not ready:
            self.skipped_s += max(0.0, timeout)
        return ready


class SwiftLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved on to the next timer whenever nothing else is left to do."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Seconds that were waited for."""
        return self._skipping.skipped_s


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: all timers up to then are due in the same turn, as
    after the machine stood still."""

    ahead_s = 0.0

    def time(self) -> float:
        """Seconds, with those that it was put forward by."""
        return super().time() + self.ahead_s


def in_swift_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in such time; whatever it waits for must be of its own loop."""

    @functools.wraps(test)
    def run(*args: P.args, **more: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=SwiftLoop) as runner:
            runner.run(test(*args, **more))

    return run
