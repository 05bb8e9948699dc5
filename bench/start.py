"""What a start costs: the time to the first answer, the CPU until then, the memory after it.

    python -m bench.start [--rounds 9] [--against FOLDER]

Starts `trivium serve` on an empty folder again and again. FOLDER is another tree of this program,
whose starts take turns with this one's (it needs a `.venv` of its own). Both trees are started once
before, so that Python's caches are there, as they are after an installation.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tests.support.server import ROOT

BOUND_S = 60.0


class Start(NamedTuple):
    """What one start cost; milliseconds and MB."""

    wall: float
    cpu: float
    rss: float
    private: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    trees = [ROOT] + ([given.against.resolve()] if given.against else [])
    with tempfile.TemporaryDirectory() as folder:
        for tree in trees:
            started(tree, Path(folder))
        found: dict[Path, list[Start]] = {tree: [] for tree in trees}
        for _ in range(given.rounds):
            for tree in trees:
                found[tree].append(started(tree, Path(folder)))
    for tree, starts in found.items():
        print(tree)
        for name, unit in (("wall", "ms"), ("cpu", "ms"), ("rss", "MB"), ("private", "MB")):
            values = [getattr(start, name) for start in starts]
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"  {name:8} {middle:8.1f} {unit}  ({low:.1f} to {high:.1f})")
    return 0


def started(tree: Path, folder: Path) -> Start:
    """What one start of the program in that tree cost."""
    data = Path(tempfile.mkdtemp(dir=folder))
    command = [str(tree / ".venv/bin/python"), "-m", "trivium", "serve", "--port", "0"]
    command += ["--mqtt-port", "0", "--data", str(data)]
    # As after an installation: what was compiled once is kept, here outside the trees.
    kept = folder / f"compiled{abs(hash(tree))}"
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(kept), "PYTHONPATH": str(tree)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    log = data / "log"
    with log.open("wb") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=data, stderr=stderr, env=environ)
    try:
        answered(process, log)
        wall = time.perf_counter() - began
        cpu = cpu_s(process.pid)
        memory = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        rss, dirty = (kilobytes(memory, name) / 1_000 for name in ("Rss", "Private_Dirty"))
        return Start(wall * 1_000, cpu * 1_000, rss, dirty)
    finally:
        process.terminate()
        process.wait(BOUND_S)


def answered(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the port in the log, then for an answer of the API."""
    ends = time.perf_counter() + BOUND_S
    while time.perf_counter() < ends and process.poll() is None:
        port = re.search(r'"?\bport"?[=:] ?(\d+)', log.read_text())
        if port is not None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/_now", timeout=5).read()
                return
            except urllib.error.URLError:
                pass
        time.sleep(0.005)
    raise SystemExit(f"no answer:\n{log.read_text()}")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kilobytes(memory: str, name: str) -> int:
    """One of the sums of `smaps_rollup`."""
    found = re.search(rf"^{name}: +(\d+) kB", memory, re.MULTILINE)
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    raise SystemExit(main())
