"""The exact bytes of an event: JSON in the canonical form of RFC 8785, within limits that every reader can keep.

The bytes are what is hashed and signed, so anything that two JSON libraries could read differently is
refused: floats, integers beyond 2^53-1, U+0000 (PostgreSQL's text cannot hold it) and lone surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rfc8785

from backups.ledger.errors import NotCanonical

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"

# One entry of a tile-based log carries a 16-bit length; 60 KiB leaves room for a wrapper around the entry.
MAX_ENTRY_BYTES = 60 * 1024


def canonical_bytes(value: JSON) -> bytes:
    """The one byte string that stands for this value. Raises NotCanonical."""
    try:
        entry = rfc8785.dumps(_checked(value))
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(f"This value has no canonical form: {error}.") from None
    if len(entry) > MAX_ENTRY_BYTES:
        raise NotCanonical(f"The entry has {len(entry)} bytes; at most {MAX_ENTRY_BYTES} fit. Refer to it by its hash.")
    return entry


def _checked(value: JSON) -> JSON:
    if isinstance(value, str):
        return _checked_text(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Mapping):
        return {_checked_text(key): _checked(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(member) for member in value]
    raise NotCanonical(f"A value of type {type(value).__name__} cannot be written; use text, integers, lists or maps.")


def _checked_text(text: str) -> str:
    if not isinstance(text, str):
        raise NotCanonical("The keys of a map are text.")
    if "\x00" in text:
        raise NotCanonical("Text with the character U+0000 cannot be stored.")
    return text
