"""Getting a server ready that may be away, or be made ready by another router right now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from router.envelope import JsonObject
from router.section import without_userinfo
from router.settings import OpenSearchSettings
from storage.contract import StoreOpenError
from storage.opensearch import places
from storage.opensearch.client import Client
from storage.opensearch.faults import RefusedError, UnreachableError
from storage.opensearch.feed import Feed, make
from storage.opensearch.keys import MAPPING as KEYS
from storage.opensearch.recovery import Recovery
from storage.opensearch.registry import Registry

_log = structlog.get_logger("storage.opensearch")

_ASK_EVERY_S: Final = 0.5
"""How often a server that is away is asked."""

_GRAVES: Final[JsonObject] = {
    "dynamic": "false",
    "properties": {
        "at": {"type": "date", "format": "epoch_millis"},
        "uuid": {"type": "keyword"},
        "id": {"type": "keyword", "ignore_above": 8_000},
        places.HIDDEN: {"type": "object", "enabled": False},
    },
}


async def prepare(
    client: Client, feed: Feed, registry: Registry, recovery: Recovery, replicas: str
) -> None:
    """Make what is missing and know what is there. Raises: faults.

    What another router is making at the moment may be there without answering yet.
    """
    await _check_health(client)
    await make(client, registry.scope.graves, _GRAVES, replicas)
    await make(client, registry.scope.keys, KEYS, replicas)
    await feed.open(replicas)
    await recovery.open()
    await registry.reload()


async def wait_for(settings: OpenSearchSettings, ready: Callable[[], Awaitable[None]]) -> None:
    """Try until it succeeds, as long as the settings say.

    Raises:
        StoreOpenError: The server stayed away, or refuses this router.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + settings.start_timeout_s
    is_told, nodes = False, without_userinfo(settings.nodes)
    while True:
        try:
            return await ready()
        except (UnreachableError, RefusedError) as fault:
            is_away = isinstance(fault, UnreachableError) or fault.is_passing
            if not is_away or loop.time() > ends:
                raise StoreOpenError(f"OpenSearch ({nodes}): {fault}") from fault
            if not is_told:
                _log.warning("waiting for OpenSearch", nodes=nodes, fault=str(fault))
        is_told = True
        await asyncio.sleep(_ASK_EVERY_S)


async def _check_health(client: Client) -> None:
    """Raises: faults; `UnreachableError` also for a cluster that lacks documents as yet."""
    told = await client.request("GET", "_cluster", "health")
    if told.get("status") not in ("yellow", "green"):
        raise UnreachableError(f"the cluster's health is {told.get('status')}")
