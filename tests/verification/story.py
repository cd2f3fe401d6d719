"""One history of the synthetic database, and the verification of branches of it."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from dataclasses import replace
from typing import Any

from backups.verification import (
    CheckContext,
    CheckOutcome,
    CheckResult,
    CheckSpec,
    Dsn,
    plan_checks,
    run_check,
)
from demo.traffic import Traffic
from tests.verification.timeline import Node, Timeline

Results = dict[str, CheckResult]

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


class Story:
    """Clients write; `early`, `point` and `late` are moments between their writes; then it is over."""

    def __init__(self, timeline: Timeline, *, rows_between: int = 40) -> None:
        self.timeline = timeline
        with Traffic(timeline.main.dsn, rate_per_second=None) as clients:
            clients.wait_for(rows_between)
            self.early = timeline.now()
            clients.wait_for(rows_between)
            self.point = timeline.now()
            clients.wait_for(rows_between)
            self.late = timeline.now()
            clients.wait_for(rows_between)
        self.ended = timeline.now()
        self.record = clients.record
        self.reference = timeline.copy_at(self.point)
        self.reference.is_kept = True

    def branch(self, point: dt.datetime | None = None, **settings: str) -> tuple[Node, CheckContext]:
        """A branch that a restore to `point` (default: the right one) has left behind, and what it is judged by."""
        submitted_at = self.timeline.now()
        node = self.timeline.copy_at(point or self.point, **settings)
        return node, self.judged(node, submitted_at)

    def judged(self, node: Node, submitted_at: dt.datetime) -> CheckContext:
        return CheckContext(
            branch=Dsn(node.dsn),
            reference=Dsn(self.reference.dsn),
            point_at=self.point,
            submitted_at=submitted_at,
            writable_at=node.execute("SELECT clock_timestamp()")[0][0],
            statistics_settle_seconds=0,
        )


def verify(context: CheckContext, *, only: frozenset[str] = frozenset(), budget_seconds: float = 8.0) -> Results:
    """Runs the plan (or `only` these checks and tables) as a worker does: what has to wait lets others go first.

    Results by code, those of tables by `schema.table`.
    """
    results: Results = {}
    waiting: deque[tuple[CheckSpec, dict[str, Any] | None]] = deque(
        (spec, None) for spec in plan_checks(context) if not only or {spec.code, spec.subject} & only
    )
    while waiting:
        spec, cursor = waiting.popleft()
        outcome = run_check(spec, context, budget_seconds=budget_seconds, cursor=cursor)
        if isinstance(outcome, CheckResult):
            context = context.learn(spec.code, outcome.figures)
            results[spec.subject or spec.code] = outcome
        elif outcome.retry_after_seconds and waiting:
            waiting.append((spec, outcome.cursor))
        else:
            waiting.appendleft((spec, outcome.cursor))
            time.sleep(outcome.retry_after_seconds)
    return results


def verify_only(name: str, context: CheckContext) -> CheckResult:
    """One check by its code or table, with the anchors that it stands on."""
    return verify(context, only=frozenset({"anchors", name}))[name]


def not_passed(results: Results) -> dict[str, tuple[str, str]]:
    """What did not pass, as `name -> (outcome, sentence)`: an empty dict is a clean verification."""
    return {
        name: (result.outcome.value, result.sentence)
        for name, result in results.items()
        if result.outcome is not PASSED
    }


def failures(results: Results) -> set[str]:
    return {name for name, result in results.items() if result.outcome is FAILED}


def whatever_is_deleted(context: CheckContext) -> CheckContext:
    """No deletion by clients needs a look, so that a slow machine, which lets them write longer, changes nothing."""
    return with_policy(context, deleted_rows_limit=1_000_000)


def with_policy(context: CheckContext, **changes: Any) -> CheckContext:
    return replace(context, policy=replace(context.policy, **changes))
