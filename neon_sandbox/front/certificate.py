"""A certificate for the name `localhost` and all below it, signed by itself.

PostgreSQL's clients insist on TLS when they talk to Neon. It protects nothing: both ends are this machine.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from neon_sandbox import times

_LIFE = timedelta(days=3650)
_NAMES = ("localhost", "*.localhost")


def ensure_certificate(path: Path) -> Path:
    """The file with key and certificate, made when it is not there."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(new_certificate(times.now()))
    return path


def new_certificate(now: datetime) -> bytes:
    """Key and certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in _NAMES]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
