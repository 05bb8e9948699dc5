"""Profiles: which roles their holders have, and where these hold."""

from __future__ import annotations

from typing import NamedTuple

from access.rights import Collections, Restriction
from router.envelope import Json, JsonObject
from router.errors import RouterError


class Policy(NamedTuple):
    """One role of a profile, and where it holds: None for everywhere."""

    role_id: str
    restriction: Restriction | None


class Profile(NamedTuple):
    """`rate_limit`, `message_rate_limit`: requests that a holder may make, and messages that it
    may publish, in a second; 0 for any number."""

    id: str
    policies: tuple[Policy, ...]
    rate_limit: int = 0
    message_rate_limit: int = 0


def read(id: str, content: JsonObject) -> Profile:
    """The profile that a document or a body holds.

    Raises:
        RouterError: `api.assert.missing_argument`, `api.assert.empty_argument`,
            `api.assert.invalid_type`, `api.assert.invalid_argument`, with the path to what is
            wrong; `security.profile.missing_anonymous_role`.
    """
    policies = content.get("policies")
    if policies is None:
        raise RouterError("api.assert.missing_argument", "body.policies")
    if not isinstance(policies, list):
        raise RouterError("api.assert.invalid_type", "body.policies", "array")
    if not policies:
        raise RouterError("api.assert.empty_argument", "body.policies")
    read_policies = tuple(_policy(each, f"body.policies[{n}]") for n, each in enumerate(policies))
    if id == "anonymous" and "anonymous" not in {each.role_id for each in read_policies}:
        raise RouterError("security.profile.missing_anonymous_role")
    limits = [_limit(content, each) for each in ("rateLimit", "messageRateLimit")]
    return Profile(id, read_policies, *limits)


def _limit(content: JsonObject, key: str) -> int:
    value = content.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise RouterError("api.assert.invalid_type", f"body.{key}", "integer")
    if value < 0:
        raise RouterError("api.assert.invalid_argument", f"body.{key}", "zero or more")
    return value


def _policy(value: Json, path: str) -> Policy:
    policy = _object(value, path)
    role_id = policy.get("roleId")
    if not role_id:
        raise RouterError("api.assert.missing_argument", f"{path}.roleId")
    if not isinstance(role_id, str):
        raise RouterError("api.assert.invalid_type", f"{path}.roleId", "string")
    for key in policy:
        if key not in ("roleId", "restrictedTo"):
            raise RouterError(
                "api.assert.unexpected_argument", f"{path}.{key}", '"roleId", "restrictedTo"'
            )
    return Policy(role_id, _restriction(policy.get("restrictedTo"), f"{path}.restrictedTo"))


def _restriction(value: Json, path: str) -> Restriction | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise RouterError("api.assert.invalid_type", path, "array")
    indexes: dict[str, Collections] = {}
    for number, each in enumerate(value):
        index, collections = _bound(each, f"{path}[{number}]")
        before = indexes.get(index, frozenset())
        both = None if before is None or collections is None else before | collections
        indexes[index] = both
    # An empty list binds to nothing, as in the peer.
    return indexes or None


def _bound(value: Json, path: str) -> tuple[str, Collections]:
    bound = _object(value, path)
    index = bound.get("index")
    if not index:
        raise RouterError("api.assert.missing_argument", f"{path}.index")
    if not isinstance(index, str):
        raise RouterError("api.assert.invalid_type", f"{path}.index", "string")
    for key in bound:
        if key not in ("index", "collections"):
            raise RouterError(
                "api.assert.unexpected_argument", f"{path}.{key}", '"index", "collections"'
            )
    collections = bound.get("collections")
    if collections is None or collections == []:
        return index, None
    if not isinstance(collections, list):
        raise RouterError("api.assert.invalid_type", f"{path}.collections", "array")
    names = [each for each in collections if isinstance(each, str)]
    if len(names) < len(collections):
        raise RouterError("api.assert.invalid_type", f"{path}.collections", "array of strings")
    return index, frozenset(names)


def _object(value: Json, path: str) -> JsonObject:
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", path, "object")
    return value
