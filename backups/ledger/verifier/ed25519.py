"""Ed25519 signatures are checked here as RFC 8032, 5.1.7 tells: slow, and without anything but integers.

There is no signing here and so no secret: how long a check takes tells nobody anything.
"""

from __future__ import annotations

import hashlib
from typing import Optional, Tuple

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

# Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z.
_Point = Tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def signature_holds(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the signature of the message by the owner of the public key (32 bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key = _decoded(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    minus_key = (-key[0] % _P, key[1], key[2], -key[3] % _P)
    return _encoded(_two_products(scalar, _BASE, challenge, minus_key)) == signature[:32]


def _sum(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _two_products(factor: int, point: _Point, other_factor: int, other: _Point) -> _Point:
    """factor * point + other_factor * other, in one pass over the bits of both."""
    added = (_NEUTRAL, point, other, _sum(point, other))
    result = _NEUTRAL
    for bit in range(max(factor.bit_length(), other_factor.bit_length()) - 1, -1, -1):
        result = _sum(result, result)
        chosen = (factor >> bit & 1) | (other_factor >> bit & 1) << 1
        if chosen:
            result = _sum(result, added[chosen])
    return result


def _x_of(y: int, sign: int) -> Optional[int]:
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return x if x & 1 == sign else _P - x


def _decoded(text: bytes) -> Optional[_Point]:
    number = int.from_bytes(text, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> _Point:
    y = 4 * pow(5, _P - 2, _P) % _P
    x = _x_of(y, 0)
    if x is None:
        raise ArithmeticError("the base point lies on the curve")
    return (x, y, 1, x * y % _P)


_BASE = _base()
