"""A real OpenSearch for tests: one process on a free port of the loopback, as no root."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.ports import lasting_port
from tests.support.watchdog import Watchdog

VERSION: Final = "3.4.0"
HOME: Final = Path(__file__).resolve().parents[2] / ".cache/opensearch" / f"opensearch-{VERSION}"
HOST: Final = "127.0.0.1"
START_BOUND_S: Final = 240.0
STOP_BOUND_S: Final = 30.0
_HEAP: Final = "512m"
_OLDEST_JAVA: Final = 21
_FOLDERS_OF_JVMS: Final = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/java")

CONFIGURATION = """\
cluster.name: trivium-tests
node.name: one
discovery.type: single-node
network.host: {host}
http.port: {port}
transport.port: 0
path.data: {folder}/data
path.logs: {folder}/logs
# The machine's disk may well be rather full; a test is no reason to go read-only.
cluster.routing.allocation.disk.threshold_enabled: false
"""


def java_home() -> Path | None:
    """The newest JDK of this machine that is new enough; None if there is none."""
    homes = [Path(os.environ[name]) for name in ("OPENSEARCH_JAVA_HOME",) if name in os.environ]
    for folder in _FOLDERS_OF_JVMS:
        homes += sorted(Path(folder).glob("*")) + sorted(Path(folder).glob("*/Contents/Home"))
    versions = {home: _java_version(home) for home in homes}
    fit = [home for home, version in versions.items() if version >= _OLDEST_JAVA]
    return max(fit, key=lambda home: versions[home], default=None)


def _java_version(home: Path) -> int:
    release = home / "release"
    if not (home / "bin/java").exists() or not release.is_file():
        return 0
    found = re.search(r'JAVA_VERSION="(\d+)', release.read_text())
    return int(found[1]) if found else 0


def is_there() -> bool:
    """Whether this machine can run it (see tests/setup/opensearch)."""
    return (HOME / "complete").is_file() and java_home() is not None


class OpenSearchServer:
    """One server with a folder of its own; it keeps its port and what it stored when it is
    killed and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trivium-opensearch-"))
        self.port = lasting_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self._prepare()

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id; fails if it doesn't run."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers unless told not to."""
        java = java_home()
        assert java is not None, "is_there() was not asked"
        user = _unprivileged()
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                _command(java, self.folder),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], "OPENSEARCH_JAVA_HOME": str(java)},
                start_new_session=True,
                **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
            )
        self._watchdog = Watchdog(self._process.pid, self.folder)
        if wait:
            self.wait()

    def wait(self, bound_s: float = START_BOUND_S) -> None:
        """Return once it can be written to; fails if that takes too long."""
        ends = time.monotonic() + bound_s
        while time.monotonic() < ends:
            if self._process is None or self._process.poll() is not None:
                raise AssertionError(f"OpenSearch ended:\n{self._output()}")
            health = self.get("/_cluster/health?wait_for_status=yellow&timeout=5s")
            if health is not None and health.get("status") in ("yellow", "green"):
                return
            time.sleep(0.2)
        raise AssertionError(f"OpenSearch did not start in {bound_s} s:\n{self._output()}")

    def get(self, path: str) -> dict[str, object] | None:
        """What it answers to a GET; None if it doesn't."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                told: dict[str, object] = json.loads(answer.read())
                return told
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def ask(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """What it answers to any request; fails if that is an error."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data=sent, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=90) as answer:
            told: dict[str, object] = json.loads(answer.read())
            return told

    def wipe(self) -> None:
        """Remove every index."""
        names = [
            urllib.parse.quote(name, safe="")
            for name in self.ask("GET", "/_settings?expand_wildcards=all")
        ]
        if names:
            self.ask("DELETE", "/" + ",".join(names))

    def kill(self) -> None:
        """End it at once, as a power cut does (kill -9)."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it, and remove what it stored."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_BOUND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_BOUND_S)
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None

    def _prepare(self) -> None:
        config = self.folder / "config"
        for folder in (config, self.folder / "data", self.folder / "logs", self.folder / "tmp"):
            folder.mkdir()
        text = CONFIGURATION.format(host=HOST, port=self.port, folder=self.folder)
        (config / "opensearch.yml").write_text(text)
        shutil.copy(HOME / "config/log4j2.properties", config)
        user = _unprivileged()
        for path in (self.folder, *self.folder.rglob("*")):
            if user is not None:
                os.chown(path, user, user)

    def _output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")[-4_000:]


def _command(java: Path, folder: Path) -> list[str]:
    # What bin/opensearch runs, without its two JVMs that only read the options.
    return [
        str(java / "bin/java"),
        *(f"-Xms{_HEAP}", f"-Xmx{_HEAP}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-Dfile.encoding=UTF-8", "-Djava.awt.headless=true", "-Djna.nosys=true"),
        f"-Djava.io.tmpdir={folder}/tmp",
        f"-XX:ErrorFile={folder}/logs/hs_err_pid%p.log",
        "-Dlog4j2.formatMsgNoLookups=true",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Djava.security.manager=allow" if _java_version(java) < 24 else "-Dtrivium=tests",
        f"-javaagent:{HOME}/agent/opensearch-agent.jar",
        "--add-modules=jdk.incubator.vector",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
        f"-Dopensearch.path.home={HOME}",
        f"-Dopensearch.path.conf={folder}/config",
        "-Dopensearch.distribution.type=zip",
        *("-cp", f"{HOME}/lib/*", "org.opensearch.bootstrap.OpenSearch"),
    ]


def _unprivileged() -> int | None:
    """The user to run as; None: as we are."""
    return pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None


def serving() -> Iterator[OpenSearchServer]:
    """A server for the time of a fixture."""
    server = OpenSearchServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
