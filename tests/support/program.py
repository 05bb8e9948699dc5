"""The command line as a user types it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.server import child_environment

BOUND_S = 120.0


def trivium(
    *words: str,
    folder: Path | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; fails if that doesn't come."""
    return subprocess.run(
        [sys.executable, "-m", "trivium", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        env=child_environment(environment),
        check=False,
    )
