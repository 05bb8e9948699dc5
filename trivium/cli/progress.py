"""Bars for whoever waits; nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def counting(console: Console, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar of so many things for the time of the block; what is yielded moves it on."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        TextColumn("  {task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def measuring(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """The same for bytes, which are shown as a share of all and the time that is left."""
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("  {task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
