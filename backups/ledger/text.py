"""What people wrote: kept beside the ledger, which holds only a salted hash of it.

Erasing text and salt together removes the words for good and leaves every hash in the ledger valid.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from backups.ledger.errors import TextRefused

SALT_BYTES = 32
MAX_TEXT_CHARACTERS = 10_000

# The shapes of secrets that people paste by mistake. A hit refuses the text; what it cannot know, it lets pass.
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a Neon API key", re.compile(r"\bnapi_[A-Za-z0-9]{8,}")),
    ("a Neon database password", re.compile(r"\bnpg_[A-Za-z0-9]{8,}")),
    ("a token of this portal", re.compile(r"\bccops_[a-z0-9]{8}_[A-Za-z0-9_-]{20,}")),
    ("a connection string with a password", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@]+:[^\s@]+@", re.IGNORECASE)),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a Slack webhook address", re.compile(r"hooks\.slack\.com/services/\S+", re.IGNORECASE)),
    ("a bearer token", re.compile(r"\bbearer\s+[A-Za-z0-9._~+/-]{16,}", re.IGNORECASE)),
    ("a US social security number", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
)


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text, the salt it was hashed with and the commitment that the ledger holds."""

    text: str
    salt: str
    commitment: str


def seal_text(text: str) -> SealedText:
    """Draws a salt and commits to the text. Raises TextRefused as check_text does."""
    check_text(text)
    salt = secrets.token_hex(SALT_BYTES)
    return SealedText(text=text, salt=salt, commitment=commitment_of(text=text, salt=salt))


def commitment_of(*, text: str, salt: str) -> str:
    """`sha256:` and the hash of the salt's bytes followed by the text's UTF-8 bytes."""
    return "sha256:" + hashlib.sha256(bytes.fromhex(salt) + text.encode("utf-8")).hexdigest()


def text_matches(*, text: str, salt: str, commitment: str) -> bool:
    """Whether this is the text that the ledger committed to."""
    return hmac.compare_digest(commitment_of(text=text, salt=salt), commitment)


def check_text(text: str) -> None:
    """Raises TextRefused with a sentence for the person who typed the text."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise TextRefused("The text contains a character that cannot be stored. Type it again without it.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise TextRefused(f"The text has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are kept.")
    found = secret_in(text)
    if found:
        raise TextRefused(f"The text seems to contain {found}. Nothing was saved. Take it out and send it again.")


def secret_in(text: str) -> str:
    """What kind of secret the text seems to hold, or an empty string."""
    return next((kind for kind, pattern in _SECRETS if pattern.search(text)), "")
