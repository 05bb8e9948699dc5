"""Taking a folder into possession, or saying in one line why that can't be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from storage.contract import StoreOpenError
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.lock import FolderLock

LOCK_NAME: Final = "trivium.lock"


def take(folder: Path, mode: int) -> FolderLock:
    """Make the folder if it is missing, with this mode, and lock it.

    Raises:
        StoreOpenError: It can't be made or written to, or another process has it.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        return FolderLock(folder / LOCK_NAME)
    except OSError as error:
        raise StoreOpenError(f"{folder} can't be written to: {error.strerror}") from error


@contextlib.contextmanager
def explaining(folder: Path) -> Iterator[None]:
    """Turn what goes wrong while the file is opened into a `StoreOpenError`."""
    path = folder / FILE_NAME
    try:
        yield
    except apsw.NotADBError as error:
        raise StoreOpenError(f"{path} is not a database") from error
    except (apsw.CorruptError, apsw.SQLError, ValueError) as error:
        raise StoreOpenError(f"{path} is damaged: {_one_line(error)}") from error
    except (apsw.Error, OSError) as error:
        raise StoreOpenError(f"{path} can't be opened: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
