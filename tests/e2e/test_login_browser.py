"""kuzzle-sdk's bundle in headless Chromium, from another origin: tokens, and cookies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.people import peopled
from tests.support.site import in_chromium, site

pytestmark = pytest.mark.needs("chromium", "node", "playwright-core", "kuzzle-sdk")

TOKEN = {
    "answer": "string",
    "me": "root-id",
    "now": "number",
    "closed": "-1",
    "hasToken": True,
}
COOKIE = {
    "answer": "undefined",
    "me": "root-id",
    "now": "number",
    "httpOnly": True,
    "sameSite": "Strict",
    "reach": ["", None, 0],
    "renewed": ["_id", "expiresAt", "ttl"],
    "again": True,
    "others": ["root-id", "-1"],
    "closed": "-1",
    "left": None,
    "hasToken": False,
    "received": True,
}


async def test_by_token_and_by_cookie(tmp_path: Path) -> None:
    with site(tmp_path / "site") as port:
        page = f"http://127.0.0.1:{port}"
        async with peopled(**{"http.allow_origin": page}) as server:
            seen = await asyncio.to_thread(
                in_chromium,
                "browser_program.mjs",
                page,
                str(server.port),
                str(tmp_path / "profile"),
            )
    assert seen.pop("faults") == []
    assert seen == {
        "token ws": TOKEN,
        "token http": TOKEN,
        # The SDK itself drops the answer with the old socket; the new cookie is there.
        "cookie ws": {**COOKIE, "renewed": []},
        "cookie http": COOKIE,
    }
