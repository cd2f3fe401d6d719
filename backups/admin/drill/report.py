"""The report of one drill: live while it runs, and good on paper afterwards."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from backups.admin.access import for_people_who_may
from backups.admin.charts import stage_bar
from backups.admin.drill import words
from backups.admin.drill.acts import offered
from backups.admin.drill.figures import figures_of, stages_of
from backups.admin.frame import render, render_moving
from backups.admin.progress import Progress, elapsed, progress_of
from backups.admin.restore.blocks import Band, band_of
from backups.admin.words import OUTCOME, OUTCOME_TONE, SCENARIO
from backups.domain.drill import DrillState, DrillType, FindingSeverity, PointChoice
from backups.domain.drill_actions import DrillAction
from backups.domain.execution import CheckOutcome, Purpose
from backups.domain.people import Actor, Capability
from backups.domain.policy import Environment
from backups.domain.restore import Scenario
from backups.models import CheckResult, Drill, Execution
from backups.selectors.drill_actions import allowed_on_drill
from backups.selectors.drill_report import DrillReport, drill_report, find_drill, run_of
from backups.selectors.progress import usual_times
from backups.services.corrective_action import may_change, reference_of

MOVING = frozenset({DrillState.WAITING, DrillState.RUNNING})


@for_people_who_may(Capability.READ_DRILLS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The report."""
    report = drill_report(get_drill(pk))
    return render(request, "drill/report.html", report_context(report, actor))


@for_people_who_may(Capability.READ_DRILLS)
def live(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The moving part of a drill that runs."""
    drill = get_drill(pk)
    context = moving_context(drill, run_of(drill) if drill.is_automatic else None)
    replaces = bool(context["show_progress"])
    return render_moving(request, "restore/live.html", context, mark=drill.state, replaces=replaces)


def get_drill(pk: int) -> Drill:
    """The drill, or a 404."""
    drill = find_drill(pk)
    if drill is None:
        raise Http404
    return drill


def report_context(report: DrillReport, actor: Actor) -> dict[str, Any]:
    """Everything on the page except the frame."""
    return (
        _head(report)
        | _measured(report)
        | _people(report, actor)
        | moving_context(report.drill, report.run)
        | {
            "offered": offered(actor, report.drill),
            "may_cancel": DrillAction.CANCEL_DRILL in allowed_on_drill(actor, report.drill),
            "can_read_ledger": actor.may(Capability.READ_LEDGER),
        }
    )


def moving_context(drill: Drill, run: Execution | None) -> dict[str, Any]:
    """What the steps of a run need, on the page and when they are fetched alone."""
    is_moving = drill.is_automatic and DrillState(drill.state) in MOVING
    progress = progress_of(run, usual_times(Purpose.DRILL) if is_moving else None) if run else None
    now = timezone.now()
    since = progress.waiting_since if progress else None
    return {
        "drill": drill,
        "progress": progress,
        "is_moving": is_moving,
        "show_progress": is_moving and progress is not None,
        "refresh_seconds": 2 if is_moving else 0,
        "now_words": "This drill is running" if drill.state == DrillState.RUNNING else "This drill waits for its turn",
        "elapsed": elapsed(progress.began_at, now) if progress else "",
        "waiting_seconds": (now - since).total_seconds() if since else 0,
    }


def band_of_drill(drill: Drill) -> Band:
    """The strip of the drill's branch; a whole project counts as production."""
    if drill.branch is not None:
        return band_of(drill.branch)
    return Band(Environment.PRODUCTION, drill.project.is_sandbox, drill.project.name)


def _head(report: DrillReport) -> dict[str, Any]:
    drill = report.drill
    return {
        "report": report,
        "band": band_of_drill(drill),
        "state": words.state_of(drill),
        "type_words": words.TYPE_SHORT[DrillType(drill.type)],
        "scenario_words": SCENARIO[Scenario(drill.scenario)],
        "point_words": words.POINT[PointChoice(drill.point_choice)] if drill.point_choice else "",
        "is_over": drill.state in {DrillState.ENDED, DrillState.CANCELLED},
    }


def _measured(report: DrillReport) -> dict[str, Any]:
    stages = stages_of(report.drill)
    own = report.drill.plan_facts.get("own_checks", [])
    statements = {each["title"]: each["statement"] for each in own}
    checks = [_shown_check(check, statements) for check in report.checks]
    return {
        "figures": figures_of(report.drill),
        "stages": stages,
        "stage_chart": stage_bar([(stage.code, stage.seconds or 0) for stage in stages[1:]]),
        "checks": checks,
        "checks_passed": sum(check["outcome"] == CheckOutcome.PASSED for check in checks),
        "steps": _steps(report),
        "copies": list(report.run.drill.owned_branches.all()) if report.run and report.run.drill else [],
    }


def _steps(report: DrillReport) -> Progress | None:
    return progress_of(report.run) if report.run else None


def _shown_check(check: CheckResult, statements: dict[str, str]) -> dict[str, Any]:
    outcome = CheckOutcome(check.outcome) if check.outcome else None
    tone = OUTCOME_TONE[outcome] if outcome else "plain"
    return {
        "check": check,
        "outcome": outcome,
        "tone": tone,
        "words": OUTCOME[outcome] if outcome else "Not made",
        "icon": words.OUTCOME_ICON[tone],
        # Many titles name their table, and the name of a check of one's own says nothing to people.
        "shows_subject": bool(check.subject) and check.subject not in check.title and "statement" not in check.figures,
        "statement": check.figures.get("statement") or statements.get(check.title, ""),
    }


def _people(report: DrillReport, actor: Actor) -> dict[str, Any]:
    return {
        "findings": [
            {
                "finding": each,
                "words": words.SEVERITY[FindingSeverity(each.severity)],
                "tone": words.SEVERITY_TONE[FindingSeverity(each.severity)],
            }
            for each in report.findings
        ],
        "actions": [
            {"action": each, "reference": reference_of(each), "may_change": may_change(each, actor)}
            for each in report.actions
        ],
        "today": timezone.now().date(),
    }
