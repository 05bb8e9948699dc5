"""What a request costs on each wire, against a bare asyncio server in the same run.

    python -m bench.wires [--runs 5] [--seconds 3] [--assets 100000] [--connections 1,64,512]

Needs Go (the load generator of bench/load is built into .cache/). The server runs on core 0, the
load on core 1. Every number is the median of the runs, with the spread beside it; ratios are taken
within one run, since machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / ".cache" / "load"
WIRES = ("http", "ws", "mqtt")
Numbers = dict[str, float]


def build_load() -> None:
    LOAD.parent.mkdir(exist_ok=True)
    subprocess.run(["go", "build", "-o", str(LOAD), "."], cwd=ROOT / "bench" / "load", check=True)


@contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A server process on core 0, ended by its pid."""
    process = subprocess.Popen(
        ["taskset", "-c", "0", sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def router(http: int, mqtt: int) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory(prefix="trivium-bench-") as folder:
        arguments = ["--port", str(http), "--mqtt-port", str(mqtt), "--data", folder]
        with child("-m", "trivium", "serve", *arguments) as process:
            wait_ready(http)
            yield process


def wait_ready(port: int) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ready", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit("the router did not become ready within 10 s")


def load(*flags: str) -> Numbers:
    """One run of the load generator, as numbers: requests/s, latencies in ms, CPU in us."""
    out = subprocess.run(
        ["taskset", "-c", "1", str(LOAD), *flags], capture_output=True, text=True, check=True
    ).stdout
    found = {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", out)}
    if found.get("notOK") or found.get("errs"):
        raise SystemExit(f"the load met errors: {out}")
    rate = found["rps"]
    return {
        "rps": rate,
        "p50_ms": found["p50"],
        "p99_ms": found["p99"],
        "cpu_us": found["srvCPU"] / 100 / rate * 1e6 if rate else 0.0,
        "rss_mb": found["rssMB"],
    }


def middle(runs: list[Numbers]) -> dict[str, float | list[float]]:
    rates = [run["rps"] for run in runs]
    medians: dict[str, float | list[float]] = {
        key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]
    }
    return {**medians, "rps_spread": [round(min(rates)), round(max(rates))]}


def fsync_us(folder: Path) -> float:
    """Median time of one write and fsync of 4 KB."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return round(statistics.median(took) * 1e6, 1)


def machine() -> dict[str, str | float]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        sync = fsync_us(Path(folder))
    return {
        "commit": commit,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count() or 0,
        "cpu": _cpu_name(),
        "fsync_us": sync,
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    http, mqtt = 17512, 11883
    timing = ["-d", f"{options.seconds}s", "-warm", "1s"]
    with child("-m", "bench.echo") as echo, router(http, mqtt) as server:
        assert echo.stdout is not None
        echo_port = int(echo.stdout.readline())
        setup = ["-setup", "-assets", str(options.assets), "-addr", f"127.0.0.1:{http}"]
        subprocess.run([str(LOAD), *setup], check=True)
        for wire in WIRES:
            address = ["-addr", f"127.0.0.1:{mqtt if wire == 'mqtt' else http}", "-proto", wire]
            for connections in options.connections:
                common = [*timing, "-c", str(connections)]
                pools: dict[str, list[Numbers]] = {"floor": [], "now": [], "update": []}
                for _ in range(options.runs):
                    floor = ["-addr", f"127.0.0.1:{echo_port}", "-proto", wire]
                    pools["floor"].append(load(*floor, *common, "-pid", str(echo.pid)))
                    pid = ["-pid", str(server.pid)]
                    pools["now"].append(load(*address, *common, *pid))
                    many = ["-op", "update", "-assets", str(options.assets)]
                    pools["update"].append(load(*address, *common, *pid, *many))
                for name, runs in pools.items():
                    row = {"wire": wire, "op": name, "connections": connections, **middle(runs)}
                    row["of_floor"] = round(
                        statistics.median(
                            run["rps"] / base["rps"]
                            for run, base in zip(runs, pools["floor"], strict=True)
                        ),
                        3,
                    )
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument(
        "--connections", type=lambda text: [int(n) for n in text.split(",")], default=[1, 64, 512]
    )
    options = parser.parse_args()
    build_load()
    about = machine()
    result = {"machine": about, "options": vars(options), "rows": measure(options)}
    target = ROOT / "bench" / "results" / f"wires-{about['commit']}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
