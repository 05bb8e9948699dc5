"""Connections to a real OpenSearch on which something happens at the wrong moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from router.settings import OpenSearchSettings
from storage.opensearch.client import Client
from storage.opensearch.faults import UnreachableError


class CountingClient(Client):
    """Knows how often each kind of request was made, by the last part of its path."""

    def __init__(self, settings: OpenSearchSettings) -> None:
        super().__init__(settings)
        self.counts: dict[str, int] = {}

    async def request(self, method: str, *path: str, **more: Any) -> Any:
        self.counts[path[-1]] = self.counts.get(path[-1], 0) + 1
        return await super().request(method, *path, **more)


class InterruptedClient(Client):
    """Lets something happen before a bulk that writes documents, once."""

    def __init__(self, settings: OpenSearchSettings) -> None:
        super().__init__(settings)
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def bulk(self, operations: Sequence[bytes]) -> Any:
        if self.meanwhile is not None and b'"_index":"@&' in operations[0]:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().bulk(operations)


class DyingClient(Client):
    """Is cut off for good at its n-th bulk, before the server has it or before it answers.

    Args:
        is_late: The server still does that last one.
    """

    def __init__(self, settings: OpenSearchSettings, dies_at: int, *, is_late: bool) -> None:
        super().__init__(settings)
        self._left = dies_at
        self._is_late = is_late

    @property
    def is_dead(self) -> bool:
        """Whether it has come that far."""
        return self._left < 0

    async def bulk(self, operations: Sequence[bytes]) -> Any:
        self._left -= 1
        if self._left >= 0:
            return await super().bulk(operations)
        if self._left == -1 and self._is_late:
            await super().bulk(operations)
        raise UnreachableError("cut off by the test")

    async def request(self, method: str, *path: str, **more: Any) -> Any:
        if self.is_dead and path != ("_bulk",):
            raise UnreachableError("cut off by the test")
        return await super().request(method, *path, **more)


class ForgetfulClient(Client):
    """The answers to its first so many bulks get lost, though the server did them."""

    def __init__(self, settings: OpenSearchSettings, losses: int) -> None:
        super().__init__(settings)
        self.losses = losses

    async def bulk(self, operations: Sequence[bytes]) -> Any:
        answers = await super().bulk(operations)
        if self.losses > 0:
            self.losses -= 1
            raise UnreachableError("the answer was lost by the test")
        return answers
