"""Connections to the store's file, and what becomes of SQLite's errors."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from router.errors import RouterError

FILE_NAME: Final = "trivium.db"

_STATEMENTS: Final = 500
"""Prepared statements kept per connection: about twenty for each collection in use."""

_BUSY_MS: Final = 5_000
"""How long to wait for a checkpoint or a recovery that another connection is at."""


@dataclass(frozen=True, slots=True)
class Disk:
    """How the file is reached: SQLite's VFS (empty: the system's), and when it is synced.

    Only `full` keeps every acknowledged write through a power cut.
    """

    vfs: str = ""
    synchronous: str = "full"


def connect(path: Path, disk: Disk, *, cache_mb: int, read_only: bool = False) -> apsw.Connection:
    """Open the file (made if missing, unless `read_only`) for use by one thread at a time.

    Raises:
        apsw.Error: Whatever SQLite has against it.
    """
    flags = (
        apsw.SQLITE_OPEN_READONLY
        if read_only
        else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    )
    connection = apsw.Connection(
        str(path), flags=flags, vfs=disk.vfs or None, statementcachesize=_STATEMENTS
    )
    try:
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute(f"PRAGMA cache_size = {-1024 * cache_mb}")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {disk.synchronous}")
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def disconnect(connection: apsw.Connection) -> None:
    """Let go of a connection, whatever its disk has against it: all that counts is on it."""
    with contextlib.suppress(apsw.Error):
        connection.close(force=True)


def unexpected(error: Exception) -> RouterError:
    """The error that clients get for what the disk or SQLite did."""
    return RouterError("services.storage.unexpected_error", f"{type(error).__name__}: {error}")
