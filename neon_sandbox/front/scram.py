"""The server's side of SCRAM-SHA-256, with and without the binding to the TLS channel (RFC 5802, 7677, 5929)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
_ITERATIONS = 4096


class ScramFailed(Exception):
    """The client does not know the password, or its messages make no sense."""


class Scram:
    """One exchange. `channel` is the hash of the certificate, None without TLS."""

    def __init__(self, password: str, mechanism: str, channel: bytes | None) -> None:
        self._password = password
        self._channel = channel if mechanism == PLUS else None
        self._salt = secrets.token_bytes(16)
        self._header = self._first = self._server_first = ""

    def challenge(self, client_first: str) -> str:
        """The answer to the client's first message."""
        binding, _, rest = client_first.partition(",")
        identity, _, self._first = rest.partition(",")
        if (binding == "p=tls-server-end-point") is not (self._channel is not None):
            raise ScramFailed
        self._header = f"{binding},{identity},"
        nonce = _attribute(self._first, "r") + secrets.token_urlsafe(18)
        self._server_first = f"r={nonce},s={_encoded(self._salt)},i={_ITERATIONS}"
        return self._server_first

    def confirmation(self, client_final: str) -> str:
        """The answer to the client's last message. Raises ScramFailed when the proof is wrong."""
        bare, _, proof = client_final.rpartition(",p=")
        if _attribute(bare, "r") != _attribute(self._server_first, "r") or _attribute(bare, "c") != self._bound():
            raise ScramFailed
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), self._salt, _ITERATIONS)
        client_key = _mac(salted, b"Client Key")
        said = f"{self._first},{self._server_first},{bare}".encode()
        expected = bytes(
            a ^ b for a, b in zip(client_key, _mac(hashlib.sha256(client_key).digest(), said), strict=True)
        )
        if not hmac.compare_digest(_encoded(expected), proof):
            raise ScramFailed
        return f"v={_encoded(_mac(_mac(salted, b'Server Key'), said))}"

    def _bound(self) -> str:
        return _encoded(self._header.encode() + (self._channel or b""))


def _attribute(message: str, name: str) -> str:
    for part in message.split(","):
        if part.startswith(f"{name}="):
            return part[2:]
    raise ScramFailed


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
