"""What TLS costs: server:now over HTTPS, WSS and MQTT over TLS beside the plain wires.

    python -m bench.secure [--runs 3] [--seconds 2] [--connections 64]

Needs Go. One router speaks TLS 1.3 with a P-256 certificate, another one doesn't; both run on core
0 in turns, the load on core 1. Handshakes aren't counted: connections stay open.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.wires import ROOT, WIRES, Numbers, build_load, child, load, machine, middle
from tests.support.certificates import TestAuthority

HTTP, MQTT, MQTT_TLS = 17522, 11893, 18893


@contextmanager
def routers(folder: Path) -> Iterator[tuple[int, int]]:
    """The process ids of a plain router and of one with TLS, on the next ports."""
    issued = TestAuthority(folder).issue()
    settings = folder / "tls.toml"
    settings.write_text(
        f'[mqtt]\ntls_port = {MQTT_TLS}\n[tls]\ncertificate = "{issued.certificate}"\n'
        f'key = "{issued.key}"\n'
    )
    plain = ["--port", str(HTTP), "--mqtt-port", str(MQTT), "--data", str(folder / "a")]
    secure = ["--port", str(HTTP + 1), "--mqtt-port", str(MQTT + 1), "--data", str(folder / "b")]
    serve = ("-m", "trivium", "serve")
    with (
        child(*serve, *plain) as first,
        child(*serve, *secure, "--config", str(settings)) as second,
    ):
        for port in (HTTP, HTTP + 1):
            wait_open(port)
        yield first.pid, second.pid


def wait_open(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("a router did not listen within 20 s")


def measure(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="trivium-bench-") as name, routers(Path(name)) as pids:
        for wire in WIRES:
            ports = (MQTT, MQTT_TLS) if wire == "mqtt" else (HTTP, HTTP + 1)
            runs: tuple[list[Numbers], list[Numbers]] = ([], [])
            for _ in range(options.runs):
                for pool, port, pid, flags in zip(runs, ports, pids, ((), ("-tls",)), strict=True):
                    pool.append(
                        load(
                            *("-addr", f"127.0.0.1:{port}", "-proto", wire, "-pid", str(pid)),
                            *("-c", str(options.connections), "-d", f"{options.seconds}s"),
                            *("-warm", "1s", *flags),
                        )
                    )
            for over, pool in zip(("plain", "tls"), runs, strict=True):
                yield {"wire": wire, "over": over, **middle(pool)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    build_load()
    about = machine()
    rows = []
    for row in measure(options):
        rows.append(row)
        print(json.dumps(row), flush=True)
    target = ROOT / "bench" / "results" / f"secure-{about['commit']}.json"
    target.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
