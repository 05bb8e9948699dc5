"""Tokens and API keys over each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from access.api_keys import ApiKeys
from access.key_document import KeyDocument
from access.keyring import KeySource
from access.places import CONFIG, INDEX, MAPPINGS
from access.sessions import Sessions
from access.tokens import Tokens
from router.settings import AccessSettings
from storage.contract import Storage
from tests.support.opensearch import OpenSearchServer
from tests.support.stores import ENGINES, new_store


class Clock:
    """ms since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_795_000_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds * 1_000


@dataclass
class Desk:
    """Where one router gives out tokens."""

    storage: Storage
    keys: KeySource
    clock: Clock
    settings: AccessSettings = field(default_factory=AccessSettings)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.settings.tokens_cached)
        self.tokens = Tokens(self.storage, self.keys, self.sessions, self.settings, self.clock)
        self.api_keys = ApiKeys(self.storage, self.keys, self.sessions, self.clock)

    async def open(self) -> Desk:
        await self.tokens.prepare()
        await self.api_keys.prepare()
        return self


@pytest.fixture(params=ENGINES)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An opened engine without any index."""
    url = ""
    if request.param == "opensearch":
        server: OpenSearchServer = request.getfixturevalue("opensearch")
        server.wipe()
        url = server.url
    opened = new_store(request.param, tmp_path, url)
    await opened.open()
    await opened.create_collection(INDEX, CONFIG, MAPPINGS[CONFIG])
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    """The time of every desk."""
    return Clock()


@pytest.fixture
def new_desk(storage: Storage, clock: Clock) -> Callable[[], Desk]:
    """Makes one more router's desk over the same store, which knows nothing but what is stored."""
    keys_clock = lambda: clock.now / 1_000  # noqa: E731
    return lambda: Desk(storage, KeyDocument(storage, keys_clock), clock)


@pytest.fixture
async def desk(new_desk: Callable[[], Desk]) -> Desk:
    """One router's desk, open."""
    return await new_desk().open()
