"""The watchdog: who is watched goes with who started it, and only then."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.support.server import child_environment
from tests.support.watchdog import Watchdog

PARENT = """
import subprocess, sys, time
from pathlib import Path
from tests.support.watchdog import Watchdog
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
Watchdog(child.pid, Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""
BOUND_S = 60.0


def test_a_child_goes_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "of the child"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)],
        stdout=subprocess.PIPE,
        env=child_environment(),
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    ends = time.monotonic() + BOUND_S
    while is_running(pid) or folder.exists():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_dismissed_watchdog_lets_live(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        Watchdog(child.pid, tmp_path).dismiss()
        assert child.poll() is None
        assert tmp_path.exists()
        child.kill()


def is_running(pid: int) -> bool:
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return told.returncode == 0 and not told.stdout.strip().startswith(b"Z")
