"""Bars for whoever waits; nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_Bar = AbstractContextManager[Callable[[int], None]]


def counting(console: Console, label: str, total: int | None) -> _Bar:
    """A bar of so many things for the time of the block; what is yielded moves it on."""
    return _bar(console, label, total, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def measuring(console: Console, label: str, total: int) -> _Bar:
    """The same for bytes, which are shown as a share of all and the time that is left."""
    return _bar(console, label, total, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())


@contextmanager
def _bar(
    console: Console, label: str, total: int | None, *columns: ProgressColumn
) -> Iterator[Callable[[int], None]]:
    with Progress(
        TextColumn("  {task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
