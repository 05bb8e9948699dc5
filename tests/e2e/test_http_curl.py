"""curl against the HTTP wire: a client that we did not write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.http_house import House, open_house

pytestmark = pytest.mark.needs("curl")

JSON = ("-H", "Content-Type: application/json")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def curl(house: House, path: str, *options: str, stdin: bytes = b"") -> str:
    """What curl prints; fails if it complains."""
    process = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "--max-time",
        "90",
        *options,
        f"http://localhost:{house.port}{path}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate(stdin)
    assert (process.returncode, errors) == (0, b"")
    return out.decode()


async def result(house: House, path: str, *options: str, stdin: bytes = b"") -> Any:
    envelope = json.loads(await curl(house, path, *options, stdin=stdin))
    assert envelope["error"] is None
    return envelope["result"]


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
async def test_an_update(house: House, version: str) -> None:
    path = "/_/device-manager/airports/assets/CDG?refresh=wait_for"
    body = '{"metadata":{"closed":true}}'
    assert await result(house, path, version, "-X", "PUT", *JSON, "-d", body) == {
        "args": {"refresh": "wait_for", "index": "airports", "_id": "CDG"},
        "body": {"metadata": {"closed": True}},
        "connection": "http",
    }


async def test_two_requests_over_one_connection(house: House) -> None:
    url = f"http://localhost:{house.port}/_now"
    out = await curl(house, "/_now", "-o", "/dev/null", url, "-w", "%{num_connects} ")
    assert out.startswith("1 ")
    assert house.observer.opened_in_all == 1


async def test_head(house: House) -> None:
    out = await curl(house, "/", "-I")
    assert out.startswith("HTTP/1.1 200")
    assert "Content-Length: " in out


async def test_a_compressed_answer(house: House) -> None:
    text = (await result(house, "/_/test/large?size=50000", "--compressed"))["text"]
    assert len(text) == 50_000


async def test_a_body_that_waits_for_100_continue(house: House) -> None:
    body = json.dumps({"text": "x" * 1_000_000}).encode()
    options = ("-H", "Expect: 100-continue", *JSON, "--data-binary", "@-")
    found = await result(house, "/_/test/echo", *options, stdin=body)
    assert len(found["body"]["text"]) == 1_000_000


async def test_chunks_of_unknown_length(house: House) -> None:
    options = ("-H", "Transfer-Encoding: chunked", *JSON, "-X", "POST", "-T", "-")
    found = await result(house, "/_/test/echo", *options, stdin=b'{"a":1}')
    assert found["body"] == {"a": 1}


async def test_forms(house: House) -> None:
    found = await result(house, "/_/test/echo", "-d", "a=1", "-d", "b=x y")
    assert found["body"] == {"a": "1", "b": "x y"}
    options = ("-F", "who=Zoë", "-F", "f=@-;filename=a.bin;type=image/png")
    found = await result(house, "/_/test/echo", *options, stdin=b"\x00\xff")
    assert found["body"] == {
        "who": "Zoë",
        "f": {"filename": "a.bin", "encoding": "image/png", "file": "AP8="},
    }


async def test_a_body_that_is_too_long_still_shows_its_refusal(house: House) -> None:
    body = b'{"text":"' + b"x" * 3_000_000 + b'"}'
    out = await curl(house, "/_/test/echo", *JSON, "--data-binary", "@-", stdin=body)
    assert json.loads(out)["error"]["id"] == "network.http.request_too_large"


async def test_a_preflight(house: House) -> None:
    out = await curl(house, "/a/b/c", "-i", "-X", "OPTIONS", "-H", "Origin: http://localhost:1")
    assert "Access-Control-Allow-Origin: http://localhost:1" in out
