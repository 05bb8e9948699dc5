"""Where the private store keeps what: the peer's names, so that its databases are served."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from router.envelope import JsonObject

INDEX: Final = "kuzzle"
CONFIG: Final = "config"
TOKENS: Final = "tokens"
API_KEYS: Final = "api-keys"

Kind: TypeAlias = Literal["users", "profiles", "roles"]

USERS: Final[Kind] = "users"
PROFILES: Final[Kind] = "profiles"
ROLES: Final[Kind] = "roles"
KINDS: Final[tuple[Kind, ...]] = (USERS, PROFILES, ROLES)

CREDENTIALS: Final = ("plugin-kuzzle-plugin-auth-passport-local", "users")
"""Index and collection of what users log in with by name and password."""

_KEYWORD: Final[JsonObject] = {"type": "keyword"}

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
    USERS: {"dynamic": "false", "properties": {"profileIds": _KEYWORD}},
    PROFILES: {
        "dynamic": "false",
        "properties": {
            "tags": _KEYWORD,
            "policies": {
                "properties": {
                    "roleId": _KEYWORD,
                    "restrictedTo": {"properties": {"index": _KEYWORD, "collections": _KEYWORD}},
                }
            },
        },
    },
    ROLES: {"dynamic": "false", "properties": {"tags": _KEYWORD}},
}
"""The mappings of the collections above."""

CREDENTIALS_MAPPING: Final[JsonObject] = {
    "dynamic": "false",
    "properties": {"kuid": _KEYWORD, "algorithm": _KEYWORD},
}
