"""Where the private store keeps what: the peer's names, so that its databases are served."""

from __future__ import annotations

from typing import Final

from router.envelope import JsonObject

INDEX: Final = "kuzzle"
CONFIG: Final = "config"
TOKENS: Final = "tokens"
API_KEYS: Final = "api-keys"

MAPPINGS: Final[dict[str, JsonObject]] = {
    CONFIG: {"dynamic": "false", "properties": {}},
    TOKENS: {
        "dynamic": "false",
        "properties": {
            "userId": {"type": "keyword"},
            "keyId": {"type": "keyword"},
            "expiresAt": {"type": "long"},
        },
    },
    API_KEYS: {
        "dynamic": "false",
        "properties": {
            "userId": {"type": "keyword"},
            "fingerprint": {"type": "keyword"},
            "description": {"type": "text"},
            "expiresAt": {"type": "long"},
            "ttl": {"type": "keyword"},
        },
    },
}
"""The mappings of the collections above."""
