"""`trivium serve --storage opensearch:URL`: the program over a server of its own."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.support.opensearch import OpenSearchServer
from tests.support.program import trivium
from tests.support.server import Server, serving

pytestmark = pytest.mark.needs("opensearch")


def call(server: Server, action: str, *words: str) -> str:
    ran = trivium("call", action, *words, "--port", str(server.port), "--json")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_router_finds_what_the_one_before_it_stored(
    tmp_path: Path, opensearch: OpenSearchServer
) -> None:
    opensearch.wipe()
    chosen = ("--storage", f"opensearch:{opensearch.url}")
    with serving(tmp_path, arguments=chosen) as server:
        call(server, "collection:create", "tenant", "things")
        call(server, "document:create", "tenant", "things", "--id", "one", "--body", '{"a": 1}')
    with serving(tmp_path, arguments=chosen) as server:
        told = call(server, "document:get", "tenant", "things", "one")
        with urllib.request.urlopen(f"{server.url}/_ready", timeout=5) as ready:
            assert ready.status == 200
    assert '"a": 1' in told or '"a":1' in told
    # The embedded store was left alone.
    assert not (tmp_path / "data").exists()


def test_an_engine_that_does_not_exist_is_told(tmp_path: Path) -> None:
    ran = trivium("serve", "--storage", "papyrus:scroll", folder=tmp_path)
    assert ran.returncode == 2
    assert "sqlite:FOLDER or opensearch:URL" in ran.stderr


def test_a_server_that_stays_away_is_told(tmp_path: Path) -> None:
    environment = {"TRIVIUM__OPENSEARCH__START_TIMEOUT_S": "0.5"}
    ran = trivium(
        *("serve", "--storage", "opensearch:http://127.0.0.1:9", "--port", "0", "--mqtt-port", "0"),
        folder=tmp_path,
        environment=environment,
    )
    assert ran.returncode == 2
    assert "OpenSearch (http://127.0.0.1:9)" in ran.stderr
