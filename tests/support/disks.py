"""A disk that loses power, fills up or fails to sync: a VFS over the system's own.

What programs see is the real file. Beside it each file's *durable* content is kept: what was
there at its last sync, and the writes since, of which a power cut keeps any part.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
"""Bytes that a power cut keeps or loses as one."""

_numbers = itertools.count(1)


class _Content:
    """One file as the platter has it: synced bytes, and writes that are still on their way."""

    def __init__(self, path: Path) -> None:
        self.synced = bytearray(path.read_bytes() if path.exists() else b"")
        self.pending: list[tuple[int, bytes | None]] = []  # offset and bytes; None: cut to offset

    def sync(self) -> None:
        for offset, written in self.pending:
            self._apply(self.synced, offset, written)
        self.pending.clear()

    def after_power_cut(self, draw: random.Random) -> bytes:
        """The synced bytes and any sectors of the writes since, in any order of arrival."""
        content = bytearray(self.synced)
        kept = draw.random()
        for offset, written in self.pending:
            if written is None:
                if draw.random() < kept:
                    self._apply(content, offset, None)
                continue
            for start in range(0, len(written), SECTOR):
                if draw.random() < kept:
                    self._apply(content, offset + start, written[start : start + SECTOR])
        return bytes(content)

    @staticmethod
    def _apply(content: bytearray, offset: int, written: bytes | None) -> None:
        if written is None:
            del content[offset:]
            return
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(written)] = written


class SimulatedDisk(apsw.VFS):
    """Hand `name` to SQLite; `close` when done.

    Attributes:
        operations_left: Writes and syncs until the power goes; None: it stays.
        is_full: Every write that makes a file longer fails.
        fails_to_sync: Every sync fails.
    """

    def __init__(self) -> None:
        self.name = f"simulated-{next(_numbers)}"
        self.operations_left: int | None = None
        self.operations = 0
        self.is_full = False
        self.fails_to_sync = False
        self._contents: dict[str, _Content] = {}
        super().__init__(self.name, "")

    @property
    def has_power(self) -> bool:
        return self.operations_left is None or self.operations_left > 0

    def close(self) -> None:
        self.unregister()

    def use_power(self) -> None:
        self.operations += 1
        if self.operations_left is not None:
            self.operations_left = max(0, self.operations_left - 1)
        if not self.has_power:
            raise apsw.IOError("the power is gone")

    def save_remains(self, folder: Path, draw: random.Random) -> None:
        """Put what a power cut at this moment leaves of each file into another folder."""
        for path, content in self._contents.items():
            (folder / Path(path).name).write_bytes(content.after_power_cut(draw))

    def content_of(self, path: str) -> _Content:
        return self._contents.setdefault(path, _Content(Path(path)))

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self, path, flags)

    def xDelete(self, path: str, sync_folder: bool) -> None:  # noqa: N802
        if not self.has_power:
            raise apsw.IOError("the power is gone")
        super().xDelete(path, sync_folder)
        self._contents.pop(path, None)


class _File(apsw.VFSFile):
    def __init__(self, disk: SimulatedDisk, path: str, flags: list[int]) -> None:
        if not disk.has_power:
            raise apsw.CantOpenError("the power is gone")
        self._content = disk.content_of(path)
        self._disk = disk
        super().__init__("", path, flags)

    def xWrite(self, written: bytes, offset: int) -> None:  # noqa: N802
        if self._disk.is_full and offset + len(written) > self.xFileSize():
            raise apsw.FullError("the disk is full")
        try:
            self._disk.use_power()
        finally:
            self._content.pending.append((offset, bytes(written)))
        super().xWrite(written, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.use_power()
        self._content.pending.append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.fails_to_sync:
            raise apsw.IOError("the sync failed")
        self._disk.use_power()
        super().xSync(flags)
        self._content.sync()
