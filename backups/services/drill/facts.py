"""A plan as it stands, in JSON: for what changed, and for the record of a drill."""

from __future__ import annotations

from typing import Any

from backups.models import DrillCheck, DrillPlan

#: Fields of the form that are columns of the plan under the same name and hold plain values.
PLAIN = (
    "point_choice",
    "point_age_seconds",
    "row_tolerance_parts_per_million",
    "rto_objective_seconds",
    "rpo_objective_seconds",
    "time_limit_seconds",
    "good_for_seconds",
    "slot_grace_seconds",
)
_COLUMNS = ("name", "scenario", *PLAIN, "left_out_checks", "schedule_kind", "cron", "interval_seconds")
_CHECK = ("title", "database", "statement", "operator", "expected", "expected_to", "is_required")


def plan_facts(plan: DrillPlan) -> dict[str, Any]:
    """Everything that a drill follows."""
    facts = {name: getattr(plan, name) for name in _COLUMNS}
    facts["interval_from"] = plan.interval_from.isoformat() if plan.interval_from else None
    facts["own_checks"] = list(DrillCheck.objects.filter(plan=plan).values(*_CHECK)) if plan.pk else []
    return facts
