"""Over TLS: who is trusted, and that the deadline holds there too."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backups.neon import errors, transport
from tests.neon.over_sockets import AUTH, BRIEF_SECONDS, CHANGED, Connect, ends_soon, restore
from tests.neon.scripted_server import Peer, after_request, answers, http, scripted_server


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path / "right.pem", "127.0.0.1")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test choose the trusted authorities by setting certifi.where."""
    transport._tls.cache_clear()
    yield monkeypatch
    transport._tls.cache_clear()


def test_a_certificate_that_nobody_vouches_for_ends_it_before_the_key_is_sent(
    connect: Connect, certificate: Path
) -> None:
    with scripted_server(answers(http(200, CHANGED)), tls=server_side(certificate)) as server:
        with pytest.raises(errors.NeonUnavailable, match="no connection"):
            restore(connect(server.url))
        assert server.connections == 1
        assert server.requests == []


def test_a_trusted_certificate_of_another_host_is_not_enough(
    connect: Connect, tmp_path: Path, trusted: pytest.MonkeyPatch
) -> None:
    other = self_signed(tmp_path / "other.pem", "127.0.0.2")
    trusted.setattr(certifi, "where", lambda: str(other))
    with scripted_server(answers(http(200, CHANGED)), tls=server_side(other)) as server:
        with pytest.raises(errors.NeonUnavailable, match="no connection"):
            restore(connect(server.url))
        assert server.requests == []


def test_a_trusted_certificate_of_this_host_is_accepted(
    connect: Connect, certificate: Path, trusted: pytest.MonkeyPatch
) -> None:
    trusted.setattr(certifi, "where", lambda: str(certificate))
    with scripted_server(answers(http(200, AUTH)), tls=server_side(certificate)) as server:
        client = connect(server.url)
        assert [client.auth().account_id, client.auth().account_id] == ["acc", "acc"]
        assert server.connections == 1


def test_session_keys_are_not_written_where_the_environment_says(
    connect: Connect, certificate: Path, trusted: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    trusted.setattr(certifi, "where", lambda: str(certificate))
    with scripted_server(answers(http(200, AUTH)), tls=server_side(certificate)) as server:
        connect(server.url).auth()
    assert not (tmp_path / "keys").exists()


def test_a_drip_inside_tls_is_cut(connect: Connect, certificate: Path, trusted: pytest.MonkeyPatch) -> None:
    def drip(peer: Peer) -> None:
        peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 5000)

    trusted.setattr(certifi, "where", lambda: str(certificate))
    with scripted_server(after_request(drip), tls=server_side(certificate)) as server, ends_soon():
        client = connect(server.url, total_seconds=BRIEF_SECONDS)
        with pytest.raises(errors.OutcomeUnknown):
            restore(client)
        assert len(server.requests) == 1


def server_side(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def self_signed(pem: Path, address: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return pem
