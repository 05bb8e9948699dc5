"""Several who hear of the writes of one store."""

from __future__ import annotations

from collections.abc import Callable

from storage.contract import Listener, Write, Written


def together(first: Listener | None, second: Listener) -> Listener:
    """A listener that tells both, one after the other."""
    if first is None:
        return second

    def both(write: Write, written: Written) -> None:
        first(write, written)
        second(write, written)

    return both


def either(first: Callable[[], bool], second: Callable[[], bool]) -> Callable[[], bool]:
    """Whether at least one wants to hear."""
    return lambda: first() or second()
