"""Safety copies on their pages: asked for, watched, and the daily ones."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.admin.restore.blocks import band_of
from backups.admin.safety_copy.forms import CopyForm, ScheduleForm
from backups.domain.people import Actor, Capability
from backups.domain.safety_copy import CopyKind, CopyState, Origin
from backups.models import Execution, ProtectedBranch, SafetyCopy, SafetySchedule
from backups.selectors.safety_copy import copies, schedules
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy
from backups.services.safety_copy.schedule import DailyCopy, set_schedule

STATE = {
    CopyState.ASKED: ("Being made", "info"),
    CopyState.MADE: ("Made", "good"),
    CopyState.FAILED: ("Failed: there is none", "bad"),
    CopyState.GONE: ("Gone", "plain"),
    CopyState.LEFT: ("Taken over by somebody", "warn"),
}
ORIGIN = {
    Origin.PAGE: "by hand",
    Origin.COMMAND: "by a command",
    Origin.TOKEN: "by a program",
    Origin.SCHEDULE: "daily",
}


@for_people_who_may(Capability.READ_PROJECTS)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The newest copies, and the daily ones that are planned."""
    context = {
        "rows": [shown(copy) for copy in copies()[:100]],
        "schedules": list(schedules()),
        "can_make": actor.is_human and actor.may(Capability.MAKE_SAFETY_COPY),
    }
    return render(request, "safety_copy/list.html", context)


@for_people_who_may(Capability.MAKE_SAFETY_COPY, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Asks for one."""
    form = CopyForm(
        request.POST or None, initial={"branch": request.GET.get("branch", "")}, reader_zone=reader_zone_name(request)
    )

    def do(typed: CopyForm) -> tuple[str, str]:
        data = typed.cleaned_data
        wish = CopyWish(
            branch_id=int(data["branch"]),
            reason=data["reason"],
            kind=CopyKind(data["kind"]) if data["kind"] else None,
            keep_days=data["keep_days"],
        )
        copy = ask_for_safety_copy(actor=actor, wish=wish, origin=Origin.PAGE)
        return reverse("ops:safety-copy", args=[copy.pk]), "Asked for. Begin your work when this page says “Made”."

    page = FormPage(
        title="Make a safety copy",
        button="Make it",
        back=reverse("ops:safety-copies"),
        back_words="Safety copies",
        hint="Made of the branch as it is now; the branch itself is not touched. No approval is needed.",
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.READ_PROJECTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """One copy: whether it is there, and until when."""
    copy = copies().filter(pk=pk).first()
    if copy is None:
        raise Http404
    run = Execution.objects.filter(safety_copy=copy).order_by("-pk").first()
    context = shown(copy) | {
        "band": band_of(copy.branch),
        "waiting_for": run.waiting_for if run and run.state == "active" else "",
        "refresh_seconds": 2 if copy.state == CopyState.ASKED else 0,
        "removals": list(copy.removals.filter(dropped_at__isnull=True)),
        "may_remove": actor.is_human and actor.may(Capability.REMOVE_KEPT) and copy.state == CopyState.MADE,
        "can_file": actor.may(Capability.FILE_RESTORE) and copy.state == CopyState.MADE,
    }
    return render(request, "safety_copy/page.html", context)


@for_people_who_may(Capability.MAKE_SAFETY_COPY, "GET", "POST")
def schedule(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The daily copy of one branch."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=pk).first()
    if branch is None:
        raise Http404
    initial = _initial(SafetySchedule.objects.filter(branch=branch).first())
    form = ScheduleForm(request.POST or None, initial=initial, reader_zone=reader_zone_name(request))
    back = reverse("ops:safety-copies")

    def do(typed: ScheduleForm) -> tuple[str, str]:
        data = typed.cleaned_data
        daily = DailyCopy(
            hour=data["time"].hour,
            minute=data["time"].minute,
            keep_days=data["keep_days"],
            kind=CopyKind(data["kind"]) if data["kind"] else None,
            is_on=data["is_on"],
        )
        set_schedule(actor=actor, branch_id=pk, daily=daily)
        return back, "Saved. Copies that exist keep their own time."

    page = FormPage(
        title=f"Daily safety copy of {branch.name}",
        button="Save",
        back=back,
        back_words="Safety copies",
        hint="Made by the portal, besides Neon's own scheduled snapshots. A time that is missed by six hours is not "
        "made up.",
        more={"band": band_of(branch)},
    )
    return show_or_do(request, page, form, do)


def shown(copy: SafetyCopy) -> dict[str, Any]:
    """A copy and its words."""
    words, tone = STATE[CopyState(copy.state)]
    return {"copy": copy, "state_words": words, "tone": tone, "origin_words": ORIGIN[Origin(copy.origin)]}


def _initial(found: SafetySchedule | None) -> dict[str, Any]:
    if found is None:
        return {"is_on": True, "time": dt.time(2, 30)}
    return {
        "is_on": found.is_on,
        "time": dt.time(found.hour, found.minute),
        "kind": found.kind,
        "keep_days": found.keep_days,
    }
