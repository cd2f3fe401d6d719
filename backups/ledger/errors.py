"""What the ledger refuses to write.

All of them stop the transaction of the change as well: a governed change without its event does not happen.
"""

from __future__ import annotations


class LedgerError(ValueError):
    """The event was not written, and nothing else of its transaction either."""


class NotCanonical(LedgerError):
    """The value has no exact canonical form, or is too large for one entry."""


class NotInCatalogue(LedgerError):
    """The type, or one of its fields, is not declared in the catalogue."""


class FieldRefused(LedgerError):
    """The value is not of the kind that the catalogue gives this field."""


class TextRefused(LedgerError):
    """The text holds what must never be stored; the message tells its writer what to take out."""
