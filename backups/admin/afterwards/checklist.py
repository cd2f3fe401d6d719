"""What is left to do after a restore: the list, one restore's points, and how each stands."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.forms import KeepForm, PointForm, ReviewActionForm, SetupForm
from backups.admin.afterwards.words import application_figures, point_words, shown_points
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.admin.moments import moment_initial
from backups.admin.restore.blocks import band_of
from backups.domain.afterwards import PointState, missing_sections
from backups.domain.afterwards_rules import review_refusal
from backups.domain.people import Actor, Capability
from backups.models import Checklist, ChecklistPoint, ProtectedBranch
from backups.selectors.afterwards import (
    actions_of,
    kept_state,
    newest_texts,
    open_checklists,
    open_removals,
    progress_of_checklist,
    seen_of,
    unsigned_records,
)
from backups.services.afterwards.actions import add_review_action
from backups.services.afterwards.opening import systems_of
from backups.services.afterwards.points import keep_state_before, settle_point
from backups.services.afterwards.review import situation_of
from backups.services.afterwards.setup import set_up_afterwards
from backups.services.restore.errors import InvalidInput, Refused

_NEWEST = 30


@for_people_who_may(Capability.READ_REQUESTS)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every restore with something left to do, what waits for a second person, and what was closed lately."""
    closed = Checklist.objects.filter(closed_at__isnull=False).select_related(
        "request__branch__project", "record", "branch__project"
    )
    context = {
        "rows": [(each, progress_of_checklist(each)) for each in open_checklists()],
        "records": list(unsigned_records()),
        "removals": list(open_removals()),
        "closed": list(closed.order_by("-closed_at")[:_NEWEST]),
        "can_file": actor.may(Capability.FILE_RETROSPECTIVE),
    }
    return render(request, "afterwards/list.html", context)


@for_people_who_may(Capability.READ_REQUESTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """One restore's points, what the portal sees of the application, and the review's state."""
    checklist = get_checklist(pk)
    review = checklist.review
    texts = newest_texts(review)
    written = {section: str(text.text) for section, text in texts.items()}
    kept = kept_state(checklist)
    context = _about(checklist) | {
        "points": shown_points(checklist),
        "progress": progress_of_checklist(checklist),
        "figures": application_figures(checklist),
        "seen": seen_of(checklist),
        "review": review,
        "missing": len(missing_sections(written)),
        "may_sign": review_refusal(situation_of(review, actor, written)) is None,
        "actions": list(actions_of(checklist)),
        "kept": kept,
        "removals": list(kept.removals.filter(dropped_at__isnull=True)) if kept else [],
        "may_work": actor.is_human and actor.may(Capability.WORK_AFTERWARDS),
        "may_remove": actor.is_human and actor.may(Capability.REMOVE_KEPT),
    }
    return render(request, "afterwards/page.html", context)


@for_people_who_may(Capability.WORK_AFTERWARDS, "GET", "POST")
def point(request: HttpRequest, actor: Actor, pk: int, point_id: int) -> HttpResponse:
    """How one point stands. A plain “Done” comes from the list; everything else from this page's form."""
    found = ChecklistPoint.objects.select_related("checklist", "reason").filter(pk=point_id, checklist=pk).first()
    if found is None:
        raise Http404
    back = reverse("ops:afterwards", args=[pk])
    form = PointForm(request.POST or None, initial={"state": found.state}, reader_zone=reader_zone_name(request))

    def do(typed: PointForm) -> tuple[str, str]:
        data = typed.cleaned_data
        settle_point(actor=actor, point_id=point_id, state=PointState(data["state"]), reason=data["reason"])
        return back, f"Noted: {point_words(found)}."

    page = FormPage(
        title=point_words(found), button="Save", back=back, back_words=found.checklist.reference, more=_about_pk(pk)
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.WORK_AFTERWARDS, "GET", "POST")
def keep(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """How long the state before is kept, and who answers for it."""
    checklist = get_checklist(pk)
    zone, back = reader_zone_name(request), reverse("ops:afterwards", args=[pk])
    initial = moment_initial("until", checklist.kept_until, zone) | {"owner": str(checklist.kept_owner_id or "")}
    form = KeepForm(request.POST or None, initial=initial, reader_zone=zone)

    def do(typed: KeepForm) -> tuple[str, str]:
        data = typed.cleaned_data
        keep_state_before(actor=actor, checklist_id=pk, until=data["until"], owner_id=int(data["owner"]))
        return back, "It is kept until then. Nothing is deleted by itself."

    page = FormPage(
        title="How long is the state before kept?",
        button="Save",
        back=back,
        back_words=checklist.reference,
        hint="On that day its owner is reminded. It is deleted only when two people agree.",
        more=_about(checklist),
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.WORK_AFTERWARDS, "GET", "POST")
def action(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A corrective action of the review."""
    checklist = get_checklist(pk)
    back = reverse("ops:afterwards", args=[pk])
    form = ReviewActionForm(request.POST or None, reader_zone=reader_zone_name(request))

    def do(typed: ReviewActionForm) -> tuple[str, str]:
        data = typed.cleaned_data
        add_review_action(
            actor=actor,
            checklist_id=pk,
            title=data["title"],
            owner_id=int(data["owner"]),
            due_on=data["due_on"],
        )
        return back, "The action was added."

    page = FormPage(
        title="What must be done because of it?",
        button="Add the action",
        back=back,
        back_words=checklist.reference,
        more=_about(checklist),
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.MANAGE_PROJECTS, "GET", "POST")
def setup(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """What is asked about after a restore of this branch."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=pk).first()
    if branch is None:
        raise Http404
    back = reverse("ops:project", args=[branch.project_id])
    initial = {"systems": "\n".join(systems_of(branch.project)), "health_url": branch.health_url}
    form = SetupForm(request.POST or None, initial=initial, reader_zone=reader_zone_name(request))

    def do(typed: SetupForm) -> tuple[str, str]:
        data = typed.cleaned_data
        set_up_afterwards(
            actor=actor, branch_id=pk, systems=data["systems"].splitlines(), health_url=data["health_url"].strip()
        )
        return back, "Saved. Restores from now on ask about this."

    page = FormPage(
        title=f"After a restore of {branch.name}",
        button="Save",
        back=back,
        back_words=branch.project.name,
        more={"band": band_of(branch)},
    )
    return show_or_do(request, page, form, do)


def get_checklist(pk: int) -> Checklist:
    """Raises Http404."""
    found = Checklist.objects.select_related(
        "request__branch__project", "record__branch__project", "branch__project", "review", "kept_owner"
    )
    checklist = found.filter(pk=pk).first()
    if checklist is None:
        raise Http404
    return checklist


def cause_of(checklist: Checklist) -> tuple[str, str]:
    """The restore's name and its page."""
    if checklist.request is not None:
        return checklist.reference, reverse("ops:request", args=[checklist.request_id])
    return checklist.reference, reverse("ops:retrospective", args=[checklist.record_id])


def act(request: HttpRequest, back: str, done: str, do: Any) -> HttpResponse:
    """One press of a button: done, or refused with its sentence."""
    try:
        do()
    except (Refused, InvalidInput) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, done)
    return redirect(back)


def _about(checklist: Checklist) -> dict[str, Any]:
    return {"checklist": checklist, "cause": cause_of(checklist), "band": band_of(checklist.branch)}


def _about_pk(pk: int) -> dict[str, Any]:
    return _about(get_checklist(pk))
