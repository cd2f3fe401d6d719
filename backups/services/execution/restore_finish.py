"""Judges the checks: everything required must have passed, or a person decides."""

from __future__ import annotations

from collections import Counter

from backups.domain.execution import CheckOutcome
from backups.domain.restore import RestoreKind
from backups.models import CheckResult, Execution
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run
from backups.services.execution.restore_common import halt
from backups.services.execution.results import Commit, Finished, Halt, StepResult
from backups.services.execution.served import request_of
from backups.services.restore import outcome

_NAMED = 3


def finish(context: StepContext) -> StepResult:
    """Complete only when every required check of this round passed."""
    run = context.execution
    rows = list(CheckResult.objects.filter(execution=run, review_round=run.review_round, before_effect=False))
    required = [row for row in rows if row.is_required]
    if not required:
        return halt("nothing_checked", "No required check was run, so nothing is known about the restored data.")
    failed = [row for row in required if row.outcome == CheckOutcome.FAILED]
    unclear = [row for row in required if row.outcome != CheckOutcome.PASSED and row not in failed]
    counts = Counter(row.outcome for row in rows)
    if failed:
        return _halted("verification_failed", f"{len(failed)} required checks failed: {names_of(failed)}.", counts)
    if unclear:
        sentence = f"{len(unclear)} required checks could not tell: {names_of(unclear)}."
        return _halted("verification_inconclusive", sentence, counts)
    return _complete(context, len(required), counts)


def names_of(rows: list[CheckResult]) -> str:
    """The first few by their titles, and how many more."""
    named = ", ".join(f"{row.title} ({row.subject})" if row.subject else row.title for row in rows[:_NAMED])
    more = len(rows) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def _halted(code: str, sentence: str, counts: Counter[str | None]) -> Halt:
    plain = halt(code, sentence[:400])
    return Halt(code=code, sentence=plain.sentence, commit=_both(_tell(counts), plain.commit))


def _complete(context: StepContext, required: int, counts: Counter[str | None]) -> Finished:
    what = "Restored" if RestoreKind(context.request.kind).overwrites else "The copy is made"
    sentence = f"{what}; all {required} required checks passed."
    details = _figures(counts)

    def commit(run: Execution) -> None:
        outcome.complete(request_id=request_of(run).pk, sentence=sentence, details=details)

    return Finished(outcome_code="completed", sentence=sentence, commit=_both(_tell(counts), commit))


def _tell(counts: Counter[str | None]) -> Commit:
    return lambda run: record_run(run, type="execution.verified", details=_figures(counts))


def _figures(counts: Counter[str | None]) -> dict[str, int]:
    unclear = sum(counts.values()) - counts[CheckOutcome.PASSED] - counts[CheckOutcome.FAILED]
    return {
        "passed": counts[CheckOutcome.PASSED],
        "failed": counts[CheckOutcome.FAILED],
        "inconclusive": unclear,
    }


def _both(first: Commit, second: Commit | None) -> Commit:
    def commit(run: Execution) -> None:
        first(run)
        if second is not None:
            second(run)

    return commit
