"""Writing a request: new, from a look, like another one, changed, or as the undo of a restore."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import reader_zone_name, render
from backups.admin.restore import blocks
from backups.admin.restore.forms import FilingForm, UndoForm, initial_from, initial_from_look
from backups.admin.restore.request import get_request, sentence_of
from backups.admin.snapshot import ShownSnapshots, snapshot_choices, snapshots_of, troubles
from backups.domain.actions import Action
from backups.domain.consequence import SHRINKS
from backups.domain.people import Actor, Capability
from backups.domain.restore import RestoreKind, StartMode
from backups.models import Look, Project, RestoreRequest
from backups.selectors.people import people_with
from backups.selectors.policy import policy_in_force
from backups.selectors.restore_page import find_request, person_name, request_page
from backups.services.restore.draft import Wish, draft_request, draft_undo, edit_request
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.position import refuse_position_beyond_head


@for_people_who_may(Capability.FILE_RESTORE, "GET", "POST")
def file(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The filing form. What is sent becomes a draft, whose page is the preview before it is submitted."""
    if request.method != "POST":
        return _form_page(request, _form(request, initial=_prefill(request)))
    form = _form(request)
    return _save(request, form, lambda wish: draft_request(actor=actor, wish=wish), _FILED, {})


@for_people_who_may(Capability.FILE_RESTORE, "GET", "POST")
def edit(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Changes a request while it is not running; votes on what it said before lapse."""
    found = get_request(pk)
    refusal = request_page(found, actor).actions[Action.EDIT].refusal
    if refusal:
        messages.error(request, refusal)
        return redirect("ops:request", pk=pk)
    about = {"edited": found, "band": blocks.band_of(found.branch)}
    zone = reader_zone_name(request)
    if request.method != "POST":
        return _form_page(request, _form(request, initial=initial_from(found, zone)), about)
    return _save(
        request,
        _form(request, found),
        lambda wish: edit_request(actor=actor, request_id=pk, wish=wish),
        "Changed. The facts are gathered again." if found.submitted_at else "Changed.",
        about,
    )


@for_people_who_may(Capability.FILE_RESTORE, "GET", "POST")
def undo(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The undo of a restore, filled in from it."""
    found = get_request(pk)
    form = UndoForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _undo_page(request, actor, found, form)
    mode = StartMode(form.cleaned_data["start_mode"])
    try:
        undoing = draft_undo(actor=actor, request_id=pk, reason=form.cleaned_data["reason"], start_mode=mode)
    except InvalidInput as invalid:
        for name, sentence in invalid.errors.items():
            form.add_error(name if name in form.fields else None, sentence)
        return _undo_page(request, actor, found, form)
    except Refused as refused:
        messages.error(request, sentence_of(refused))
        return redirect("ops:request", pk=pk)
    messages.success(request, _FILED)
    return redirect("ops:request", pk=undoing.pk)


_FILED = "Saved as a draft. Read it once more, then submit it."


def _form(request: HttpRequest, edited: RestoreRequest | None = None, *, initial: Any = None) -> FilingForm:
    zone = reader_zone_name(request)
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None and edited is not None and edited.kind == RestoreKind.UNDO:
        # An undo keeps its aim: the page does not ask for these, and the service would not take them.
        fixed = {"kind": "in_place", "point_kind": "lsn", "point_lsn": "0/0", "branch": str(edited.branch_id)}
        data.update(fixed)
    shown = [] if edited is not None and edited.kind == RestoreKind.UNDO else _snapshots()
    form = FilingForm(data, initial=initial, reader_zone=zone, snapshots=snapshot_choices(shown))
    form.troubles = troubles(shown)
    return form


def _snapshots() -> list[ShownSnapshots]:
    """Of every project in care; most portals have one."""
    return [snapshots_of(project) for project in Project.objects.order_by("name")]


def _prefill(request: HttpRequest) -> dict[str, Any]:
    zone = reader_zone_name(request)
    initial: dict[str, Any] = {}
    like = find_request(_number(request.GET.get("like")))
    if like is not None and like.kind != RestoreKind.UNDO:
        initial = initial_from(like, zone)
    look = Look.objects.filter(pk=_number(request.GET.get("look"))).first()
    if look is not None:
        initial |= initial_from_look(look, zone)
    if request.GET.get("kind") in {RestoreKind.IN_PLACE.value, RestoreKind.NEW_BRANCH.value}:
        initial["kind"] = request.GET["kind"]
    if request.GET.get("snapshot"):
        snapshot = RestoreKind.SNAPSHOT.value
        initial |= {"kind": snapshot, "point_kind": snapshot, "snapshot": request.GET["snapshot"]}
    if request.GET.get("branch", "").isdigit():
        initial["branch"] = request.GET["branch"]
    return initial


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _save(request: HttpRequest, form: FilingForm, save: Any, done: str, about: dict[str, Any]) -> HttpResponse:
    wish: Wish | None = form.wish()
    if wish is None:
        return _form_page(request, form, about)
    try:
        refuse_position_beyond_head(wish)
        saved = save(wish)
    except InvalidInput as invalid:
        form.take(invalid.errors)
        return _form_page(request, form, about)
    except Refused as refused:
        form.add_error(None, sentence_of(refused))
        return _form_page(request, form, about)
    messages.success(request, done)
    return redirect("ops:request", pk=saved.pk)


def _form_page(request: HttpRequest, form: FilingForm, about: dict[str, Any] | None = None) -> HttpResponse:
    is_undo = bool(about) and about["edited"].kind == RestoreKind.UNDO  # type: ignore[index]
    context = (
        {"form": form, "is_undo": is_undo, "policy": policy_in_force(), "shrinks": SHRINKS}
        | _who_can_vote(request)
        | (about or {})
    )
    return render(request, "restore/file.html", context, status=422 if form.is_bound else 200)


def _who_can_vote(request: HttpRequest) -> dict[str, Any]:
    """Whoever could decide on a request of this person at present."""
    others = people_with(Capability.VOTE_ON_RESTORE).exclude(pk=request.user.pk or 0)
    return {"voters": [person_name(person) for person in others]}


def _undo_page(request: HttpRequest, actor: Actor, found: RestoreRequest, form: UndoForm) -> HttpResponse:
    page = request_page(found, actor)
    refusal = page.actions[Action.UNDO].refusal
    if refusal:
        messages.error(request, refusal)
        return redirect("ops:request", pk=found.pk)
    context = {"form": form, "page": page, "r": found, "band": blocks.band_of(found.branch)}
    return render(request, "restore/undo.html", context, status=422 if form.is_bound else 200)
