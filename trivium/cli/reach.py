"""How `trivium import` and `export` reach a router."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from trivium.client import trusting
from trivium.client.http import HttpClient, Login, open_client


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a router is, and who asks. `ca_file` None: the CAs of the system, if there is TLS."""

    host: str
    port: int
    has_tls: bool = False
    ca_file: Path | None = None
    login: Login | None = None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[HttpClient]:
        """A connected client for the time of the block.

        Raises:
            ConnectionFailedError: Nobody answers there.
            AnsweredError: The router doesn't let the user in.
        """
        tls = trusting(self.ca_file) if self.has_tls else None
        client = await open_client(self.host, self.port, timeout_s=60.0, tls=tls, login=self.login)
        try:
            yield client
        finally:
            await client.close()


def login_of(api_key: str | None, username: str | None, password: str | None) -> Login | None:
    """The login that flags or the environment give; None for an anonymous user."""
    if api_key is None and username is None:
        return None
    return Login(api_key, username, password)
