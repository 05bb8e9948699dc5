"""Passwords as they are stored: argon2id; those that Kuzzle stored are verified too."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from router.envelope import Json, JsonObject

ALGORITHM: Final = "argon2id"

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
"""OWASP, Password Storage Cheat Sheet: 19 MiB, two passes, one lane. About 20 ms."""

_ITERATIONS: Final = 10_000
_LENGTHS: Final = {"sha1": 160, "sha224": 224, "sha256": 256, "sha384": 384, "sha512": 512}
"""Kuzzle's plugin takes these numbers of bits as bytes (its `passwordManager`)."""

_DUMMY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
    "Kp6Qd3d7fF0cS3x1r2e0o4R6rVvD0mCzY5o2uFhJ7yU"
)
"""A hash that no password has; verifying it takes as long as verifying any other."""

_FOREIGN_DUMMY: Final[JsonObject] = {
    "algorithm": "sha512",
    "stretching": True,
    "userSalt": "0" * 256,
    "userPassword": "0" * 1_024,
}


def hashed(password: str) -> JsonObject:
    """What is stored of a password. Takes long: not for the event loop."""
    return {"algorithm": ALGORITHM, "userPassword": _HASHER.hash(_encoded(password))}


def verify(stored: JsonObject | None, password: str, *, with_foreign: bool) -> bool:
    """Whether a password is the one that was stored. Takes long: not for the event loop.

    Args:
        stored: The credentials; None if there are none, which takes as long to find out.
        with_foreign: Passwords stored by Kuzzle are about: every verification does the work of
            both kinds, so that its time doesn't tell whose password is of which kind.
    """
    is_foreign = stored is not None and stored.get("algorithm") != ALGORITHM
    own = None if is_foreign else stored
    foreign = stored if is_foreign else None
    is_own = _is_own(_DUMMY if own is None else own.get("userPassword"), password)
    if not (with_foreign or is_foreign):
        return is_own and own is not None
    is_other = _is_foreign(_FOREIGN_DUMMY if foreign is None else foreign, password)
    return (is_own and own is not None) or (is_other and foreign is not None)


def is_outdated(stored: JsonObject) -> bool:
    """Whether a password should be stored anew: by Kuzzle's ways, or with other costs."""
    if stored.get("algorithm") != ALGORITHM:
        return True
    try:
        return _HASHER.check_needs_rehash(str(stored.get("userPassword")))
    except InvalidHashError:
        return False


def _is_own(stored: Json, password: str) -> bool:
    try:
        return isinstance(stored, str) and _HASHER.verify(stored, _encoded(password))
    except (VerificationError, InvalidHashError):
        return False


def _is_foreign(stored: JsonObject, password: str) -> bool:
    salt, known = stored.get("userSalt"), stored.get("userPassword")
    algorithm = str(stored.get("algorithm") or "sha512")
    # A pepper is a secret of Kuzzle's configuration, which this router hasn't got.
    if not isinstance(salt, str) or not isinstance(known, str) or stored.get("pepper"):
        return False
    if algorithm not in _LENGTHS:
        return False
    found = _digest(stored, algorithm, salt.encode(), _encoded(password))
    return hmac.compare_digest(found.hex().encode(), known.encode())


def _digest(stored: JsonObject, algorithm: str, salt: bytes, password: bytes) -> bytes:
    if stored.get("stretching", True):
        length = _LENGTHS[algorithm]
        return hashlib.pbkdf2_hmac(algorithm, password, salt, _ITERATIONS, length)
    if stored.get("encryption", "hmac") == "hmac":
        return hmac.digest(salt, password, algorithm)
    return hashlib.new(algorithm, salt + b":" + password).digest()


def _encoded(password: str) -> bytes:
    # Half a surrogate pair can come out of JSON.
    return password.encode("utf-8", "surrogatepass")
