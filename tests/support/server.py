"""The program as a user starts it: a child process on ports that the system chose."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

recent: deque[Path] = deque(maxlen=3)
"""The logs of the programs that were started last, for who wants to know why a test failed."""

START_BOUND_S = 120.0
STOP_BOUND_S = 90.0
PROGRAM = (sys.executable, "-m", "trivium")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Server:
    """One running `trivium serve`. `log` is the file that its standard error goes to.

    `mqtt_tls_port` is 0 without TLS, which `is_secure` says of the other ports.
    """

    process: subprocess.Popen[bytes]
    host: str
    port: int
    mqtt_port: int
    data: Path
    log: Path
    mqtt_tls_port: int = 0
    is_secure: bool = False

    @property
    def url(self) -> str:
        """Where its HTTP listener answers, without a slash at the end."""
        return f"http{'s' if self.is_secure else ''}://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Where its WebSocket listener answers."""
        return f"ws{'s' if self.is_secure else ''}://{self.host}:{self.port}"

    def lines(self) -> list[dict[str, object]]:
        """What it has logged so far, one object a line; lines that aren't JSON are left out."""
        return _log_lines(self.log)

    def stop(self, *, bound_s: float = STOP_BOUND_S) -> int:
        """Ask it to end, as `kill` does, and wait; the exit code. Fails if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(bound_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop in {bound_s} s:\n{self.log.read_text()}") from None

    def kill(self) -> None:
        """End it at once, as a power cut would, and wait until the system has taken it away."""
        self.process.kill()
        self.process.wait(STOP_BOUND_S)


def start(
    folder: Path,
    *,
    app: Path | None = None,
    data: Path | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
    until: str = "serving",
) -> Server:
    """Start the program and return once `/_ready` answers 200; whoever calls this stops it.

    Args:
        folder: Its working folder; the log goes here, and the data unless `data` says else.
        environment: Variables on top of this process' own (`TRIVIUM__SECTION__KEY`).
        program: What to run; by default this source tree.
        until: Return already when this is logged, ready or not.
    """
    data = folder / "data" if data is None else data
    log = folder / f"serve-{time.monotonic_ns()}.log"
    command = [*program, "serve", "--port", "0", "--mqtt-port", "0"]
    command += ["--data", str(data)] + (["--app", str(app)] if app else []) + list(arguments)
    recent.append(log)
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=child_environment(environment),
        )
    try:
        serving = _wait_for(lambda: _logged(log, until), process, log)
        server = Server(
            process=process,
            host=str(serving["host"]),
            port=int(str(serving["port"])),
            mqtt_port=int(str(serving["mqtt_port"])),
            data=data,
            log=log,
            # Programs of other versions may not tell.
            mqtt_tls_port=int(str(serving.get("mqtt_tls_port", 0))),
            is_secure=serving.get("tls") is True,
        )
        if until == "serving":
            _wait_for(lambda: _is_ready(server), process, log)
    except BaseException:
        process.kill()
        process.wait(STOP_BOUND_S)
        raise
    return server


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    app: Path | None = None,
    data: Path | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> Iterator[Server]:
    """A running program that is stopped at the end of the block (see `start`)."""
    server = start(
        folder, app=app, data=data, arguments=arguments, environment=environment, program=program
    )
    try:
        yield server
    finally:
        server.stop()


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child process: this source tree first, logs as JSON, no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM__")}
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **kept,
        "PYTHONPATH": python_path,
        "TRIVIUM__LOG__FORMAT": "json",
        "NO_COLOR": "1",
        **(extra or {}),
    }


def _wait_for(condition: Callable[[], T | None], process: subprocess.Popen[bytes], log: Path) -> T:
    deadline = time.monotonic() + START_BOUND_S
    while time.monotonic() < deadline:
        met = condition()
        if met is not None:
            return met
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"did not start (exit code {process.poll()}):\n{log.read_text()}")


def _logged(log: Path, event: str) -> dict[str, object] | None:
    return next((line for line in _log_lines(log) if line.get("event") == event), None)


def _log_lines(log: Path) -> list[dict[str, object]]:
    lines = []
    for text in log.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            line = json.loads(text)
            if isinstance(line, dict):
                lines.append(line)
    return lines


def _is_ready(server: Server) -> bool | None:
    try:
        # Whoever waits for the start doesn't doubt who started.
        trusting = ssl._create_unverified_context() if server.is_secure else None
        with urllib.request.urlopen(f"{server.url}/_ready", timeout=30, context=trusting) as answer:
            return True if answer.status == 200 else None
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
