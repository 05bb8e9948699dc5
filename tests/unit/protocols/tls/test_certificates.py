"""Which files make a certificate, and what happens when they change."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import structlog

from protocols.tls import BadCertificateError, Certificates
from protocols.tls.certificates import make_context
from router.settings import TlsSettings
from tests.support.certificates import Issued, TestAuthority
from tests.support.http_house import until


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path)


def settings(issued: Issued, **rest: Any) -> TlsSettings:
    return TlsSettings(certificate=str(issued.certificate), key=str(issued.key), **rest)


class TestContext:
    def test_old_versions_are_not_spoken(self, authority: TestAuthority) -> None:
        issued = authority.issue()
        assert make_context(settings(issued)).minimum_version == ssl.TLSVersion.TLSv1_2
        context = make_context(settings(issued, min_version="1.3"))
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3

    def test_each_suite_keeps_the_past_secret(self, authority: TestAuthority) -> None:
        for suite in make_context(settings(authority.issue())).get_ciphers():
            assert suite["aead"], suite
            assert suite["kea"] in ("kx-ecdhe", "kx-any"), suite

    def test_the_key_may_be_in_the_certificates_file(self, authority: TestAuthority) -> None:
        issued = authority.issue()
        issued.certificate.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        make_context(TlsSettings(certificate=str(issued.certificate)))

    def test_an_encrypted_key_opens_with_its_password(self, authority: TestAuthority) -> None:
        make_context(settings(authority.issue(password="open"), key_password="open"))

    @pytest.mark.parametrize("password", ["", "wrong"])
    def test_without_it_the_start_fails_and_asks_nobody(
        self, authority: TestAuthority, password: str
    ) -> None:
        with pytest.raises(BadCertificateError, match=r"tls\.key"):
            make_context(settings(authority.issue(password="open"), key_password=password))

    @pytest.mark.parametrize("broken", ["missing", "empty", "garbage", "another key", "folder"])
    def test_a_bad_file_is_named(
        self, authority: TestAuthority, tmp_path: Path, broken: str
    ) -> None:
        issued = authority.issue()
        match broken:
            case "missing":
                issued.certificate.unlink()
            case "empty":
                issued.certificate.write_bytes(b"")
            case "garbage":
                issued.certificate.write_bytes(b"\xff\0" * 500)
            case "another key":
                issued.key.write_bytes(authority.issue().key.read_bytes())
            case "folder":
                issued.key.unlink()
                issued.key.mkdir()
        with pytest.raises(BadCertificateError) as caught:
            make_context(settings(issued))
        assert str(issued.certificate) in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("client_ca", ["", "no-such-file.pem"])
    def test_client_certificates_need_their_authority(
        self, authority: TestAuthority, client_ca: str
    ) -> None:
        with pytest.raises(BadCertificateError, match=r"tls\.client_ca"):
            make_context(
                settings(authority.issue(), client_certificates="required", client_ca=client_ca)
            )


class TestRenewal:
    async def test_a_changed_file_is_taken(self, authority: TestAuthority) -> None:
        issued = authority.issue()
        certificates = Certificates(settings(issued, reload_s=0.1))
        before = certificates.context
        watching = asyncio.create_task(certificates.watch())
        try:
            renewed = authority.issue()
            os.replace(renewed.key, issued.key)
            os.replace(renewed.certificate, issued.certificate)
            await until(lambda: certificates.context is not before)
        finally:
            watching.cancel()

    async def test_a_broken_one_is_logged_once_and_changes_nothing(
        self, authority: TestAuthority
    ) -> None:
        issued = authority.issue()
        certificates = Certificates(settings(issued, reload_s=0.1))
        before = certificates.context
        with structlog.testing.capture_logs() as logs:
            watching = asyncio.create_task(certificates.watch())
            try:
                issued.certificate.write_bytes(b"broken")
                await until(lambda: bool(logs))
                good = authority.issue()
                assert certificates.context is before
                os.replace(good.key, issued.key)
                os.replace(good.certificate, issued.certificate)
                await until(lambda: certificates.context is not before)
            finally:
                watching.cancel()
        failures = [line for line in logs if line["log_level"] == "error"]
        # Between the two replacements key and certificate don't fit, which may be seen, too.
        assert 1 <= len(failures) <= 2
        assert str(issued.certificate) in failures[0]["reason"]

    async def test_a_reload_that_fails_leaves_what_was_there(
        self, authority: TestAuthority
    ) -> None:
        issued = authority.issue()
        certificates = Certificates(settings(issued))
        before = certificates.context
        issued.key.unlink()
        with pytest.raises(BadCertificateError):
            certificates.reload()
        await certificates.refresh()
        assert certificates.context is before
