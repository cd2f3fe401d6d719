"""A certificate for the name `localhost` and all below it, signed by itself.

PostgreSQL's clients insist on TLS when they talk to Neon. The standard library speaks TLS and makes no certificates, so
this file does: one key on the curve P-256, one certificate. It protects nothing; both ends are this machine.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from neon_sandbox import times

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_LIFE = timedelta(days=3650)

_SEQUENCE, _SET, _INTEGER, _BITS, _OCTETS, _OID, _TEXT, _TIME = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x0C, 0x18
_EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
_PRIME256V1 = bytes.fromhex("2a8648ce3d030107")
_ECDSA_WITH_SHA256 = bytes.fromhex("2a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("550403")
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")

Point = tuple[int, int]


def ensure_certificate(path: Path) -> Path:
    """The file with key and certificate, made when it is not there."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(new_certificate(times.now()))
    return path


def new_certificate(now: datetime) -> str:
    """Key and certificate in PEM."""
    key = secrets.randbelow(_N - 1) + 1
    public = b"\x04" + b"".join(part.to_bytes(32, "big") for part in _times(key, _G))
    body = _body(public, now)
    certificate = _der(_SEQUENCE, body, _algorithm(_ECDSA_WITH_SHA256), _der(_BITS, b"\x00" + _signature(key, body)))
    return _pem("EC PRIVATE KEY", _private_key(key, public)) + _pem("CERTIFICATE", certificate)


def _body(public: bytes, now: datetime) -> bytes:
    name = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _der(_OID, _COMMON_NAME), _der(_TEXT, b"localhost"))))
    names = _der(_SEQUENCE, *(_der(0x82, entry) for entry in (b"localhost", b"*.localhost")))
    extension = _der(_SEQUENCE, _der(_OID, _SUBJECT_ALT_NAME), _der(_OCTETS, names))
    key = _der(_SEQUENCE, _der(_OID, _EC_PUBLIC_KEY), _der(_OID, _PRIME256V1))
    return _der(
        _SEQUENCE,
        _der(0xA0, _number(2)),
        _number(secrets.randbits(120) | 1),
        _algorithm(_ECDSA_WITH_SHA256),
        name,
        _der(_SEQUENCE, _time(now - timedelta(days=1)), _time(now + _LIFE)),
        name,
        _der(_SEQUENCE, key, _der(_BITS, b"\x00" + public)),
        _der(0xA3, _der(_SEQUENCE, extension)),
    )


def _private_key(key: int, public: bytes) -> bytes:
    return _der(
        _SEQUENCE,
        _number(1),
        _der(_OCTETS, key.to_bytes(32, "big")),
        _der(0xA0, _der(_OID, _PRIME256V1)),
        _der(0xA1, _der(_BITS, b"\x00" + public)),
    )


def _signature(key: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    once = secrets.randbelow(_N - 1) + 1
    r = _times(once, _G)[0] % _N
    return _der(_SEQUENCE, _number(r), _number(pow(once, -1, _N) * (digest + r * key) % _N))


# The curve


def _times(factor: int, point: Point) -> Point:
    result: Point | None = None
    while factor:
        if factor & 1:
            result = point if result is None else _plus(result, point)
        point = _plus(point, point)
        factor >>= 1
    if result is None:
        raise ValueError("no multiple of a point by zero")
    return result


def _plus(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


# DER and PEM


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _number(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _algorithm(identifier: bytes) -> bytes:
    return _der(_SEQUENCE, _der(_OID, identifier))


def _time(moment: datetime) -> bytes:
    return _der(_TIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
