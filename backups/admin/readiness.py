"""Could we recover? Six subjects from evidence, the duties with their days, and everything that is left to do."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse

from backups.admin.access import for_people_who_may
from backups.admin.drill.forms import text_field
from backups.admin.drill.words import OUTCOME_ICON
from backups.admin.form_parts import PlainForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.duty import DUTIES, Cadence, DoneBy, Duty
from backups.domain.people import Actor, Capability
from backups.models import DutyTask, Project
from backups.selectors.afterwards import open_points, unreviewed, unsigned_records
from backups.selectors.clock import database_now
from backups.selectors.drill_log import open_actions, unsigned_drills
from backups.selectors.readiness import Readiness, Row, readiness
from backups.services.corrective_action import reference_of
from backups.services.duties import refusal_of_word, say_done
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.runbook.render import as_html
from backups.services.runbook.write import file_name, make_runbook, note_read

_STATE = {
    Readiness.READY: ("Ready", "good"),
    Readiness.WEAK: ("Weak", "warn"),
    Readiness.MISSING: ("Missing", "bad"),
    Readiness.UNKNOWN: ("Unknown", "unknown"),
}
_CADENCE = {
    Cadence.ONCE: "Once, to set up",
    Cadence.DAILY: "Each day",
    Cadence.WEEKLY: "Each week",
    Cadence.MONTHLY: "Each month",
    Cadence.YEARLY: "Each year",
}
_LINKS = {"monitor": "ops:monitor", "drills": "ops:drills", "runbooks": ""}
_PAST_SHOWN = 5
#: Opened by a browser after all, the page has its own style and nothing else.
_RUNBOOK_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


class WordForm(PlainForm):
    """What a person says of a duty that the portal can't see."""

    reason = text_field("What was done, and what you saw", rows=3)


@dataclass(frozen=True, slots=True)
class ShownDuty:
    """One duty with its present task and how the last ones went."""

    duty: Duty
    task: DutyTask | None
    words: str
    tone: str
    may_say: bool
    past: list[bool]

    @property
    def icon(self) -> str:
        return OUTCOME_ICON[self.tone]


@for_people_who_may(Capability.READ_PROJECTS)
def show(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The page."""
    now = database_now()
    context = {
        "rows": [_shown_row(row) for row in readiness(now)],
        "groups": duty_groups(actor, now),
        "projects": list(Project.objects.select_related("runbook").order_by("name")),
        **_left_to_do(now),
    }
    return render(request, "readiness.html", context)


@for_people_who_may(Capability.READ_PROJECTS, "GET", "POST")
def say(request: HttpRequest, actor: Actor, code: str) -> HttpResponse:
    """A person says that a duty is done."""
    duty = DUTIES.get(code)
    if duty is None:
        raise Http404
    form = WordForm(request.POST if request.method == "POST" else None, reader_zone=reader_zone_name(request))
    sentence = refusal_of_word(duty, actor)
    if request.method != "POST":
        if sentence is None:
            return _say_page(request, duty, form)
        messages.error(request, sentence)
        return redirect("ops:readiness")
    try:
        say_done(actor=actor, code=code, reason=request.POST.get("reason", ""))
    except InvalidInput as invalid:
        form.is_valid()
        form.errors.clear()
        form.take(invalid)
        return _say_page(request, duty, form)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "Done. Your words are kept with it.")
    return redirect("ops:readiness")


@for_people_who_may(Capability.READ_PROJECTS)
def runbook(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The project's runbook as of now, to be printed or put onto another machine."""
    project = Project.objects.filter(pk=pk).first()
    if project is None:
        raise Http404
    made = make_runbook(project)
    content = as_html(made.runbook).encode()
    if request.method == "GET":
        note_read(actor=actor, made=made, content=content)
    response = HttpResponse(content, content_type="text/html; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(project)}"'
    response.headers["Content-Security-Policy"] = _RUNBOOK_POLICY
    return response


def duty_groups(actor: Actor, now: dt.datetime) -> list[tuple[str, list[ShownDuty]]]:
    """Duties by how often they come."""
    tasks: dict[str, list[DutyTask]] = {code: [] for code in DUTIES}
    for task in DutyTask.objects.select_related("reason").order_by("-period_from")[:2000]:
        if len(tasks.get(task.code, [None] * 99)) <= _PAST_SHOWN:
            tasks[task.code].append(task)
    shown = [_shown_duty(duty, tasks[duty.code], actor, now) for duty in DUTIES.values()]
    return [(words, [each for each in shown if each.duty.cadence is cadence]) for cadence, words in _CADENCE.items()]


def _shown_duty(duty: Duty, tasks: list[DutyTask], actor: Actor, now: dt.datetime) -> ShownDuty:
    task = tasks[0] if tasks else None
    words, tone = _duty_state(duty, task, now)
    is_open = task is None or task.done_at is None
    return ShownDuty(
        duty=duty,
        task=task,
        words=words,
        tone=tone,
        may_say=is_open and refusal_of_word(duty, actor) is None,
        past=[each.done_at is not None for each in tasks[1:]],
    )


def _duty_state(duty: Duty, task: DutyTask | None, now: dt.datetime) -> tuple[str, str]:
    if task is None:
        return "The worker has not looked yet", "unknown"
    if task.done_at is not None:
        return ("Seen" if task.done_by == DoneBy.SEEN else f"{task.done_by_name} says so"), "good"
    if now >= task.due_at:
        return ("Overdue" if duty.cadence is Cadence.ONCE else "The worker has not looked lately"), "bad"
    return "To do", "info"


def _shown_row(row: Row) -> dict[str, Any]:
    words, tone = _STATE[row.state]
    return {"row": row, "words": words, "tone": tone, "icon": OUTCOME_ICON[tone], "url": _url(row.link)}


def _url(link: str) -> str:
    if link == "runbooks":
        return "#r-runbooks"
    try:
        return reverse(_LINKS.get(link, link)) if link else ""
    except NoReverseMatch:
        return ""


def _left_to_do(now: dt.datetime) -> dict[str, Any]:
    return {
        "points": list(open_points()),
        "reviews": list(unreviewed()),
        "records": list(unsigned_records()),
        "unsigned": list(unsigned_drills()),
        "actions": [{"action": each, "reference": reference_of(each)} for each in open_actions()],
        "today": now.astimezone(dt.UTC).date(),
    }


def _say_page(request: HttpRequest, duty: Duty, form: WordForm) -> HttpResponse:
    return render(request, "readiness_say.html", {"duty": duty, "form": form}, status=422 if form.is_bound else 200)
