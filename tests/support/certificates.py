"""Certificates of an authority that lives as long as a test."""

from __future__ import annotations

import datetime
import itertools
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ip_address("127.0.0.1")),
)


@dataclass(frozen=True, slots=True)
class Issued:
    """Files of a certificate and its key, both PEM."""

    certificate: Path
    key: Path


class TestAuthority:
    """Makes certificates into a folder; its own is `file`."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "Trivium test CA") -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _draft(self._name, self._key, days=(-1, 1))
            .issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            identifier
        )
        self.file = folder / f"ca-{id(self)}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str | Sequence[str] = "localhost",
        *,
        alternatives: Sequence[x509.GeneralName] = HERE,
        days: tuple[float, float] = (-1, 1),
        password: str = "",
    ) -> Issued:
        """A certificate for a subject of that common name, or of several.

        Args:
            days: From which day until which it is good; today is 0.
            password: What the key is encrypted with; empty leaves it plain.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [name] if isinstance(name, str) else name
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, it) for it in names])
        draft = _draft(subject, key, days=days).issuer_name(self._name)
        draft = draft.add_extension(self._identifier, critical=False)
        if alternatives:
            draft = draft.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = draft.sign(self._key, hashes.SHA256())
        return self._write(certificate, key, password)

    def self_signed(self, name: str) -> Issued:
        """A certificate that only its own key vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        draft = _draft(subject, key, days=(-1, 1)).issuer_name(subject)
        return self._write(draft.sign(key, hashes.SHA256()), key, "")

    def trusting(self, client: Issued | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority, and perhaps shows a certificate."""
        context = ssl.create_default_context(cafile=str(self.file))
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context

    def _write(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, password: str
    ) -> Issued:
        number = next(self._numbers)
        issued = Issued(
            self._folder / f"{id(self)}-{number}.pem", self._folder / f"{id(self)}-{number}.key"
        )
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            )
        )
        return issued


def _draft(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: tuple[float, float]
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    start, end = (now + datetime.timedelta(days=day) for day in days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
