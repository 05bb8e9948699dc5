"""`trivium audit`: whether the audit is as it was written, and all of it for other programs."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from access.audit.entry import unseal
from access.audit.segments import lines, segments
from access.audit.verify import BadHeadError, Heads, verify
from router.settings import BadSettingError, load
from trivium.assembly import audit_folder
from trivium.cli.serve import DEFAULT_CONFIG


class AuditError(Exception):
    """The command can't be carried out; the message is one line."""


def check(folder: Path, heads: list[str]) -> int:
    """Print what the chain of a folder is worth; returns the exit code, 1 for a broken one.

    Raises:
        AuditError: A head or the folder makes no sense.
    """
    _refuse_empty(folder)
    try:
        verdict = verify(folder, Heads(heads))
    except (BadHeadError, OSError) as error:
        raise AuditError(str(error)) from error
    if verdict.fault is not None:
        print(f"[X] {verdict.fault.text}; {verdict.entries} before it are true", file=sys.stderr)
        return 1
    torn = f", then {verdict.torn} bytes of one that a crash cut short" if verdict.torn else ""
    print(f"{verdict.entries} entries are as they were written{torn}; head {verdict.head}")
    return 0


def export(folder: Path, since: datetime | None, until: datetime | None) -> int:
    """Print the entries of a time, oldest first, each line as it is in the files.

    Raises:
        AuditError: The folder makes no sense.
    """
    _refuse_empty(folder)
    with suppress(BrokenPipeError):
        for part in segments(folder):
            for line in lines(part.path):
                if _is_within(line, since, until):
                    sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return 0
    # Whoever read has seen enough; nothing may complain at the exit either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def folder_of(folder: Path | None, config: Path | None) -> Path:
    """The folder that is named, or the one of the settings. Raises: AuditError."""
    if folder is not None:
        return folder
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    try:
        return audit_folder(load(config, os.environ, {}))
    except (BadSettingError, OSError) as error:
        raise AuditError(str(error)) from error


def _refuse_empty(folder: Path) -> None:
    if not segments(folder):
        raise AuditError(f"there is no audit in {folder}")


def _is_within(line: bytes, since: datetime | None, until: datetime | None) -> bool:
    if not line.endswith(b"\n"):
        return False
    if since is None and until is None:
        return True
    sealed = unseal(line)
    if sealed is None:
        return False
    at = datetime.fromtimestamp(sealed.entry.at / 1000, UTC)
    return (since is None or at >= _aware(since)) and (until is None or at <= _aware(until))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
