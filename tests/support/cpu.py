"""CPU time: what something costs, whatever else the machine does meanwhile."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def libraries_alone() -> float:
    """What Python takes to load the libraries that a router is made of."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    loading = "import aiohttp.web, apsw, pydantic, structlog, uvloop, websockets"
    subprocess.run([sys.executable, "-c", loading], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
