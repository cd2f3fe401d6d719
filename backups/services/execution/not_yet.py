"""What every run that asks for a copy does while Neon has not made it, and may still."""

from __future__ import annotations

from backups.services.execution.intents import IntentResult, Refused, Waiting
from backups.services.execution.results import Again


def not_yet(result: IntentResult) -> Again | None:
    """The wait that the result asks for; None when it says how the order ended."""
    if isinstance(result, Waiting):
        return Again(after_seconds=result.after_seconds, waiting_for="Neon to show the copy", sentence=result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return Again(
            after_seconds=result.retry_after_seconds,
            waiting_for="Neon to finish other work in this project",
            sentence=result.sentence,
        )
    return None
