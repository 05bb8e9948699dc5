"""A server before OpenSearch: with TLS and a password, or in a bad mood."""

from __future__ import annotations

import asyncio
import base64
import io
import ssl
import time
from pathlib import Path

import aiohttp
import yarl
from aiohttp import web

from tests.support.certificates import Issued

HOST = "127.0.0.1"
_MAX_BYTES = 100 * 1_048_576
_KEPT = ("content-type", "authorization")


class Front:
    """Passes requests on to the server at `url`, and answers what that says.

    Args:
        issued: Certificate and key; None speaks plain HTTP.
        credentials: Name and password that every request must carry.

    Attributes:
        busy: So many of the next bulks are answered with 429.
        delay_s: How long each request is held up.
        refused: How many requests came without the right credentials.
        times: When bulks came that were answered with 429.
    """

    def __init__(
        self,
        url: str,
        *,
        issued: Issued | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self._to = url
        self._tls = None if issued is None else _context(issued.certificate, issued.key)
        self._wanted = None if credentials is None else _basic(*credentials)
        application = web.Application(client_max_size=_MAX_BYTES)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        self._session: aiohttp.ClientSession | None = None
        self._port = 0
        self.busy = 0
        self.delay_s = 0.0
        self.refused = 0
        self.times: list[float] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{HOST}:{self._port}"

    async def open(self) -> Front:
        """Listen; whoever calls this closes it."""
        self._session = aiohttp.ClientSession()
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0, ssl_context=self._tls).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def close(self) -> None:
        """Hang up on everybody, and listen no more."""
        await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._wanted is not None and request.headers.get("authorization") != self._wanted:
            self.refused += 1
            return web.json_response({"error": "Unauthorized", "status": 401}, status=401)
        if self.busy and request.path == "/_bulk":
            self.busy -= 1
            self.times.append(time.monotonic())
            error = {"type": "rejected_execution_exception", "reason": "queue is full"}
            return web.json_response({"error": error, "status": 429}, status=429)
        await asyncio.sleep(self.delay_s)
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {key: value for key, value in request.headers.items() if key.lower() in _KEPT}
        async with self._session.request(
            request.method,
            yarl.URL(self._to + request.raw_path, encoded=True),
            data=io.BytesIO(await request.read()),
            headers=headers,
        ) as told:
            return web.Response(
                status=told.status, body=await told.read(), content_type=told.content_type
            )


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
