"""`trivium migrate`: all that one router has is brought into stores of another, then compared.

Documents and, beside them, users, rights and tokens: the public and the private store.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from router.errors import RouterError
from router.section import without_userinfo
from router.settings import BadSettingError, load
from storage.contract import StoreOpenError
from storage.sqlite.connection import FILE_NAME
from storage.transfer import NotEmptyError, Total, Transferable, check_empty, copy, total
from trivium.cli.serve import DEFAULT_CONFIG, engine_of
from trivium.server import StartError
from trivium.stores import make_private, make_public

_Pair: TypeAlias = tuple[Transferable, Transferable]
"""A source and its target."""


_UNBOUND: Final = {"feed_days": 36_500, "feed_mb": 1_048_576}
"""Bounds of a changes feed that nothing reaches."""


class MigrateError(Exception):
    """A migration that can't begin; the message is one line."""


def migrate(source: str, target: str, config: Path | None, *, is_resumed: bool) -> int:
    """Copy and compare; returns the exit code: 0 only if both stores then hold the same.

    Raises:
        MigrateError: One of the places makes no sense, or both are the same.
    """
    if source == target:
        raise MigrateError("source and target are the same")
    pairs = list(
        zip(_stores(source, config, must_exist=True), _stores(target, config), strict=True)
    )
    try:
        before, after = asyncio.run(_migrate(pairs, is_resumed=is_resumed))
    except NotEmptyError as error:
        return _failed(f"{error}; --resume goes on with a migration that was cut")
    except (RouterError, StoreOpenError) as error:
        return _failed(str(error))
    for of_source, of_target in zip(before, after, strict=True):
        if of_source != of_target:
            return _failed(
                f"the stores differ: {_said(of_source)} in the source,"
                f" {_said(of_target)} in the target"
            )
    public, private = after
    print(
        f"{public.documents} documents are in {without_userinfo(target)}, the versions of"
        f" {public.graves} deleted ones and {public.rows} changes with them,"
        f" checksum {public.checksum[:12]}"
    )
    print(f"{private.documents} of users, rights and tokens came with them")
    return 0


def _said(total: Total) -> str:
    return (
        f"{total.documents} documents, {total.graves} deleted, {total.rows} changes"
        f" ({total.checksum[:12]})"
    )


def _stores(
    place: str, config: Path | None, *, must_exist: bool = False
) -> tuple[Transferable, Transferable]:
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, os.environ, engine_of(place))
    except (BadSettingError, OSError, StartError) as error:
        raise MigrateError(str(error)) from error
    folder = settings.storage.data
    if must_exist and settings.storage.engine == "sqlite" and not (folder / FILE_NAME).is_file():
        raise MigrateError(f"there is no store in {folder}")
    # Else each of them would prune its feed meanwhile, by its own bounds.
    kept = {
        "storage": settings.storage.model_copy(update=_UNBOUND),
        "opensearch": settings.opensearch.model_copy(update=_UNBOUND),
    }
    settings = settings.model_copy(update=kept)
    return make_public(settings), make_private(settings, feed_mb=_UNBOUND["feed_mb"])


async def _migrate(pairs: Sequence[_Pair], *, is_resumed: bool) -> tuple[list[Total], list[Total]]:
    async with AsyncExitStack() as opened:
        for store in (store for pair in pairs for store in pair):
            await opened.enter_async_context(_opened(store))
        bar = _bar()
        with bar:
            task = bar.add_task("documents", total=None)
            if not is_resumed:
                for _, target in pairs:
                    check_empty(target)
            for source, target in pairs:
                await copy(
                    source,
                    target,
                    is_resumed=True,
                    progress=lambda count: bar.advance(task, count),
                )
            bar.update(task, description="documents, comparing")
            before = [await total(source) for source, _ in pairs]
            return before, [await total(target) for _, target in pairs]


@asynccontextmanager
async def _opened(store: Transferable) -> AsyncIterator[None]:
    await store.open()
    try:
        yield
    finally:
        await store.close()


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:.0f} {task.description}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _failed(reason: str) -> int:
    print(f"[X] {' '.join(reason.split())}", file=sys.stderr)
    return 1
