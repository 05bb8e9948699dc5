"""`trivium serve` with a certificate, renewed while it runs."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import server as program
from tests.support.certificates import Issued, TestAuthority
from tests.support.program import trivium
from tests.support.raw_http import get

BOUND_S = 90.0


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path)


def environment(issued: Issued) -> dict[str, str]:
    return {
        "TRIVIUM__TLS__CERTIFICATE": str(issued.certificate),
        "TRIVIUM__TLS__KEY": str(issued.key),
        "TRIVIUM__TLS__RELOAD_S": "3600",
        "TRIVIUM__MQTT__TLS_PORT": "0",
    }


def is_trusted(server: program.Server, authority: TestAuthority) -> bool:
    """Whether a client that trusts the authority gets an answer."""
    try:
        with (
            socket.create_connection((server.host, server.port), timeout=BOUND_S) as connection,
            authority.trusting().wrap_socket(connection, server_hostname="localhost") as client,
        ):
            client.sendall(get("/_now"))
            return client.recv(16) == b"HTTP/1.1 200 OK\r"
    except ssl.SSLCertVerificationError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sighup_takes_a_new_certificate_and_leaves_a_broken_one(
    authority: TestAuthority, tmp_path: Path
) -> None:
    issued = authority.issue()
    with program.serving(tmp_path, environment=environment(issued)) as server:
        assert server.is_secure
        assert server.mqtt_tls_port
        assert is_trusted(server, authority)

        issued.certificate.write_bytes(b"broken")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any(line["level"] == "error" for line in server.lines()))
        assert is_trusted(server, authority)

        other = TestAuthority(tmp_path, "another CA")
        renewed = other.issue()
        os.replace(renewed.key, issued.key)
        os.replace(renewed.certificate, issued.certificate)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: is_trusted(server, other))
        assert not is_trusted(server, authority)
        assert server.stop() == 0


@pytest.mark.parametrize("protocol", ["ws", "http", "mqtt"])
def test_the_command_line_speaks_it(
    authority: TestAuthority, tmp_path: Path, protocol: str
) -> None:
    with program.serving(tmp_path, environment=environment(authority.issue())) as server:
        port = server.mqtt_tls_port if protocol == "mqtt" else server.port
        call = ("call", "server:now", "--protocol", protocol, "--host", "localhost")
        call += ("--port", str(port), "--display", "result.now")
        done = trivium(*call, "--ssl", "--ca-file", str(authority.file))
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 0
        assert trivium(*call, "--ssl").returncode == 1


def test_a_missing_certificate_stops_the_start(tmp_path: Path) -> None:
    missing = Issued(tmp_path / "none.pem", tmp_path / "none.key")
    with pytest.raises(AssertionError, match=r"(?s)exit code 2.*tls\.certificate.*No such file"):
        program.start(tmp_path, environment=environment(missing))
