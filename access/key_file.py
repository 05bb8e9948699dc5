"""The signing keys in a file that only its owner may read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import orjson
import structlog

from access.keyring import Keyring, KeyringError, first_keyring, pack, unpack
from storage.folders import sync_folder

FILE_NAME: Final = "keys.json"

_Version: TypeAlias = tuple[int, int, int]

_log: Final = structlog.get_logger("trivium.access")


class KeyFile:
    """Keys in one file, mode 0600; its folder is made if it is missing.

    Two routers that start at once get the same first key, and a rotation by another program
    (`trivium keys rotate`) is seen at the next `load`. The file is replaced as a whole, so that
    a cut leaves either the old keys or the new ones.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_version: _Version | None = None
        self._keyring: Keyring | None = None

    async def load(self) -> Keyring:
        """See `KeySource`."""
        return self.read()

    async def rotate(self) -> Keyring:
        """See `KeySource`."""
        return self._change(Keyring.rotated)

    async def forget(self, ids: Collection[str]) -> Keyring:
        """See `KeySource`."""
        return self._change(lambda keyring: keyring.without(ids))

    def read(self) -> Keyring:
        """The keys as the file has them now; it is read only if it has changed.

        Raises:
            KeyringError: It can't be read or made, or holds something else.
        """
        try:
            version = self._version()
            if version is None:
                self._create(first_keyring())
                version = self._version()
            if self._keyring is None or version != self._read_version:
                self._keyring = self._checked()
                self._read_version = version
            return self._keyring
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def adopt(self, keyring: Keyring) -> None:
        """Have these keys as well; where there are none, these alone. Raises: KeyringError."""
        try:
            if self._version() is None:
                self._create(keyring)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        if self.read().joined(keyring) != self.read():
            self._change(lambda kept: kept.joined(keyring))

    # -- inside -------------------------------------------------------------------------

    def _checked(self) -> Keyring:
        if self.path.stat().st_mode & 0o077:
            _log.warning("others may read the signing keys; chmod 600", path=str(self.path))
        try:
            return unpack(orjson.loads(self.path.read_bytes()))
        except (KeyringError, orjson.JSONDecodeError) as error:
            raise self._unusable(str(error)) from error

    def _version(self) -> _Version | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _create(self, keyring: Keyring) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._written(keyring) as draft:
            # Fails where another router was faster; then its key counts.
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path)
            sync_folder(self.path.parent)

    def _change(self, change: Callable[[Keyring], Keyring]) -> Keyring:
        try:
            with self._alone():
                with self._written(change(self.read())) as draft:
                    draft.replace(self.path)
                    sync_folder(self.path.parent)
                return self.read()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    @contextlib.contextmanager
    def _written(self, keyring: Keyring) -> Iterator[Path]:
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(pack(keyring)))
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # The folder is locked, not the file: that one is replaced by another.
        self.read()
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unusable(self, reason: str) -> KeyringError:
        return KeyringError(f"the signing keys in {self.path} can't be used: {reason}")
