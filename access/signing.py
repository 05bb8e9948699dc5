"""Tokens as text: JSON Web Tokens that the peer's clients can read, signed with HS256 only."""

from __future__ import annotations

import json
from typing import Final

import msgspec
from jwt.api_jws import PyJWS
from jwt.exceptions import InvalidTokenError

from access.keyring import Key

ALGORITHM: Final = "HS256"

MAX_CHARACTERS: Final = 4_096
"""Far longer than any token that was given out; a longer text isn't looked at."""

# The clients decode the claims with plain base64 (Kuzzle SDK, core/Jwt): without these four
# characters neither "-" nor "_" of the URL alphabet ever appears in ASCII text.
_ESCAPES: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in ">?~\x7f"})

# A token that nests deeply enough makes the JSON reader give up.
_UNREADABLE: Final = (InvalidTokenError, ValueError, RecursionError)

_JWS: Final = PyJWS(algorithms=[ALGORITHM])


class BadTokenError(Exception):
    """A text that is no token of ours."""


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says; times are whole seconds since 1970.

    Attributes:
        id: The user. On the wire `_id`.
        issued_at: On the wire `iat`.
        token_id: On the wire `jti`.
        expires_at: On the wire `exp`; None: it never does.
    """

    id: str = msgspec.field(name="_id")
    issued_at: int = msgspec.field(name="iat")
    token_id: str = msgspec.field(name="jti", default="")
    expires_at: int | None = msgspec.field(name="exp", default=None)


def sign(claims: Claims, key: Key) -> str:
    """The token that carries the claims."""
    text = json.dumps(msgspec.to_builtins(claims), separators=(",", ":")).translate(_ESCAPES)
    return _JWS.encode(text.encode(), key.secret, ALGORITHM, {"kid": key.id})


def key_id(token: str) -> str:
    """The id of the key that a token says it was signed with; nothing is verified yet.

    Raises:
        BadTokenError: It has none, or is no token that we sign.
    """
    if len(token) > MAX_CHARACTERS:
        raise BadTokenError
    try:
        header = _JWS.get_unverified_header(token)
    except _UNREADABLE:
        raise BadTokenError from None
    # What names another algorithm, or wants more understood than we do (RFC 7515, 4.1.11),
    # is not ours.
    if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM:
        raise BadTokenError
    found = header["kid"]
    if not isinstance(found, str):
        raise BadTokenError
    return found


def verify(token: str, key: Key) -> Claims:
    """The claims of a token that was signed with this key; whether it has expired is not asked.

    Raises:
        BadTokenError: It was not.
    """
    try:
        return _claims(_JWS.decode(token, key.secret, [ALGORITHM]))
    except _UNREADABLE:
        raise BadTokenError from None


def read(token: str) -> Claims:
    """What a token says, whoever made it: nothing to believe.

    Raises:
        BadTokenError: It is no JSON Web Token.
    """
    if len(token) > MAX_CHARACTERS:
        raise BadTokenError
    try:
        return _claims(_JWS.decode(token, options={"verify_signature": False}))
    except _UNREADABLE:
        raise BadTokenError from None


def _claims(payload: bytes) -> Claims:
    try:
        return msgspec.json.decode(payload, type=Claims)
    except msgspec.DecodeError:
        raise BadTokenError from None
