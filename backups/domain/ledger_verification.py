"""A verification of the whole ledger that somebody asked for: where it stands, and what it found."""

from __future__ import annotations

from enum import StrEnum


class VerificationState(StrEnum):
    """Where it stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """It came to a verdict, whatever that is."""
    FAILED = "failed"
    """It came to none, so nothing can be said of the ledger."""


class Verdict(StrEnum):
    """What was found; the auditor's own verifier says the same by its exit status 0, 1 and 2."""

    VERIFIED = "verified"
    ALTERED = "altered"
    UNCLEAR = "unclear"
    """It cannot tell: something is missing, or cannot be read."""


#: By the exit status of the verifier.
VERDICT_OF_STATUS = {0: Verdict.VERIFIED, 1: Verdict.ALTERED, 2: Verdict.UNCLEAR}
