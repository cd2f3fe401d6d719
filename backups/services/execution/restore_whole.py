"""Checks of the branch as a whole, beside those of each of its databases."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from backups.domain.execution import CheckOutcome
from backups.models import CheckResult
from backups.selectors.clock import database_now
from backups.services.execution.claim import hold_run
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run


@dataclass(frozen=True, slots=True)
class Whole:
    """One result about the whole branch; always required."""

    code: str
    title: str
    outcome: CheckOutcome
    sentence: str


def compare_databases(context: StepContext, *, restored: set[str], then: set[str]) -> None:
    """A restore brings all databases of the point back, and no others."""
    store_whole(
        context, _judged(missing=sorted(then - restored), more=sorted(restored - then), both=len(then & restored))
    )


def _judged(*, missing: list[str], more: list[str], both: int) -> Whole:
    code, title = "databases", "The databases of the point are there"
    if missing:
        return Whole(code, title, CheckOutcome.FAILED, f"Missing: {', '.join(missing)}.")
    if more:
        sentence = f"Could not tell: {', '.join(more)} was not there at the point. It may have been made since."
        return Whole(code, title, CheckOutcome.INCONCLUSIVE, sentence)
    return Whole(code, title, CheckOutcome.PASSED, f"{both} of {both}.")


def store_whole(context: StepContext, result: Whole) -> None:
    """Writes the result of this round, once; a resumed run finds it there."""
    run = context.execution
    key = {"execution": run, "review_round": run.review_round, "database": "", "code": result.code, "subject": ""}
    with transaction.atomic():
        hold_run(context.claim)
        row, is_new = CheckResult.objects.get_or_create(
            **key,
            defaults={
                "title": result.title,
                "is_required": True,
                "outcome": result.outcome.value,
                "sentence": result.sentence[:400],
                "ended_at": database_now(),
            },
        )
        if is_new:
            details = {"check": row.code, "check_result": result.outcome.value, "required": True}
            record_run(run, type="execution.check", details=details)
