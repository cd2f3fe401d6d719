"""The case file of one drill: what its plan asked for then, what was measured, and who signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.case_parts import made_for, shown_events, shown_words
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.consequence import span
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.selectors.case_file.drill import DrillCase, drill_case
from backups.services.reading import record_reading


@for_people_who_may(Capability.READ_LEDGER)
def drill(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Plan, measurements, what came of it, and who signed."""
    case = drill_case(pk)
    if case is None:
        raise Http404("There is no such drill.")
    target = Target(kind="drill", id=case.drill.reference, project=case.drill.project.neon_project_id)
    record_reading(actor=actor, page="case_file", target=target)
    return render(request, "audit/case_drill.html", _of_drill(actor, case))


def _of_drill(actor: Actor, case: DrillCase) -> dict[str, object]:
    drill = case.drill
    return {
        "tabs": audit_tabs(actor, "cases"),
        "case": case,
        "made": made_for(actor),
        "plan_facts": plan_in_words(drill.plan_facts),
        "drill": drill,
        "story": shown_words(drill.story),
        "conclusion": shown_words(drill.conclusion),
        "rto": _seconds(drill.rto_milliseconds),
        "rpo": _seconds(drill.rpo_milliseconds),
        "findings": [(each, shown_words(each.text)) for each in case.findings],
        "actions": [(each, shown_words(each.proof)) for each in case.actions],
        "sign_words": shown_words(case.sign_off.text) if case.sign_off else None,
        "events": shown_events(case.events),
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def plan_in_words(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The plan as it was frozen when the drill began, whatever it says today; what it left empty is left out."""
    own = [(f"Own check “{each['title']}”", _own_check(each)) for each in facts.get("own_checks", [])]
    plain = [(name, value) for name, value in facts.items() if name != "own_checks" and value not in (None, "", [])]
    return [(_label(name), _worded(name, value)) for name, value in plain] + own


def _label(name: str) -> str:
    words = name.removesuffix("_seconds").replace("_", " ").capitalize()
    return words.replace("Rto ", "RTO ").replace("Rpo ", "RPO ")


def _worded(name: str, value: Any) -> str:
    if name.endswith("_seconds"):
        return span(value)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value).replace("_", " ") if name in {"scenario", "point_choice", "schedule_kind"} else str(value)


def _own_check(check: Mapping[str, Any]) -> str:
    """Frozen records of an older form hold less."""
    said = [str(check.get(name) or "") for name in ("database", "statement", "operator", "expected", "expected_to")]
    return " ".join(part for part in said if part) + ("" if check.get("is_required", True) else " (not required)")
