"""A time-stamp authority on a socket: real requests and answers, made by `openssl ts`."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.services.notification.receivers import Receiver, answer, http_receiver

OPENSSL = shutil.which("openssl")
_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {0}/serial
signer_cert = {0}/tsa.pem
certs = {0}/tsa.pem
signer_key = {0}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


@dataclass
class Authority:
    """`reply` turns a request in DER into an answer in DER; `roots` is the PEM file of its root."""

    directory: Path
    url: str = ""

    @property
    def roots(self) -> Path:
        return self.directory / "root.pem"

    def reply(self, request: bytes) -> bytes:
        query, made = self.directory / "query.tsq", self.directory / "reply.tsr"
        query.write_bytes(request)
        self._openssl("-reply", "-config", self.directory / "tsa.cnf", "-queryfile", query, "-out", made)
        return made.read_bytes()

    def over(self, data: bytes) -> bytes:
        """An answer to somebody else's request: over other bytes, or with another nonce."""
        file, query = self.directory / "data", self.directory / "other.tsq"
        file.write_bytes(data)
        self._openssl("-query", "-data", file, "-sha256", "-cert", "-out", query)
        return self.reply(query.read_bytes())

    def _openssl(self, *words: object) -> None:
        subprocess.run([OPENSSL or "openssl", "ts", *map(str, words)], check=True, capture_output=True)


def new_authority(directory: Path, *, days: tuple[int, int] = (-1, 3650)) -> Authority:
    """`days`: from when to when, counted from today, its certificates are valid."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    directory.mkdir()
    root_key, root = _certificate("Test root", days)
    key, certificate = _certificate("Test time stamps", days, issuer=(root_key, root))
    (directory / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (directory / "tsa.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "tsa.key").write_bytes(private)
    (directory / "serial").write_text("01")
    (directory / "tsa.cnf").write_text(_CONFIG.format(directory))
    return Authority(directory)


@contextmanager
def serving(authority: Authority, misbehave: Any = None) -> Iterator[Receiver]:
    """Answers over HTTP on loopback. `misbehave` is a handler of tests.services.notification.receivers."""

    def take(handler: Any, receiver: Receiver) -> None:
        made = authority.reply(receiver.posts[-1].body)
        answer(200, made, Content_Type="application/timestamp-reply")(handler, receiver)

    with http_receiver(misbehave or take) as receiver:
        authority.url = receiver.address
        yield receiver


def _certificate(
    name: str,
    days: tuple[int, int],
    issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signed_by = issuer[0] if issuer else key
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key())
    builder = builder.add_extension(authority_key, critical=False)
    if issuer:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    usages = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=issuer is None, crl_sign=issuer is None, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    return key, builder.add_extension(usages, critical=True).sign(signed_by, hashes.SHA256())
