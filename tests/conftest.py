"""What holds for every test: programs that a test needs are looked for by name."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import opensearch, server

NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
MEMORY = Path("/dev/shm")  # a mount, not a folder whose names can be guessed
ENOUGH_BYTES = 4 << 30

# How long an example takes tells how busy the machine is, not what is wrong. Every run has the same
# examples: what fails, fails for a change. `--hypothesis-profile=searching` draws others each time.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("searching"), derandomize=True)
settings.load_profile("steady")


LOG_BYTES = 6_000
OURS = "127.0.0.1,localhost,.example"


def pytest_configure() -> None:
    """Set what holds for every program that tests start."""
    # Where a proxy leads to the world, it doesn't lead back to this machine.
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), OURS)))
    _store_in_memory()


def _store_in_memory() -> None:
    """Keep what tests store in memory where there is room, unless TMPDIR says where.

    Most of the time went into waiting for the disk. What a kill leaves is the same there, and
    what a power cut leaves is shown by a file system of the tests' own.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out whose program is missing; where CI is set, that is a failure."""
    for marker in item.iter_markers("needs"):
        missing = [program for program in marker.args if not _is_there(program)]
        if not missing:
            continue
        reason = f"needs {', '.join(missing)} (see tests/setup)"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the routers logged that were started last."""
    report = yield
    if report.failed:
        for log in filter(Path.is_file, server.recent):
            told = log.read_bytes()[-LOG_BYTES:].decode(errors="replace")
            report.sections.append((f"log of a router: {log}", told))
    return report


@pytest.fixture(scope="session", name="opensearch")
def running_opensearch() -> Iterator[opensearch.OpenSearchServer]:
    """The OpenSearch of this run, for tests that need it; `wipe` it before use."""
    yield from opensearch.serving()


def _is_there(program: str) -> bool:
    if program == "opensearch":
        return opensearch.is_there()
    return shutil.which(program) is not None or (NODE_MODULES / program).is_dir()
