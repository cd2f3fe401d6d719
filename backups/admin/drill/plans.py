"""Plans of drills: made, changed, retired, run now; and when they are due, in words and as times."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.drill import words
from backups.admin.drill.overview import drill_row
from backups.admin.drill.plan_forms import CheckRows, PlanForm, PreviewedSchedule
from backups.admin.drill.report import get_drill
from backups.admin.frame import reader_zone_name, render
from backups.admin.restore.blocks import band_of
from backups.admin.words import SCENARIO
from backups.domain.consequence import span
from backups.domain.drill import PointChoice, ScheduleKind
from backups.domain.people import Actor, Capability
from backups.domain.restore import Scenario
from backups.models import DrillPlan
from backups.selectors.clock import database_now
from backups.selectors.drill import standing_of
from backups.selectors.drill_actions import allowed_on_branch, allowed_on_plan
from backups.selectors.drill_list import drills_of_plan, missed_of_plan
from backups.services.drill.check_words import built_in_checks, operator_words
from backups.services.drill.plans import change_plan, create_plan, retire_plan
from backups.services.drill.run import cancel_drill, run_plan_now
from backups.services.drill.schedule import Scheduled, cron_problem, cron_words, next_times
from backups.services.restore.errors import InvalidInput, Refused


@dataclass(frozen=True, slots=True)
class ShownSchedule:
    """When, in words, and the next times in UTC."""

    words: str
    times: list[dt.datetime]


@for_people_who_may(Capability.READ_DRILLS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """One plan: what it rehearses and when, what came of it, and Run now."""
    plan = _get(pk)
    now = database_now()
    left_out = dict(built_in_checks())
    context = {
        "plan": plan,
        "band": band_of(plan.branch),
        "proof": words.proof_words(standing_of(plan.branch, now=now), now),
        "schedule": shown_schedule(plan, now),
        "point_words": words.POINT[PointChoice(plan.point_choice)],
        "scenario_words": SCENARIO[Scenario(plan.scenario)],
        "own_checks": [(check, operator_words(check.operator)) for check in plan.own_checks.all()],
        "left_out": [left_out.get(code, code) for code in plan.left_out_checks],
        "drills": [drill_row(drill) for drill in drills_of_plan(plan)],
        "missed": list(missed_of_plan(plan)),
        "can": {action.value for action in allowed_on_plan(actor, plan)},
        "can_on_branch": {action.value for action in allowed_on_branch(actor, plan.branch)},
        "canary": getattr(plan.branch, "canary", None),
    }
    return render(request, "drill/plan.html", context)


@for_people_who_may(Capability.MANAGE_DRILL_PLANS, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Makes a plan."""
    return _edit(request, actor, None)


@for_people_who_may(Capability.MANAGE_DRILL_PLANS, "GET", "POST")
def edit(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Changes a plan. What ran keeps the plan as it was."""
    return _edit(request, actor, _get(pk))


@for_people_who_may(Capability.MANAGE_DRILL_PLANS, "POST")
def retire(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Takes a plan out of use."""
    _get(pk)
    try:
        retire_plan(actor=actor, plan_id=pk, reason=request.POST.get("reason", "").strip()[:2000])
    except (Refused, InvalidInput) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "Retired. No drill of it begins any more; the branch's proof fades by itself.")
    return redirect("ops:plan", pk=pk)


@for_people_who_may(Capability.RUN_DRILL, "POST")
def run(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Begins a drill of the plan now and shows it."""
    _get(pk)
    try:
        drill = run_plan_now(actor=actor, plan_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect("ops:plan", pk=pk)
    return redirect("ops:drill", pk=drill.pk)


@for_people_who_may(Capability.RUN_DRILL, "POST")
def cancel(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Ends an automatic drill early."""
    get_drill(pk)
    try:
        cancel_drill(actor=actor, drill_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "It ends now. A copy that was made is removed first.")
    return redirect("ops:drill", pk=pk)


def shown_schedule(plan: Scheduled, now: dt.datetime) -> ShownSchedule:
    """`At 03:00 on Monday, in UTC` and the next five times."""
    kind = ScheduleKind(plan.schedule_kind)
    if kind is ScheduleKind.BY_HAND:
        return ShownSchedule("Only when somebody presses Run now", [])
    if kind is ScheduleKind.CRON:
        if cron_problem(plan.cron):
            return ShownSchedule(cron_problem(plan.cron), [])
        return ShownSchedule(f"{cron_words(plan.cron)}, in UTC", next_times(plan, now))
    if not plan.interval_seconds:
        return ShownSchedule("Say how many minutes apart.", [])
    return ShownSchedule(f"Every {span(plan.interval_seconds)}", next_times(plan, now))


def _get(pk: int) -> DrillPlan:
    plan = DrillPlan.objects.select_related("branch__project", "branch__canary").filter(pk=pk).first()
    if plan is None:
        raise Http404
    return plan


def _edit(request: HttpRequest, actor: Actor, plan: DrillPlan | None) -> HttpResponse:
    form = _form(request, plan)
    rows = CheckRows(plan, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _form_page(request, plan, form, rows)
    is_valid = all([form.is_valid(), rows.is_valid()])
    if "preview" in request.POST:
        when = shown_schedule(PreviewedSchedule(form, database_now()), database_now())
        form.errors.clear()
        return _form_page(request, plan, form, rows, schedule=when, status=200)
    if not is_valid:
        return _form_page(request, plan, form, rows)
    return _store(request, actor, plan, form, rows)


def _store(request: HttpRequest, actor: Actor, plan: DrillPlan | None, form: PlanForm, rows: CheckRows) -> HttpResponse:
    wish = form.wish(rows)
    try:
        stored = change_plan(actor=actor, plan_id=plan.pk, wish=wish) if plan else create_plan(actor=actor, wish=wish)
    except InvalidInput as invalid:
        rows.take(invalid)
        form.take(InvalidInput({name: words for name, words in invalid.errors.items() if name != "own_checks"}))
        return _form_page(request, plan, form, rows)
    except Refused as refused:
        form.add_error(None, refused.sentence)
        return _form_page(request, plan, form, rows)
    messages.success(request, "The plan is saved. Drills that ran keep the plan as it was then.")
    return redirect("ops:plan", pk=stored.pk)


def _form(request: HttpRequest, plan: DrillPlan | None) -> PlanForm:
    zone = reader_zone_name(request)
    if request.method == "POST":
        return PlanForm(request.POST, plan=plan, reader_zone=zone)
    form = PlanForm(plan=plan, reader_zone=zone)
    if plan is None:
        form.initial["branch"] = request.GET.get("branch", "")
    return form


def _form_page(
    request: HttpRequest,
    plan: DrillPlan | None,
    form: PlanForm,
    rows: CheckRows,
    *,
    schedule: ShownSchedule | None = None,
    status: int | None = None,
) -> HttpResponse:
    context = {"form": form, "rows": rows, "edited": plan, "schedule": schedule}
    return render(request, "drill/plan_form.html", context, status=status or (422 if form.is_bound else 200))
