"""Starting an approved restore by hand: the last look before data are thrown away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore import blocks
from backups.admin.restore.request import get_request, sentence_of
from backups.admin.words import WRITERS, utc_stamp
from backups.domain.actions import Action
from backups.domain.people import Actor, Capability
from backups.domain.restore import PointKind, RestoreKind, WritersStopped
from backups.models import RestoreRequest
from backups.selectors.restore_page import request_page
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.start import start_request


@for_people_who_may(Capability.START_RESTORE, "GET", "POST")
def start(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Asks whether writers are stopped and for the minutes that are thrown away."""
    found = get_request(pk)
    if request.method != "POST":
        refusal = request_page(found, actor).actions[Action.START].refusal
        if refusal:
            messages.error(request, refusal)
            return redirect("ops:request", pk=pk)
        return _sheet(request, actor, found, {})
    errors, writers, minutes = _read(request)
    if errors or writers is None:
        return _sheet(request, actor, found, errors)
    try:
        start_request(actor=actor, request_id=pk, writers_stopped=writers, minutes=minutes)
    except InvalidInput as invalid:
        return _sheet(request, actor, found, invalid.errors)
    except Refused as refused:
        messages.error(request, sentence_of(refused))
    return redirect("ops:request", pk=pk)


def _read(request: HttpRequest) -> tuple[dict[str, str], WritersStopped | None, int | None]:
    errors: dict[str, str] = {}
    typed, said = request.POST.get("minutes", "").strip(), request.POST.get("writers_stopped", "")
    if typed and not (typed.isascii() and typed.isdigit() and len(typed) < 9):
        errors["minutes"] = "Type the minutes as a whole number."
    if said not in set(WritersStopped):
        errors["writers_stopped"] = "Say whether the applications still write."
    writers = None if errors.get("writers_stopped") else WritersStopped(said)
    return errors, writers, int(typed) if typed and not errors.get("minutes") else None


def _sheet(request: HttpRequest, actor: Actor, found: RestoreRequest, errors: dict[str, str]) -> HttpResponse:
    page = request_page(found, actor)
    said = request.POST.get("writers_stopped", "")
    context: dict[str, Any] = {
        "page": page,
        "r": found,
        "band": blocks.band_of(found.branch),
        "deed": blocks.question(page).rstrip("?"),
        "point_utc": utc_stamp(found.point_at) if found.point_at else "",
        "asks_minutes": RestoreKind(found.kind).overwrites and found.point_kind != PointKind.LSN,
        "writers": [
            (word.value, WRITERS[word], word.value == said) for word in (WritersStopped.YES, WritersStopped.NO)
        ],
        "minutes": request.POST.get("minutes", ""),
        "loss": blocks.loss(page.observed),
        "sessions": page.observed["sessions"]["count"],
        "errors": errors,
    }
    return render(request, "restore/start.html", context, status=422 if errors else 200)
