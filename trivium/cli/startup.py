"""What makes the start quicker, done before the libraries are loaded."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import re
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Final

_IN_VAIN: Final = {"structlog": "rich", "jwt.api_jws": "cryptography"}
"""Libraries, and what each loads for something that is not used here: a kind of traceback that the
log does not show, signatures of other kinds than HS256. Both do without where it is missing."""

_IN_PARTS: Final = ("aiohttp", "jwt")
"""Packages of which a few modules are used, while their own code loads all: clients of HTTP that
nobody uses here, one of which reads the certificates of every authority, twice."""

_LOCK: Final = threading.RLock()
"""Held by the thread that runs a package's own code."""

_RUNNING: Final[set[str]] = set()
"""The packages whose own code is running, by `_LOCK`."""

_VERSION: Final = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)


class PackageInParts(ModuleType):
    """A package that loads its modules one by one, and runs its own code when asked for a name.

    That is what an application does that uses more of it: it sees no difference, but that the
    time is spent then.
    """

    def __getattr__(self, name: str) -> object:
        """What the package has under a name that isn't there yet."""
        module = f"{self.__name__}.{name}"
        if importlib.util.find_spec(module) is not None:
            return importlib.import_module(module)
        with _LOCK:
            _make_whole(self)
        if type(self) is PackageInParts:  # its own code asks before it has come to that name
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value: object = getattr(self, name)
        return value


def quicken() -> None:
    """Load libraries without what they load in vain; `settle` must follow.

    Together 0.4 of 1 s of CPU (measured), and 16 MB; nothing that a start makes is garbage.
    """
    gc.disable()
    for package in _IN_PARTS:
        if package not in sys.modules:
            _take_apart(package)
    for library, extra in _IN_VAIN.items():
        if extra in sys.modules or library in sys.modules:
            continue
        sys.modules[extra] = None  # type: ignore[assignment]  # makes its import fail
        try:
            importlib.import_module(library)
        finally:
            del sys.modules[extra]


def settle() -> None:
    """Collect garbage from now on, but never among what the start made, and seldom.

    Requests leave next to no cycles, and each makes some 50 objects that the collector counts:
    at Python's own threshold it took 4 % of the time of a loaded router (perf).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def _take_apart(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return
    # The only name of their packages that their modules ask for.
    version = _VERSION.search(Path(spec.origin).read_text(encoding="utf-8"))
    if version is None:
        return
    package = PackageInParts(name)
    package.__spec__, package.__loader__ = spec, spec.loader
    package.__file__, package.__package__ = spec.origin, name
    package.__path__ = spec.submodule_search_locations or []
    package.__dict__["__version__"] = version[1]
    sys.modules[name] = package


def _make_whole(package: ModuleType) -> None:
    spec = package.__spec__
    if type(package) is not PackageInParts or package.__name__ in _RUNNING:
        return
    if spec is not None and spec.loader is not None:
        _RUNNING.add(package.__name__)
        try:
            spec.loader.exec_module(package)
        finally:
            _RUNNING.discard(package.__name__)
    # Last of all: other threads wait until then, and after an error the next who asks tries again.
    package.__class__ = ModuleType  # type: ignore[assignment]
