"""Every error a client can meet: id -> code, HTTP status, message template.

Ids, codes and statuses are those of the peer (Kuzzle 2.56, error codes); the sentences are
this router's own, but for "Token expired", which clients read. A code that was given out is
never used again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.catalogue import api, core, network, own, plugin, security, services, validation
from router.catalogue.entry import Entry

__all__ = ["CATALOGUE", "Entry"]

_DOMAINS: Final = (core, services, api, network, plugin, validation, security, own)

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(
    {name: entry for domain in _DOMAINS for name, entry in domain.ENTRIES.items()}
)
