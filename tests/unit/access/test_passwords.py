"""Passwords: ours, those that Kuzzle stored, and what takes how long."""

import hashlib
import hmac

import pytest

from access import passwords

SALT = "ab" * 128


def kuzzle(password: str, **settings):
    """What Kuzzle's plugin stores (reference 6.2), by its own words."""
    chosen = {"algorithm": "sha512", "stretching": True, "encryption": "hmac", **settings}
    algorithm = chosen["algorithm"]
    if chosen["stretching"]:
        length = int(algorithm.removeprefix("sha"))
        digest = hashlib.pbkdf2_hmac(algorithm, password.encode(), SALT.encode(), 10_000, length)
    elif chosen["encryption"] == "hmac":
        digest = hmac.digest(SALT.encode(), password.encode(), algorithm)
    else:
        digest = hashlib.new(algorithm, f"{SALT}:{password}".encode()).digest()
    return {**chosen, "userSalt": SALT, "userPassword": digest.hex(), "kuid": "ada"}


def test_a_password_is_known_again_and_no_other_is():
    stored = passwords.hashed("secret")
    assert stored["userPassword"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(stored, "secret", with_foreign=False)
    assert not passwords.verify(stored, "Secret", with_foreign=False)
    assert passwords.hashed("secret") != stored
    assert not passwords.is_outdated(stored)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"algorithm": "sha256"},
        {"stretching": False},
        {"stretching": False, "encryption": "hash"},
    ],
)
def test_passwords_that_kuzzle_stored_are_known(settings):
    stored = kuzzle("sécret", **settings)
    assert passwords.verify(stored, "sécret", with_foreign=True)
    assert passwords.verify(stored, "sécret", with_foreign=False)
    assert not passwords.verify(stored, "secret", with_foreign=True)
    assert passwords.is_outdated(stored)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"algorithm": "argon2id"},
        {"algorithm": "argon2id", "userPassword": "$argon2id$nonsense"},
        {"algorithm": "argon2id", "userPassword": 7},
        {"algorithm": "md5", "userSalt": "a", "userPassword": "b"},
        {**kuzzle("secret"), "pepper": "x"},
        {**kuzzle("secret"), "userSalt": None},
        {**kuzzle("secret"), "userPassword": "é"},
    ],
)
def test_what_can_not_be_verified_is_no_password(stored):
    assert not passwords.verify(stored, "secret", with_foreign=True)
    assert not passwords.verify(stored, "", with_foreign=False)


def test_the_hash_of_nobody_is_as_dear_as_any_other():
    assert (
        passwords.is_outdated({"algorithm": "argon2id", "userPassword": passwords._DUMMY}) is False
    )
    parameters = passwords._DUMMY.split("$")[:4]
    assert passwords.hashed("x")["userPassword"].split("$")[:4] == parameters


def test_half_a_character_is_a_password_like_any_other():
    assert passwords.verify(passwords.hashed("a\ud800"), "a\ud800", with_foreign=False)
