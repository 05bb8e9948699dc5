"""`trivium backup` and `trivium restore`: all that the embedded engine keeps, in one file.

The file is a gzipped tar: `manifest.json` first, then the stores' files and whatever else lies in
the data folder (signing keys, the audit), as the manifest names them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from router.settings import BadSettingError, Settings, load
from storage.contract import StoreOpenError
from storage.sqlite.backups import become_another, check, copy
from storage.sqlite.connection import FILE_NAME
from trivium.cli.serve import DEFAULT_CONFIG
from trivium.version import VERSION

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_LEVEL: Final = 1  # of gzip: a third of the time of the usual one for a tenth more bytes

# What a store makes anew whenever it is opened, and copies of itself from before an upgrade.
_LEFT_OUT: Final = (f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", "trivium.lock")


class BackupError(Exception):
    """A backup that can't be made or brought back; the message is one line."""


class _File(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class _Manifest(msgspec.Struct, frozen=True):
    format: int
    version: str
    at_ms: int
    files: dict[str, _File]


def backup(file: Path, data: Path | None, config: Path | None) -> str:
    """Write everything in the data folder to a new file, while a router uses it or not.

    Each store is copied as it is at one moment, the public one first; what was acknowledged before
    the start is in. The file holds password hashes and keys: its mode is 0600.

    Returns: One line that tells what was written.

    Raises:
        BackupError: There is no store, the file is there already, or a disk has something
            against it; then nothing is left behind.
    """
    folder = data_folder(data, config)
    if file.exists():
        raise BackupError(f"{file} exists; name another file")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as beside:
            staged = Path(beside) / "data"
            names = _stage(folder, staged)
            draft = Path(beside) / file.name
            manifest = _write(draft, staged, names)
            draft.replace(file)
    except (OSError, StoreOpenError, tarfile.TarError) as error:
        raise BackupError(f"the backup failed: {error}") from error
    total = sum(each.size for each in manifest.files.values())
    return (
        f"{len(names)} files ({_mb(total)}) of {folder} are in {file} ({_mb(file.stat().st_size)})"
    )


def restore(file: Path, data: Path | None, config: Path | None) -> str:
    """Bring a backup back into a data folder that is empty or not there yet.

    Every file is compared with the manifest and every store checked before the folder gets its
    name. The stores get feeds of their own: what happened behind the backup may have been told to
    somebody, so positions and entity tags from before are refused.

    Returns: One line that tells what was restored.

    Raises:
        BackupError: The file is damaged or none of ours, of a newer version, or the folder isn't
            empty; then the folder is as it was.
    """
    settings = _settings(data, config)
    folder = settings.storage.data
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} isn't empty; restore into a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            staged = Path(beside) / "data"
            manifest = _read(file, staged)
            for store in staged.rglob(FILE_NAME):
                fault = check(store)
                if fault is not None:
                    raise BackupError(f"{store.relative_to(staged)} in {file}: {fault.said}")
                become_another(store)
            if folder.exists():
                folder.rmdir()
            staged.replace(folder)
    except (OSError, StoreOpenError, tarfile.TarError, EOFError) as error:
        raise BackupError(f"{file} can't be restored: {error}") from error
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(manifest.at_ms / 1_000))
    return f"{folder} is as it was at {when}; start the router on it"


def data_folder(data: Path | None, config: Path | None) -> Path:
    """The data folder of these flags, which has a store. Raises: BackupError."""
    settings = _settings(data, config)
    if not (settings.storage.data / FILE_NAME).is_file():
        raise BackupError(f"there is no store in {settings.storage.data}")
    return settings.storage.data


def _settings(data: Path | None, config: Path | None) -> Settings:
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, os.environ, {} if data is None else {"storage.data": data})
    except (BadSettingError, OSError) as error:
        raise BackupError(str(error)) from error
    if settings.storage.engine != "sqlite":
        raise BackupError(
            "the documents are in OpenSearch: back them up with its snapshots, or bring them to a "
            "folder with trivium migrate"
        )
    return settings


def _stage(folder: Path, staged: Path) -> list[str]:
    """Copy what belongs into the backup; the names of the files, the manifest's order."""
    names = []
    for path in _files(folder):
        name = path.relative_to(folder)
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.name == FILE_NAME:
            copy(path, target)
        else:
            shutil.copy2(path, target)
        names.append(name.as_posix())
    return names


def _files(folder: Path) -> Iterator[Path]:
    # The public store first: what users may do with a document is never newer than the document.
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in sorted(found, key=lambda path: (len(path.parts), path)):
        if path.name not in _LEFT_OUT and not path.name.startswith(f"{FILE_NAME}.schema-"):
            yield path


def _write(draft: Path, staged: Path, names: list[str]) -> _Manifest:
    files = {name: _File((staged / name).stat().st_size, _digest(staged / name)) for name in names}
    manifest = _Manifest(_FORMAT, VERSION, time.time_ns() // 1_000_000, files)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(descriptor, "wb") as raw,
        tarfile.open(fileobj=raw, mode="w:gz", compresslevel=_LEVEL) as archive,
    ):
        text = msgspec.json.encode(manifest)
        head = tarfile.TarInfo(_MANIFEST)
        head.size, head.mode, head.mtime = len(text), 0o600, manifest.at_ms // 1_000
        archive.addfile(head, BytesIO(text))
        for name in names:
            archive.add(staged / name, arcname=f"data/{name}", recursive=False)
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    return manifest


def _read(file: Path, staged: Path) -> _Manifest:
    """Unpack what the manifest names, and nothing else."""
    with tarfile.open(file, mode="r:gz") as archive:
        manifest = _manifest(archive, file)
        for name, told in manifest.files.items():
            target = staged / _safe(name)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            member = archive.next()
            content = None if member is None or member.name != f"data/{name}" else member
            opened = None if content is None else archive.extractfile(content)
            if opened is None:
                raise BackupError(f"{file} is damaged: {name} isn't where it should be")
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with opened, os.fdopen(descriptor, "wb") as out:
                shutil.copyfileobj(opened, out)
            if target.stat().st_size != told.size or _digest(target) != told.sha256:
                raise BackupError(f"{file} is damaged: {name} isn't what was backed up")
    return manifest


def _manifest(archive: tarfile.TarFile, file: Path) -> _Manifest:
    first = archive.next()
    member = None if first is None or first.name != _MANIFEST else archive.extractfile(first)
    if member is None:
        raise BackupError(f"{file} is no backup of this program")
    try:
        manifest = msgspec.json.decode(member.read(), type=_Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{file} is no backup of this program: {error}") from error
    if manifest.format > _FORMAT:
        raise BackupError(
            f"{file} was made by version {manifest.version}, which is newer; use that"
        )
    return manifest


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BackupError(f"{name}: a name that leads out of the folder")
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mb(size: int) -> str:
    return f"{size / 1_048_576:.1f} MB"
