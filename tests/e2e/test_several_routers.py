"""Router processes that share one OpenSearch: they start together and see each other's work."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.opensearch import OpenSearchServer
from tests.support.server import Server, start

pytestmark = pytest.mark.needs("opensearch")

ROUTERS = 3
# A second until a router looks by itself; the rest is for a busy machine.
SOON_S = 60.0


def ask(server: Server, verb: str, path: str, body: object = None) -> Any:
    """The envelope that a request is answered with."""
    sent = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if sent else {}
    request = urllib.request.Request(server.url + path, data=sent, method=verb, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SOON_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def result(server: Server, verb: str, path: str, body: object = None) -> Any:
    """The result of a request that must succeed."""
    answer = ask(server, verb, path, body)
    assert answer["status"] == 200, answer
    return answer.get("result")


def soon(server: Server, path: str, expected: object) -> None:
    """A GET has this result at once or a little later."""
    ends = time.monotonic() + SOON_S
    while (found := ask(server, "GET", path)["result"]) != expected:
        assert time.monotonic() < ends, found


def an_asset(reference: str, **metadata: object) -> dict[str, object]:
    return {"model": "Truck", "reference": reference, "metadata": metadata}


def test_an_engine_that_one_router_makes_the_other_serves_at_once(
    pair: tuple[Server, Server],
) -> None:
    first, second = pair
    unknown = ask(second, "PUT", "/_/device-manager/fleet/assets/one", {"metadata": {}})
    assert unknown["error"]["id"] == "trivium.engine.unknown"
    result(first, "POST", "/_/device-manager/engine/fleet")
    created = result(second, "POST", "/_/device-manager/fleet/assets", an_asset("one", a=1))
    assert result(second, "GET", "/_/device-manager/engine/fleet/_exists") == {"exists": True}
    changes = {"metadata": {"a": 2}}
    path = f"/_/device-manager/fleet/assets/{created['_id']}"
    assert result(first, "PUT", path, changes)["_version"] == 2
    again = ask(second, "POST", "/_/device-manager/engine/fleet")
    assert again["error"]["id"] == "trivium.engine.already_exists"


def test_an_engine_that_one_router_removes_the_other_serves_no_longer(
    pair: tuple[Server, Server],
) -> None:
    first, second = pair
    result(first, "POST", "/_/device-manager/engine/fleet")
    result(second, "POST", "/_/device-manager/fleet/assets", an_asset("one"))
    result(first, "DELETE", "/_/device-manager/engine/fleet")
    exists = "/_/device-manager/engine/fleet/_exists"
    assert result(second, "GET", exists) == {"exists": False}
    update = ask(second, "PUT", "/_/device-manager/fleet/assets/Truck-one", {"metadata": {}})
    assert update["error"]["id"] in ("trivium.engine.unknown", "services.storage.not_found")
    soon(
        second,
        "/fleet/_list",
        {"collections": [{"name": "config", "type": "stored"}], "type": "all"},
    )


def test_indexes_collections_and_mappings_are_seen_by_the_other(
    pair: tuple[Server, Server],
) -> None:
    first, second = pair
    result(first, "POST", "/tenant/_create")
    assert result(second, "GET", "/tenant/_exists") is True
    result(first, "PUT", "/tenant/things", {"mappings": {"properties": {"a": {"type": "keyword"}}}})
    assert result(second, "GET", "/tenant/things/_exists") is True
    fields = result(second, "GET", "/tenant/things/_mapping")["properties"]
    assert fields == {"a": {"type": "keyword"}}
    result(first, "POST", "/tenant/things", {"mappings": {"properties": {"b": {"type": "long"}}}})
    assert set(result(second, "GET", "/tenant/things/_mapping")["properties"]) == {"a", "b"}
    result(first, "DELETE", "/tenant")
    assert result(second, "GET", "/tenant/_exists") is False
    gone = ask(second, "POST", "/tenant/things/_create", {"a": "x"})
    assert gone["error"]["id"] == "services.storage.unknown_index"


@pytest.mark.parametrize("attempt", range(2))
def test_routers_that_start_together_make_each_collection_once(
    tmp_path: Path, opensearch: OpenSearchServer, attempt: int
) -> None:
    opensearch.wipe()
    chosen = ("--storage", f"opensearch:{opensearch.url}")
    folders = [tmp_path / str(number) for number in range(ROUTERS)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(ROUTERS) as pool:
        starting = [pool.submit(start, folder, arguments=chosen) for folder in folders]
    servers = [each.result() for each in starting if each.exception() is None]
    try:
        assert [each.exception() for each in starting] == [None] * ROUTERS
        with ThreadPoolExecutor(ROUTERS) as pool:
            path = f"/_/device-manager/engine/fleet-{attempt}"
            made = list(pool.map(lambda server: ask(server, "POST", path), servers))
        assert {each["status"] for each in made} <= {200, 400}
        for number, server in enumerate(servers):
            body = an_asset(str(number))
            result(server, "POST", f"/_/device-manager/fleet-{attempt}/assets", body)
    finally:
        for server in servers:
            server.stop()
    assert [name for name, times in aliases(opensearch).items() if times != 1] == []


def aliases(opensearch: OpenSearchServer) -> Counter[str]:
    """How many indexes are behind each alias."""
    told: Any = opensearch.ask("GET", "/_alias?expand_wildcards=all")
    return Counter(name for each in told.values() for name in each["aliases"])
