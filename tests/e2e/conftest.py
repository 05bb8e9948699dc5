"""Event loops (a module that says `EVERY_LOOP = True` runs on asyncio's loop and on uvloop), and
two routers that share a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop

from tests.support.opensearch import OpenSearchServer
from tests.support.server import Server, serving


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if getattr(getattr(item, "module", None), "EVERY_LOOP", False):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
def pair(tmp_path: Path, opensearch: OpenSearchServer) -> Iterator[tuple[Server, Server]]:
    """Two routers on one OpenSearch that was empty before."""
    opensearch.wipe()
    chosen = ("--storage", f"opensearch:{opensearch.url}")
    with ExitStack() as stack:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        first = stack.enter_context(serving(tmp_path / "a", arguments=chosen))
        second = stack.enter_context(serving(tmp_path / "b", arguments=chosen))
        yield first, second
