"""Tokens as text: what the peer's clients can read, and what is not taken for one of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from access import signing
from access.keyring import Key, new_key
from access.signing import BadTokenError, Claims

KEY = new_key()
CLAIMS = Claims(id="ada", issued_at=1_700_000_000, token_id="t1", expires_at=1_700_003_600)


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def forged(header: Any, payload: bytes | None = None, key: bytes = KEY.secret) -> str:
    """A token with any header, signed correctly with HS256."""
    text = f"{b64(json.dumps(header).encode())}.{b64(PAYLOAD if payload is None else payload)}"
    return f"{text}.{b64(hmac.digest(key, text.encode(), hashlib.sha256))}"


PAYLOAD = b'{"_id":"ada","iat":1700000000,"jti":"t1"}'
HEADER = {"alg": "HS256", "kid": KEY.id, "typ": "JWT"}


def accepted(token: str, key: Key = KEY) -> Claims:
    assert signing.key_id(token) == key.id
    return signing.verify(token, key)


@given(
    st.builds(
        Claims,
        id=st.text(),
        issued_at=st.integers(0, 2**40),
        token_id=st.text(),
        expires_at=st.none() | st.integers(0, 2**40),
    )
)
def test_a_clients_plain_base64_reads_the_claims(claims: Claims) -> None:
    token = signing.sign(claims, KEY)
    middle = token.split(".")[1]
    assert not set(middle) & set("-_")
    shown = json.loads(base64.b64decode(middle + "=" * (-len(middle) % 4), validate=True))
    assert (shown["_id"], shown.get("exp")) == (claims.id, claims.expires_at)


@given(st.builds(Claims, id=st.text(), issued_at=st.integers(), token_id=st.text()))
def test_what_was_signed_is_verified(claims: Claims) -> None:
    assert accepted(signing.sign(claims, KEY)) == claims


def test_an_independent_library_verifies_it() -> None:
    shown = jwt.decode(
        signing.sign(CLAIMS, KEY), KEY.secret, ["HS256"], options={"verify_exp": False}
    )
    assert shown == {"_id": "ada", "iat": 1_700_000_000, "jti": "t1", "exp": 1_700_003_600}


def test_the_forgery_of_these_tests_would_be_accepted_if_it_were_none() -> None:
    assert accepted(forged(HEADER)).id == "ada"


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "None"},
        {**HEADER, "alg": "HS384"},
        {**HEADER, "alg": "HS512"},
        {**HEADER, "alg": "RS256"},
        {**HEADER, "alg": ["HS256"]},
        {**HEADER, "alg": None},
        {**HEADER, "kid": 7},
        {**HEADER, "kid": None},
        {**HEADER, "kid": {"": ""}},
        {**HEADER, "jwk": {"kty": "oct", "k": "AA"}},
        {**HEADER, "jku": "http://127.0.0.1/keys"},
        {**HEADER, "x5u": "http://127.0.0.1/keys"},
        {**HEADER, "b64": False},
        {**HEADER, "crit": ["b64"]},
        {"alg": "HS256", "typ": "JWT"},
        {"kid": KEY.id, "typ": "JWT"},
        {},
        [],
        "HS256",
        None,
    ],
)
def test_any_other_header_is_refused(header: Any) -> None:
    with pytest.raises(BadTokenError):
        signing.key_id(forged(header))


@pytest.mark.parametrize("kid", ["", "../../dev/null", "' OR 1=1 --", "\0", "x" * 2_000])
def test_a_key_id_is_only_ever_looked_up(kid: str) -> None:
    assert signing.key_id(forged({**HEADER, "kid": kid})) == kid


@pytest.mark.parametrize("secret", [b"", b"\0", KEY.id.encode(), new_key().secret])
def test_a_foreign_key_is_refused(secret: bytes) -> None:
    with pytest.raises(BadTokenError):
        signing.verify(forged(HEADER, key=secret or b"0"), KEY)


def test_a_public_key_used_as_the_secret_is_refused() -> None:
    public = rsa.generate_private_key(65_537, 2_048).public_key().public_numbers().n
    with pytest.raises(BadTokenError):
        signing.verify(forged(HEADER, key=public.to_bytes(256, "big")), KEY)


def test_a_token_without_signature_is_refused() -> None:
    token = forged(HEADER)
    with pytest.raises(BadTokenError):
        signing.verify(token[: token.rindex(".") + 1], KEY)


def test_no_part_of_a_token_is_a_token() -> None:
    token = signing.sign(CLAIMS, KEY)
    for end in range(len(token)):
        with pytest.raises(BadTokenError):
            accepted(token[:end])


def test_no_changed_token_is_a_token() -> None:
    token = signing.sign(CLAIMS, KEY)
    for place in range(0, len(token) - 1, 3):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises((BadTokenError, AssertionError)):
            accepted(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"ada"',
        b"{}",
        b'{"_id":7,"iat":1}',
        b'{"_id":"ada"}',
        b'{"_id":"ada","iat":"1"}',
        b'{"_id":"ada","iat":1,"exp":1.5}',
        b'{"_id":"ada","iat":1,"exp":"never"}',
        b'{"_id":"ada","iat":1,"jti":7}',
        b'{"_id":"ada","iat":1e400}',
        b'{"_id":"\xff","iat":1}',
        b"[" * 2_000,
        b'{"_id":"ada","iat":1,"x":' + b"[" * 2_000,
    ],
)
def test_claims_that_make_no_sense_are_refused(payload: bytes) -> None:
    token = forged(HEADER, payload)
    with pytest.raises(BadTokenError):
        signing.verify(token, KEY)
    with pytest.raises(BadTokenError):
        signing.read(token)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "a.b.c.d", "é.é.é", "\ud800.\ud800.\ud800", "x" * 5_000],
)
def test_texts_that_are_no_tokens_are_refused(text: str) -> None:
    for reader in (signing.key_id, signing.read, lambda it: signing.verify(it, KEY)):
        with pytest.raises(BadTokenError):
            reader(text)


def test_a_header_that_nests_too_deeply_is_refused() -> None:
    deep = b64(b"[" * 2_900)
    with pytest.raises(BadTokenError):
        signing.key_id(f"{deep}.{b64(PAYLOAD)}.")


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    for reader in (signing.key_id, signing.read, lambda it: signing.verify(it, KEY)):
        with pytest.raises(BadTokenError):
            reader(text)


def test_what_a_stranger_signed_can_be_read_but_not_verified() -> None:
    token = forged({"alg": "HS256", "typ": "JWT"}, b'{"_id":"ada","iat":1}', b"theirs")
    assert signing.read(token) == Claims(id="ada", issued_at=1)
