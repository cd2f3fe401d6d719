"""From the rows of a drill's checks to what the verdict looks at."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.drill_verdict import Judged, Measured
from backups.domain.execution import CheckOutcome
from backups.models import CheckResult, Drill, Execution
from backups.services.drill.outcome import Counted
from backups.services.execution.context import StepContext
from backups.services.execution.drill_frame import drill_of, trouble_of

CANARY, NEWEST_ROW = "canary", "newest_row"


def counted_checks(run: Execution) -> Counted:
    """How the checks went, and the measured age of the newest data at the point: by the canary where there is one."""
    rows = list(CheckResult.objects.filter(execution=run))
    by_canary = _ages(rows, CANARY)
    ages = by_canary or _ages(rows, NEWEST_ROW)
    return Counted(
        rpo_milliseconds=min(ages, default=None),
        rpo_is_exact=bool(by_canary) if ages else None,
        checks={
            word.value: sum(row.outcome == word.value for row in rows)
            for word in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE)
        },
    )


def counts_of(checks: Mapping[str, int]) -> str:
    """`12 passed, 1 failed`."""
    return ", ".join(f"{count} {word}" for word, count in checks.items() if count) or "none"


def measured(context: StepContext) -> Measured:
    """Everything that the verdict looks at, read when the drill is about to end."""
    drill = Drill.objects.get(pk=drill_of(context).pk)
    rows = list(CheckResult.objects.filter(execution=context.execution))
    newest = [row for row in rows if row.code == NEWEST_ROW]
    return Measured(
        checks=[
            Judged(_title(row), row.is_required, CheckOutcome(row.outcome) if row.outcome else None) for row in rows
        ],
        trouble=trouble_of(context),
        rto_milliseconds=drill.rto_milliseconds,
        elapsed_milliseconds=int(context.memory.get("stopped_milliseconds", 0)),
        rto_objective_seconds=drill.rto_objective_seconds or 0,
        rpo_milliseconds=drill.rpo_milliseconds,
        rpo_is_exact=bool(drill.rpo_is_exact),
        nothing_newer=bool(newest) and all(row.outcome == CheckOutcome.PASSED for row in newest),
        rpo_objective_seconds=drill.rpo_objective_seconds,
    )


def _title(row: CheckResult) -> str:
    return f"{row.title} ({row.database})" if row.database else str(row.title)


def _ages(rows: list[CheckResult], code: str) -> list[int]:
    """Milliseconds; the newest of several databases counts, as writes to any of them show that the point was held."""
    found = [row.figures.get("rpo_seconds") for row in rows if row.code == code and row.outcome is not None]
    return [max(0, round(float(age) * 1000)) for age in found if age is not None]
