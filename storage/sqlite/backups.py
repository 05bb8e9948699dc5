"""Copies of a store's file, taken while it is in use, and made into stores of their own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from storage.contract import StoreOpenError
from storage.sqlite.opening import explaining
from storage.sqlite.schema import APPLICATION_ID, CURRENT

_PAGES: Final = 2_048
"""Pages copied at a time; another process may write in between."""

_BUSY_MS: Final = 2_000
"""Far longer than a router's own transactions."""

_MOVE: Final = "move it away, or use another folder"
_RESTORE: Final = "restore a backup (trivium restore)"


class Fault(NamedTuple):
    """What is wrong with a file, and what to do about it."""

    said: str
    advice: str


def copy(source: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Copy a store's file as it is at one moment, whoever writes to it meanwhile.

    Args:
        progress: Told of the pages that are copied, and of all there are.

    Raises:
        StoreOpenError: It can't be read, or the copy can't be written.
    """
    with explaining(source.parent):
        # A transaction that is open from the first page to the last holds the moment.
        reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            writing = apsw.Connection(str(target))
            try:
                with reading, writing.backup("main", reading, "main") as backup:
                    reading.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
                    while not backup.done:
                        backup.step(_PAGES)
                        if progress is not None:
                            progress(backup.page_count - backup.remaining, backup.page_count)
                writing.execute("PRAGMA journal_mode = DELETE")
            finally:
                writing.close()
        finally:
            reading.close()


def check(path: Path) -> Fault | None:
    """What is wrong with a file that should be a store of a schema we know."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(_BUSY_MS)
            if connection.pragma("application_id") != APPLICATION_ID:
                return Fault("it is a database of another program", _MOVE)
            schema = connection.pragma("user_version")
            if schema > CURRENT:
                said = f"it has schema {schema}; this version knows schemas up to {CURRENT}"
                return Fault(said, "use the version that wrote it, or a newer one")
            found = connection.execute("PRAGMA quick_check(1)").get
            return None if found == "ok" else Fault(f"it is damaged: {found}", _RESTORE)
        finally:
            connection.close()
    except apsw.NotADBError:
        return Fault("it is not a database", _MOVE)
    except apsw.BusyError:
        return Fault("another program has locked it", "stop that")
    except apsw.Error as error:
        return Fault(f"it can't be read: {error}", _RESTORE)


def check_lock(path: Path) -> Fault | None:
    """Whether another program keeps writes out; a router at work does so for moments only."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # Whoever only looks leaves the log as it is.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.set_busy_timeout(_BUSY_MS)
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")
        finally:
            connection.close()
    except apsw.BusyError:
        return Fault("another program has locked it", "stop that")
    except apsw.Error as error:
        return Fault(f"it can't be written to: {error}", "see who owns it")
    return None


def become_another(path: Path) -> None:
    """Give a copy a feed of its own, so that no position and no entity tag of its original
    means anything here.

    Raises:
        StoreOpenError: It can't be written to.
    """
    with explaining(path.parent):
        connection = apsw.Connection(str(path))
        try:
            connection.execute("UPDATE feed SET id = ?", (secrets.token_urlsafe(12),))
        except apsw.Error as error:
            raise StoreOpenError(f"{path} can't be written to: {error}") from error
        finally:
            connection.close()
