"""Who is told of drills. Names of ours, counts and times; nothing that was written freely, and no value of a row."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User

from backups.domain.drill import DrillOutcome
from backups.domain.notification import Severity, Subject, SubjectKind, Topic
from backups.domain.people import Role
from backups.models import Drill, DrillPlan
from backups.services.notification.alert import alert

_ROLES = (Role.ENGINEER, Role.MANAGER)
_ENDINGS: dict[DrillOutcome, tuple[Topic, Severity, str]] = {
    DrillOutcome.PASSED: (Topic.DRILL_PASSED, Severity.NOTICE, "passed"),
    DrillOutcome.FAILED: (Topic.DRILL_FAILED, Severity.CRITICAL, "FAILED"),
    DrillOutcome.INCONCLUSIVE: (Topic.DRILL_INCONCLUSIVE, Severity.WARNING, "was inconclusive: it proves nothing"),
}


def tell_ended(drill: Drill) -> int:
    """How an automatic drill ended. A good one ends the trouble that earlier ones of its plan told of."""
    outcome = DrillOutcome(drill.outcome or DrillOutcome.INCONCLUSIVE)
    topic, severity, words = _ENDINGS[outcome]
    asked_by = [drill.asked_by] if drill.asked_by is not None else []
    return alert(
        topic=topic,
        subject=_subject(drill.reference, drill.plan, drill),
        severity=severity,
        text=f"{drill.reference}: the drill of {_branch_of(drill)} {words}. The page has the checks and the times.",
        link_path=f"/drills/{drill.pk}/",
        people=[person for person in asked_by if isinstance(person, User)],
        roles=() if outcome is DrillOutcome.PASSED else _ROLES,
        occasion=f"{drill.reference}:ended",
        resolves=outcome is DrillOutcome.PASSED,
    )


def tell_missed(plan: DrillPlan, *, due: list[dt.datetime], why: str) -> int:
    """Planned times that passed without a drill; one message for a run of them."""
    times = f"{due[0]:%Y-%m-%d %H:%M} UTC" if len(due) == 1 else f"{len(due)} planned times"
    return alert(
        topic=Topic.DRILL_MISSED,
        subject=_subject(f"plan-{plan.pk}", plan, None),
        severity=Severity.WARNING,
        text=f"The drill of {plan.branch.project.name} {plan.branch.name} was missed ({times}). {why}",
        link_path="/drills/",
        roles=_ROLES,
        occasion=f"missed:{due[-1].isoformat()}",
    )


def _subject(reference: str, plan: DrillPlan | None, drill: Drill | None) -> Subject:
    project = drill.project if drill is not None else plan.branch.project if plan is not None else None
    return Subject(
        kind=SubjectKind.DRILL,
        reference=reference,
        identity=f"plan-{plan.pk}" if plan is not None else reference,
        project=project.neon_project_id if project else "",
        is_sandbox=project.is_sandbox if project else None,
    )


def _branch_of(drill: Drill) -> str:
    return f"{drill.project.name} {drill.branch.name}" if drill.branch else drill.project.name
