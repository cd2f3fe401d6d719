"""As much of PostgreSQL's wire protocol as comes before and around the log-in."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, VERSION_3 = 80877103, 80877104, 80877102, 196608
LARGEST_START_BYTES = 10_000

_AUTHENTICATION, _SASL, _SASL_CONTINUE, _SASL_FINAL, _OK = b"R", 10, 11, 12, 0


class ClientGone(Exception):
    """It closed the connection or talks nonsense; there is nobody to answer."""


class Refused(Exception):
    """Told to the client as PostgreSQL tells a fatal error."""

    def __init__(self, message: str, state: str = "08004") -> None:
        super().__init__(message)
        self.message = message
        self.state = state


@dataclass(frozen=True)
class Start:
    """The first message: which request it is, and for a log-in what is asked for."""

    code: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    cancel_key: tuple[int, int] = (0, 0)


def read_start(connection: socket.socket) -> Start:
    length = struct.unpack("!I", _exactly(connection, 4))[0]
    if not 8 <= length <= LARGEST_START_BYTES:
        raise ClientGone
    body = _exactly(connection, length - 4)
    code = struct.unpack("!I", body[:4])[0]
    if code == CANCEL_REQUEST and len(body) == 12:
        return Start(code, cancel_key=struct.unpack("!II", body[4:]))
    if code >> 16 != 3:
        return Start(code)
    texts = body[4:].rstrip(b"\x00").decode(errors="replace").split("\x00")
    return Start(VERSION_3, dict(zip(texts[::2], texts[1::2], strict=False)))


def read_message(connection: socket.socket) -> bytes:
    """The body of a password message, which is also how the answers to a challenge come."""
    kind, length = struct.unpack("!cI", _exactly(connection, 5))
    if kind != b"p" or not 4 <= length <= LARGEST_START_BYTES:
        raise ClientGone
    return _exactly(connection, length - 4)


def ask_for_sasl(*mechanisms: str) -> bytes:
    return _authentication(_SASL, b"".join(_text(name) for name in mechanisms) + b"\x00")


def go_on_with_sasl(message: str) -> bytes:
    return _authentication(_SASL_CONTINUE, message.encode())


def end_sasl(message: str) -> bytes:
    return _authentication(_SASL_FINAL, message.encode()) + _authentication(_OK, b"")


def read_sasl_start(body: bytes) -> tuple[str, str]:
    """The mechanism chosen and the first message."""
    mechanism, _, rest = body.partition(b"\x00")
    return mechanism.decode(errors="replace"), rest[4:].decode(errors="replace")


def greeting(parameters: Mapping[str, str], cancel_key: tuple[int, int]) -> bytes:
    """What a server says after the log-in: its parameters, the key to cancel with, ready."""
    said = b"".join(_message(b"S", _text(name) + _text(value)) for name, value in parameters.items())
    return said + _message(b"K", struct.pack("!II", *cancel_key)) + _message(b"Z", b"I")


def fatal(refused: Refused) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": refused.state, "M": refused.message}
    return _message(b"E", b"".join(name.encode() + _text(value) for name, value in fields.items()) + b"\x00")


def _authentication(kind: int, body: bytes) -> bytes:
    return _message(_AUTHENTICATION, struct.pack("!I", kind) + body)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _text(value: str) -> bytes:
    return value.encode() + b"\x00"


def _exactly(connection: socket.socket, count: int) -> bytes:
    read = bytearray()
    while len(read) < count:
        chunk = connection.recv(count - len(read))
        if not chunk:
            raise ClientGone
        read += chunk
    return bytes(read)
