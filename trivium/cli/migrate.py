"""`trivium migrate`: everything that one store has is brought into another, then compared."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from router.errors import RouterError
from router.settings import BadSettingError, load
from storage.contract import StoreOpenError
from storage.sqlite.connection import FILE_NAME
from storage.transfer import NotEmptyError, Total, Transferable, copy, total
from trivium.assembly import make_storage
from trivium.cli.serve import DEFAULT_CONFIG, engine_of
from trivium.server import StartError


class MigrateError(Exception):
    """A migration that can't begin; the message is one line."""


def migrate(source: str, target: str, config: Path | None, *, is_resumed: bool) -> int:
    """Copy and compare; returns the exit code: 0 only if both stores then hold the same.

    Raises:
        MigrateError: One of the places makes no sense, or both are the same.
    """
    if source == target:
        raise MigrateError("source and target are the same")
    stores = _store(source, config, must_exist=True), _store(target, config)
    try:
        before, after = asyncio.run(_migrate(*stores, is_resumed=is_resumed))
    except NotEmptyError as error:
        return _failed(f"{error}; --resume goes on with a migration that was cut")
    except (RouterError, StoreOpenError) as error:
        return _failed(str(error))
    if before != after:
        return _failed(
            f"the stores differ: {before.documents} documents ({before.checksum[:12]}) in the"
            f" source, {after.documents} ({after.checksum[:12]}) in the target"
        )
    print(f"{after.documents} documents are in {target}, checksum {after.checksum[:12]}")
    return 0


def _store(place: str, config: Path | None, *, must_exist: bool = False) -> Transferable:
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, os.environ, engine_of(place))
    except (BadSettingError, OSError, StartError) as error:
        raise MigrateError(str(error)) from error
    folder = settings.storage.data
    if must_exist and settings.storage.engine == "sqlite" and not (folder / FILE_NAME).is_file():
        raise MigrateError(f"there is no store in {folder}")
    return make_storage(settings)


async def _migrate(
    source: Transferable, target: Transferable, *, is_resumed: bool
) -> tuple[Total, Total]:
    async with AsyncExitStack() as opened:
        for store in (source, target):
            await opened.enter_async_context(_opened(store))
        bar = _bar()
        with bar:
            task = bar.add_task("documents", total=None)
            await copy(
                source,
                target,
                is_resumed=is_resumed,
                progress=lambda count: bar.advance(task, count),
            )
            bar.update(task, description="documents, comparing")
            return await total(source), await total(target)


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
