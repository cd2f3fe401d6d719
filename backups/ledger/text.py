"""What people wrote: kept beside the ledger, which holds only a salted hash of it.

Erasing text and salt together removes the words for good and leaves every hash in the ledger valid.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from backups.domain.sensitive import Kind, kinds_in
from backups.ledger.errors import TextRefused

SALT_BYTES = 32
MAX_TEXT_CHARACTERS = 10_000
_TAKE_IT_OUT = "Take it out and send it again."


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text, the salt it was hashed with and the commitment that the ledger holds."""

    text: str
    salt: str
    commitment: str


def seal_text(text: str, *, confirmed: Collection[Kind] = ()) -> SealedText:
    """Draws a salt and commits to the text. Raises TextRefused as check_words does."""
    check_words(text, confirmed=confirmed)
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
        raise TextRefused(f"The text seems to contain {found}. Nothing was saved. {_TAKE_IT_OUT}")


def check_words(text: str, *, confirmed: Collection[Kind] = ()) -> None:
    """As check_text. Refuses also what looks like a patient's data, but for the kinds that its writer says it is not.

    `confirmed`: these kinds. Pages ask for them before anything is done, so this is for ways around the pages.
    """
    check_text(text)
    unconfirmed = sorted(kinds_in(text) - frozenset(confirmed))
    if unconfirmed:
        raise TextRefused(f"The text seems to contain {unconfirmed[0].words}. Nothing was saved. {_TAKE_IT_OUT}")


def secret_in(text: str) -> str:
    """What kind of secret the text seems to hold, or an empty string."""
    found = sorted(kind for kind in kinds_in(text) if kind.is_secret)
    return found[0].words if found else ""
