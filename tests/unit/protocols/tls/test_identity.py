"""Which user a certificate names."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.tls.identity import user_named
from router.settings import TlsSettings

CERTIFICATE = {
    "subject": ((("organizationName", "Ada's"),), (("commonName", "truck-7"),)),
    "subjectAltName": (
        ("DNS", "truck-7.example"),
        ("email", "truck@example.com"),
        ("URI", "urn:truck:7"),
        ("IP Address", "192.0.2.7"),
    ),
}


def name(certificate: dict[str, Any], **settings: Any) -> str:
    return user_named(certificate, TlsSettings(**settings))


@pytest.mark.parametrize(
    ("kind", "user"),
    [
        ("common_name", "truck-7"),
        ("dns", "truck-7.example"),
        ("email", "truck@example.com"),
        ("uri", "urn:truck:7"),
    ],
)
def test_the_settings_say_which_name_counts(kind: str, user: str) -> None:
    assert name(CERTIFICATE, client_user=kind) == user
    assert name(CERTIFICATE, client_user=kind, client_user_prefix="device-") == f"device-{user}"


@pytest.mark.parametrize("kind", ["common_name", "dns", "email", "uri"])
def test_without_such_a_name_it_is_nobodys(kind: str) -> None:
    empty = {"subject": ((("organizationName", "Ada's"),),)}
    assert name(empty, client_user=kind, client_user_prefix="device-") == ""


def test_of_several_names_none_counts() -> None:
    subject = ((("commonName", "truck-7"),), (("commonName", "admin"),))
    assert name({"subject": subject}) == ""
    twice = (("DNS", "a.example"), ("DNS", "b.example"))
    assert name({"subjectAltName": twice}, client_user="dns") == ""


@pytest.mark.parametrize("odd", ["", "a\0b", "a\nb", "x" * 257])
def test_an_odd_name_does_not_count(odd: str) -> None:
    assert name({"subject": ((("commonName", odd),),)}) == ""
