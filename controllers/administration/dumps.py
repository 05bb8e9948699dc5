"""Dumps: what an operator looks at when something is wrong, as one JSON file."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import platform
import re
import resource
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from router.envelope import JsonObject
from router.errors import RouterError
from router.settings import Settings

_SUFFIX: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_TASKS_MAX: Final = 1_000
_FRAMES_MAX: Final = 50


class Dumps:
    """Writes dumps into a folder, of which the newest are kept.

    The folder is made when it is first written to.
    """

    def __init__(self, settings: Settings) -> None:
        chosen = settings.dump.folder
        self._folder = Path(chosen) if chosen else settings.storage.data / "dumps"
        self._kept = settings.dump.kept

    async def write(self, suffix: str, told: JsonObject) -> Path:
        """Write what is told, and what all threads and tasks are doing right now.

        Args:
            suffix: Ends the name of the file.

        Raises:
            RouterError: `api.assert.invalid_argument`, the suffix can't be part of a name;
                `core.fatal.service_unavailable`, the folder can't be written to.
        """
        if not _SUFFIX.fullmatch(suffix):
            expected = "1 to 64 letters, digits, hyphens or underscores"
            raise RouterError("api.assert.invalid_argument", "suffix", expected)
        content = {**told, **_process(), **_work()}
        path = self._folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{suffix}.json"
        try:
            await asyncio.to_thread(self._store, path, content)
        except OSError as error:
            reason = f"the dump can't be written: {error.strerror}"
            raise RouterError("core.fatal.service_unavailable", reason) from error
        return path

    def _store(self, path: Path, content: JsonObject) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # It tells more than everybody on the machine should read.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(content, indent=1))
        for old in sorted(self._folder.glob("*.json"))[: -self._kept]:
            old.unlink(missing_ok=True)


def _process() -> JsonObject:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {"user_s": used.ru_utime, "system_s": used.ru_stime},
        "memory_peak": used.ru_maxrss if sys.platform == "darwin" else used.ru_maxrss * 1024,
    }


def _work() -> JsonObject:
    """The stacks of all threads and tasks: places in the code, no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    tasks = list(asyncio.all_tasks())
    return {
        "threads": [
            {"name": names.get(ident, str(ident)), "stack": [*_stack(frame)]}
            for ident, frame in frames.items()
        ],
        "tasks_count": len(tasks),
        "tasks": [
            {"name": task.get_name(), "stack": [*map(_place, task.get_stack(limit=_FRAMES_MAX))]}
            for task in tasks[:_TASKS_MAX]
        ],
    }


def _stack(frame: FrameType) -> list[str]:
    # Innermost first, as they are walked; their source files aren't read, as nobody sees lines.
    inner = itertools.islice(traceback.walk_stack(frame), _FRAMES_MAX)
    places = [f"{each.f_code.co_filename}:{line} {each.f_code.co_name}" for each, line in inner]
    return places[::-1]


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
