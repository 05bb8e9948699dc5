"""`trivium migrate`: all that one router has is brought into stores of another, then compared.

Documents and, beside them, users, rights and tokens: the public and the private store; then the
keys that tokens are signed with.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from access.keyring import Keyring, KeyringError
from router.errors import RouterError
from router.section import without_userinfo
from router.settings import BadSettingError, Settings, load
from storage.contract import StoreOpenError
from storage.sqlite.connection import FILE_NAME
from storage.transfer import NotEmptyError, Total, Transferable, check_empty, copy, total
from trivium.cli import carrying
from trivium.cli.serve import DEFAULT_CONFIG, engine_of
from trivium.server import StartError
from trivium.stores import make_private, make_public


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two routers: its settings and its stores, not opened yet."""

    settings: Settings
    public: Transferable
    private: Transferable


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
    sides = _side(source, config, must_exist=True), _side(target, config)
    try:
        before, after, keyring = asyncio.run(_migrate(*sides, is_resumed=is_resumed))
    except NotEmptyError as error:
        return _failed(f"{error}; --resume goes on with a migration that was cut")
    except (RouterError, StoreOpenError, KeyringError) as error:
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
    _say_of_keys(sides[1].settings, keyring)
    return 0


def _say_of_keys(settings: Settings, keyring: Keyring | None) -> None:
    if settings.access.key_file:
        print(f"signing keys stay in {settings.access.key_file}, as the settings say")
    elif keyring is not None:
        count = len(keyring.keys)
        plural = "" if count == 1 else "s"
        print(f"{count} signing key{plural} came with them: tokens stay valid")


def _said(total: Total) -> str:
    return (
        f"{total.documents} documents, {total.graves} deleted, {total.rows} changes"
        f" ({total.checksum[:12]})"
    )


def _side(place: str, config: Path | None, *, must_exist: bool = False) -> _Side:
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
    private = make_private(settings, feed_mb=_UNBOUND["feed_mb"])
    return _Side(settings, make_public(settings), private)


async def _migrate(
    source: _Side, target: _Side, *, is_resumed: bool
) -> tuple[list[Total], list[Total], Keyring | None]:
    """What both hold afterwards, and the keys, which come last: then nothing is missing."""
    pairs = (source.public, target.public), (source.private, target.private)
    async with AsyncExitStack() as opened:
        for store in (store for pair in pairs for store in pair):
            await opened.enter_async_context(_opened(store))
        keyring = await carrying.take(source.settings, source.private)
        before, after = await _copied(pairs, is_resumed=is_resumed)
        if keyring is not None and before == after:
            await carrying.put(target.settings, target.private, keyring)
        return before, after, keyring


async def _copied(
    pairs: Sequence[tuple[Transferable, Transferable]], *, is_resumed: bool
) -> tuple[list[Total], list[Total]]:
    if not is_resumed:
        for _, target in pairs:
            check_empty(target)
    with _bar() as bar:
        task = bar.add_task("documents", total=None)
        for source, target in pairs:
            await copy(
                source,
                target,
                is_resumed=True,
                progress=lambda count: bar.advance(task, count),
                without=carrying.DOCUMENT,
            )
        bar.update(task, description="documents, comparing")
        before = [await total(source, without=carrying.DOCUMENT) for source, _ in pairs]
        return before, [await total(target, without=carrying.DOCUMENT) for _, target in pairs]


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
