"""The connection: several nodes, basic authentication, and errors that keep their meaning."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web

from router.settings import OpenSearchSettings
from storage.opensearch.client import Client
from storage.opensearch.faults import RefusedError, UnreachableError, told
from tests.support.swift_time import LeapingLoop


class Node:
    """An HTTP server that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = '{"ok": true}'
        self.heads: list[str | None] = []
        self.url = ""
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.heads.append(request.headers.get("authorization"))
        self.asked.set()
        await self.go.wait()
        return web.Response(status=self.status, text=self.body, content_type="application/json")


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Node]:
    node = Node()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", node.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    node.url = f"http://{host}:{port}"
    yield node
    await runner.cleanup()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with listening() as node:
        yield node


@pytest.fixture
def nobody() -> Iterator[str]:
    """Where nobody listens, nor can begin to."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}"


async def ask(settings: OpenSearchSettings) -> object:
    client = Client(settings)
    try:
        return await client.request("GET", "any")
    finally:
        await client.close()


async def test_another_node_answers_where_one_is_away(node: Node, nobody: str) -> None:
    chosen = OpenSearchSettings(nodes=f"{nobody}, {node.url}")
    for _ in range(4):  # whichever comes first
        assert await ask(chosen) == {"ok": True}


async def test_name_and_password_are_sent(node: Node) -> None:
    await ask(OpenSearchSettings(nodes=node.url, username="ada", password="é:x"))
    (head,) = node.heads
    assert head is not None
    assert base64.b64decode(head.removeprefix("Basic ")).decode() == "ada:é:x"


async def test_without_a_name_nothing_is_sent(node: Node) -> None:
    await ask(OpenSearchSettings(nodes=node.url))
    assert node.heads == [None]


async def test_nobody_there_is_unreachable(nobody: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        await ask(OpenSearchSettings(nodes=nobody))
    error = told(caught.value)
    assert (error.id, error.status) == ("services.storage.unavailable", 503)


async def cancel_at_its_timeout() -> bool:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    async with listening() as node:
        node.go.clear()
        task = asyncio.create_task(ask(OpenSearchSettings(nodes=node.url, timeout_s=1_000)))
        await node.asked.wait()
        loop.call_later(1_500, task.cancel)
        loop.ahead_s = 2_000.0
        await asyncio.wait([task])
        node.go.set()
        return task.cancelled()


def test_what_is_cancelled_at_the_time_of_its_timeout_is_cancelled() -> None:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        assert runner.run(cancel_at_its_timeout())


async def test_no_answer_in_time_is_unreachable(node: Node) -> None:
    node.go.clear()
    with pytest.raises(UnreachableError, match=r"(?i)timeout"):
        await ask(OpenSearchSettings(nodes=node.url, timeout_s=0.05))
    node.go.set()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "parsing_exception", "services.storage.unexpected_bad_request"),
        (404, "index_not_found_exception", "services.storage.unexpected_not_found"),
        (429, "rejected_execution_exception", "services.storage.unavailable"),
        (503, "cluster_block_exception", "services.storage.unavailable"),
        (403, "cluster_block_exception", "services.storage.unexpected_error"),
        (500, "anything", "services.storage.unexpected_error"),
    ],
)
async def test_what_the_server_refuses_keeps_its_reason(
    node: Node, status: int, kind: str, error: str
) -> None:
    node.status = status
    node.body = f'{{"error": {{"type": "{kind}", "reason": "because"}}, "status": {status}}}'
    with pytest.raises(RefusedError) as caught:
        await ask(OpenSearchSettings(nodes=node.url))
    assert (caught.value.status, caught.value.kind) == (status, kind)
    assert told(caught.value).id == error
    assert "because" in told(caught.value).message
