"""How far an import has come, beside its file: what a cut or killed one goes on from."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from storage.folders import sync_folder
from trivium.imports.source import Mark, SourceError, absorb

_FORMAT: Final = 1


class Progress(msgspec.Struct, frozen=True):
    """How far an import is.

    Attributes:
        into: Where it leads, in words; another destination is another import.
        key: Of this import alone; documents without an id are named by it and their line.
        offset, line: What is before is done.
        digest: A hash of what is before, as it was.
        doubt_until: What lies before this and behind `offset` was sent, and perhaps not answered.
    """

    into: str
    key: str
    offset: int
    line: int
    digest: str = ""
    doubt_until: int = 0
    stored: int = 0
    refused: int = 0
    format: int = _FORMAT

    @property
    def mark(self) -> Mark:
        """Where to go on."""
        return Mark(self.offset, self.line)


class Journal:
    """The progress of the import of one file."""

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(f"{file.name}.progress")

    def find(self, file: BinaryIO, into: str, start: Mark) -> Progress:
        """Where an earlier import into the same place stopped; the start if there was none.

        Raises:
            SourceError: It led elsewhere, or what it has done of the file has changed since.
        """
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(into, secrets.token_hex(8), start.offset, start.line)
        except (OSError, msgspec.DecodeError) as error:
            raise SourceError(f"{self.path} can't be read: {error}") from None
        if found.format != _FORMAT or found.into != into:
            raise SourceError(
                f"{self.path} is of an import into {found.into} that didn't end: "
                "finish that, or remove this file to begin anew"
            )
        before = hashlib.sha256()
        absorb(before, file, 0, found.offset)
        if before.hexdigest() != found.digest:
            raise SourceError(
                f"lines that were imported already have changed; remove {self.path} to begin anew"
            )
        return found

    def note(self, progress: Progress) -> None:
        """Have it on disk when this returns, or the one before it. Raises: SourceError."""
        draft = self.path.with_name(f"{self.path.name}.new")
        try:
            with draft.open("wb") as out:
                out.write(msgspec.json.encode(progress))
                out.flush()
                os.fsync(out.fileno())
            is_first = not self.path.exists()
            draft.replace(self.path)
            if is_first:
                # Else a power cut may take its name, and with it the key of what was sent.
                sync_folder(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise SourceError(
                f"{self.path}, which an import goes on from, can't be written: {error.strerror}"
            ) from None

    def line(self) -> int | None:
        """The line where the next run goes on, None if there is nothing to go on with."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self.path.read_bytes(), type=Progress).line
        return None

    def forget(self) -> None:
        """The import is at its end."""
        self.path.unlink(missing_ok=True)
