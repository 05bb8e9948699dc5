"""A page of another origin in Chromium, which tries every way of asking a router for something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from router.envelope import Json, Request
from storage.memory import MemoryStorage
from tests.support.people import peopled, settings
from tests.support.site import in_chromium, site
from trivium import App
from trivium.server import Server, running

pytestmark = pytest.mark.needs("chromium", "node", "playwright-core", "kuzzle-sdk")

SECRET = "what only the router's own people may read"
ADMIN = {
    "content": {},
    "credentials": {"local": {"username": "eve", "password": "eve's long password"}},
}
REQUESTS = [
    {"controller": "test", "action": "record"},
    {"controller": "index", "action": "create", "index": "taken"},
    {"controller": "auth", "action": "logout", "global": True},
    {"controller": "security", "action": "createUser", "_id": "eve", "body": ADMIN},
    {"controller": "security", "action": "createFirstAdmin", "_id": "eve", "body": ADMIN},
]


@dataclass
class Witness:
    """An application whose one action tells a secret, and remembers who heard it."""

    heard: list[str | None] = field(default_factory=list)

    def app(self) -> App:
        app = App()
        app.controller.register("test", {"record": self._record})
        return app

    def _record(self, request: Request) -> Json:
        self.heard.append(request.request_id)
        return SECRET


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two ports of one site."""
    with site(tmp_path / "site") as one, site(tmp_path / "site") as other:
        yield one, other


async def visit(page: str, server: Server, folder: Path, login_page: str = "-") -> dict[str, Any]:
    """Open the page, which does what it can to the router; what came of it."""
    return await asyncio.to_thread(
        in_chromium,
        "cross_site.mjs",
        page,
        f"http://127.0.0.1:{server.port}",
        login_page,
        json.dumps(REQUESTS),
        str(folder / "profile"),
    )


async def test_a_fresh_router_is_out_of_its_reach(ports: tuple[int, int], tmp_path: Path) -> None:
    witness = Witness()
    async with running(witness.app(), settings(), MemoryStorage()) as server:
        before = server.core.storage.indexes()
        seen = await visit(f"http://evil.example:{ports[0]}", server, tmp_path)
        assert server.core.storage.indexes() == before
        assert not server.core.register.directory.has_admin
    assert witness.heard == []
    assert SECRET not in json.dumps(seen["read"])


async def test_a_page_of_this_machine_may(ports: tuple[int, int], tmp_path: Path) -> None:
    # That the page asks well enough to be answered.
    witness = Witness()
    async with running(witness.app(), settings(), MemoryStorage()) as server:
        seen = await visit(f"http://127.0.0.1:{ports[0]}", server, tmp_path)
        assert "taken" in server.core.storage.indexes()
        assert server.core.register.directory.has_admin
    assert witness.heard
    assert SECRET in json.dumps(seen["read"])


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"], ids=["other site", "other port"])
async def test_a_cookie_is_of_no_use_to_it(
    host: str, ports: tuple[int, int], tmp_path: Path
) -> None:
    named = f"http://127.0.0.1:{ports[0]}"
    witness = Witness()
    async with peopled(witness.app(), **{"http.allow_origin": named}) as server:
        before = server.core.storage.indexes()
        seen = await visit(f"http://{host}:{ports[1]}", server, tmp_path, named)
        assert server.core.storage.indexes() == before
        assert await server.core.register.directory.account("eve") is None
    assert (seen["held"], seen["left"]) == (1, 1)
    assert witness.heard == []
    assert SECRET not in json.dumps(seen["read"])


async def test_to_the_page_that_is_named_it_is(ports: tuple[int, int], tmp_path: Path) -> None:
    named = f"http://127.0.0.1:{ports[0]}"
    witness = Witness()
    async with peopled(witness.app(), **{"http.allow_origin": named}) as server:
        seen = await visit(named, server, tmp_path, named)
        assert "taken" in server.core.storage.indexes()
    assert witness.heard
    assert SECRET in json.dumps(seen["read"])
