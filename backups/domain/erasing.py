"""Erasing what somebody wrote: why it may be done, in codes, so that the reason repeats nothing of the words."""

from __future__ import annotations

from enum import StrEnum


class ErasureReason(StrEnum):
    """Why words are erased; the value stands in the ledger."""

    PATIENT_DATA = "patient_data"
    OTHER_PERSON = "other_person"
    """Personal data of somebody who is no patient."""
    SECRET = "secret"  # noqa: S105 - the name of a reason
    ORDERED = "ordered"
    """A court or an authority ordered it."""


def hold_sentence(matter: str) -> str:
    """Why nothing may be erased now; empty without a legal hold. `matter`: its name, or an empty string."""
    if not matter:
        return ""
    return f"A legal hold is in force ({matter}), so nothing may be erased. Nothing was changed. Ask your counsel."
