"""Signs webhooks as Standard Webhooks describes it (standardwebhooks.com), so that receivers find a library for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"


def signature_headers(*, secret: str, message_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """The three headers. A receiver refuses old timestamps and drops ids that it has seen.

    A secret that begins with `whsec_` is base64, as the specification writes them; any other is taken as it is.
    Raises ValueError for a secret of that form which is no base64.
    """
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None
