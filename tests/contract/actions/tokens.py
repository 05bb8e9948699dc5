"""What strangers are told by the actions on tokens, API keys and the audit, on every wire; what
users are told is in tests/e2e/test_token_refusals.py."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.steps import Payload, Step

LOGIN: Payload = {
    "controller": "auth",
    "action": "login",
    "strategy": "local",
    "body": {"username": "nobody", "password": "wrong"},
}
OF_USERS = (
    "createApiKey",
    "createToken",
    "deleteApiKey",
    "logout",
    "refreshToken",
    "searchApiKeys",
)
OF_ANOTHER: tuple[Payload, ...] = (
    {"action": "createApiKey", "userId": "nobody", "body": {"description": "a key"}},
    {"action": "deleteApiKey", "userId": "nobody", "_id": "none"},
    {"action": "revokeTokens", "_id": "nobody"},
    {"action": "searchApiKeys", "userId": "nobody", "body": {}},
)
SEARCH_AUDIT: Payload = {"controller": "security", "action": "searchAudit"}


def _refused(ask: Payload, error: str, status: int, why: str = "") -> Step:
    about = f"{ask['controller']}:{ask['action']} {why}"
    return Step(about=about, ask=ask, status=status, error=error)


TOKENS: list[Step] = [
    _refused(LOGIN, "plugin.strategy.missing_user", 401, "of nobody"),
    _refused({**LOGIN, "strategy": "x"}, "security.credentials.unknown_strategy", 400, "by x"),
    _refused({**LOGIN, "expiresIn": "soon"}, "api.assert.invalid_argument", 400, "for soon"),
    *(
        _refused({"controller": "auth", "action": action}, "security.rights.unauthorized", 401)
        for action in OF_USERS
    ),
    *(
        _refused({"controller": "security", **ask}, "security.user.not_found", 404)
        for ask in OF_ANOTHER
    ),
    _refused(
        {"controller": "security", "action": "createUser", "body": {}},
        "api.assert.missing_argument",
        400,
        "of nothing",
    ),
    _refused({**SEARCH_AUDIT, "size": -1}, "api.assert.invalid_argument", 400, "size -1"),
    _refused({**SEARCH_AUDIT, "size": "x"}, "api.assert.invalid_type", 400, "size x"),
]

_WITH_A_TOKEN: dict[str, tuple[str, ...]] = {
    "createToken": (
        "api.assert.invalid_argument",
        "security.token.invalid_expiration",
    ),
    "refreshToken": (
        "api.assert.invalid_argument",
        "security.cookie.unsupported",
    ),
    "logout": ("security.cookie.unsupported",),
    "login": ("security.cookie.unsupported",),
    "createApiKey": (
        "api.assert.invalid_argument",
        "api.assert.missing_argument",
        "services.storage.document_already_exists",
    ),
    "deleteApiKey": ("services.storage.not_found",),
}
SEARCH_ERRORS: tuple[tuple[Any, str], ...] = (
    ({"lang": "sql", "body": {}}, "api.assert.invalid_argument"),
    ({"lang": "koncorde", "body": {"query": {"x": 1}}}, "api.assert.koncorde_unknown_keyword"),
    (
        {"lang": "koncorde", "body": {"query": {"bool": {}}}},
        "api.assert.koncorde_restricted_keyword",
    ),
    ({"lang": "koncorde", "body": {"query": {"equals": 1}}}, "api.assert.koncorde_dsl_error"),
    ({"size": 100_000, "body": {}}, "services.storage.get_limit_exceeded"),
    (
        {"body": {"query": {"script": {"script": {"source": "1"}}}}},
        "services.storage.invalid_query_keyword",
    ),
    ({"body": {"query": {}, "nope": 1}}, "services.storage.invalid_search_query"),
    ({"body": {"query": {"term": 1}}}, "services.storage.unexpected_bad_request"),
    ({"body": {"query": {"nope": {}}}}, "services.storage.unknown_query_keyword"),
    ({"body": {"query": {"fuzzy": {"description": "x"}}}}, "trivium.unsupported.feature"),
)

NEEDS_A_USER: dict[tuple[str, str, str], str] = {
    **dict.fromkeys(
        [
            *(("auth", name, error) for name, errors in _WITH_A_TOKEN.items() for error in errors),
            *(("auth", "searchApiKeys", error) for _, error in SEARCH_ERRORS),
            *(("security", "searchApiKeys", error) for _, error in SEARCH_ERRORS),
            ("security", "createApiKey", "api.assert.invalid_argument"),
            ("security", "createApiKey", "api.assert.missing_argument"),
            ("security", "createApiKey", "services.storage.document_already_exists"),
            ("security", "deleteApiKey", "services.storage.not_found"),
        ],
        "tests/e2e/test_token_refusals.py",
    ),
    **dict.fromkeys(
        [
            ("auth", name, "security.token.ttl_exceeded")
            for name in ("createApiKey", "createToken", "login", "refreshToken")
        ],
        "tests/unit/access/test_lifetimes.py",
    ),
    ("auth", "refreshToken", "security.token.refresh_forbidden"): "tests/e2e/test_identity.py",
    ("auth", "login", "api.process.too_many_logins_requests"): "tests/unit/access/test_throttle.py",
    ("auth", "login", "plugin.strategy.unknown_kuid"): "only a user deleted at that very moment",
}
"""Errors that only users meet, and where they are shown."""
