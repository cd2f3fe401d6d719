"""Looks at a past moment: asking for one, and what it shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from backups.admin import words
from backups.admin.access import for_people_who_may
from backups.admin.frame import reader_zone_name, render, render_moving
from backups.admin.moments import MomentError, MomentsForm, read_lsn
from backups.admin.progress import elapsed, progress_of
from backups.admin.restore.blocks import band_of
from backups.admin.restore.forms import branch_choices
from backups.domain.execution import Purpose
from backups.domain.people import Actor, Capability
from backups.domain.restore import PointKind, RestorePoint
from backups.models import Execution, Look, LookState
from backups.selectors.progress import usual_times
from backups.services.look import close_look, note_viewed, open_look
from backups.services.restore.errors import InvalidInput, Refused


class LookForm(MomentsForm):
    """Where and when to look."""

    MOMENTS: ClassVar[dict[str, str]] = {"point": "At which moment?"}

    branch = forms.ChoiceField(label="Branch", error_messages={"required": "Choose the branch."})
    point_lsn = forms.CharField(
        label="Or at a log position", required=False, max_length=20, help_text="It looks like 0/1E19478."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["branch"].choices = [("", "Choose…"), *branch_choices()]  # type: ignore[attr-defined]

    def point(self) -> RestorePoint | None:
        """The moment, or None with a sentence beside the field."""
        if not self.is_valid():
            return None
        if self.cleaned_data["point_lsn"]:
            try:
                return RestorePoint(PointKind.LSN, lsn=read_lsn(self.cleaned_data["point_lsn"]))
            except MomentError as wrong:
                self.refuse("point_lsn", str(wrong))
                return None
        if self.cleaned_data["point"] is None:
            self.refuse("point", "Say at which moment to look.")
            return None
        return RestorePoint(PointKind.TIMESTAMP, at=self.cleaned_data["point"])


@for_people_who_may(Capability.TAKE_LOOK, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Asks for a look."""
    form = LookForm(
        request.POST or None,
        initial={"branch": request.GET.get("branch", "")},
        reader_zone=reader_zone_name(request),
    )
    point = form.point() if request.method == "POST" else None
    if point is None:
        return _form_page(request, form)
    try:
        look = open_look(actor=actor, branch_id=int(form.cleaned_data["branch"]), point=point)
    except InvalidInput as invalid:
        for name, sentence in invalid.errors.items():
            form.refuse(name, sentence)
        return _form_page(request, form)
    except Refused as refused:
        form.add_error(None, refused.sentence)
        return _form_page(request, form)
    return redirect("ops:look", pk=look.pk)


@for_people_who_may(Capability.TAKE_LOOK)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """What the branch held at that moment. That somebody read it is recorded."""
    look = _get(pk)
    if look.state == LookState.READY and look.expires_at > timezone.now():
        note_viewed(actor=actor, look_id=pk)
    return render(request, "look/page.html", _context(look, actor))


@for_people_who_may(Capability.TAKE_LOOK)
def live(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The moving part of a look that is being opened."""
    look = _get(pk)
    context = _context(look, actor)
    replaces = bool(context["show_progress"])
    return render_moving(request, "restore/live.html", context, mark=look.state, replaces=replaces)


@for_people_who_may(Capability.TAKE_LOOK, "POST")
def close(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Ends a look early."""
    _get(pk)
    try:
        close_look(actor=actor, look_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "The look is closed; its copy is removed.")
    return redirect("ops:look", pk=pk)


def _get(pk: int) -> Look:
    look = Look.objects.select_related("branch__project").filter(pk=pk).first()
    if look is None:
        raise Http404
    return look


def _context(look: Look, actor: Actor) -> dict[str, Any]:
    run = Execution.objects.filter(look=look, purpose=Purpose.LOOK).prefetch_related("steps").order_by("-pk").first()
    opening = look.state == LookState.OPENING
    progress = progress_of(run, usual_times(Purpose.LOOK) if opening else None) if run else None
    now = timezone.now()
    return {
        "look": look,
        "band": band_of(look.branch),
        "point_utc": words.utc_stamp(look.point_at) if look.point_at else f"log position {look.point_lsn}",
        "is_over": look.state == LookState.CLOSED or look.expires_at <= now,
        "progress": progress,
        "show_progress": opening and progress is not None,
        "refresh_seconds": 2 if opening else 0,
        "elapsed": elapsed(look.created_at, now),
        "now_words": "Opening a copy",
        "waiting_seconds": (now - progress.waiting_since).total_seconds() if progress and progress.waiting_since else 0,
        "databases": _databases(look),
        "can_file": actor.may(Capability.FILE_RESTORE),
        "is_ready": look.state == LookState.READY,
        "has_failed": look.state == LookState.FAILED,
        "page": None,
    }


@dataclass(frozen=True, slots=True)
class ShownDatabase:
    """One database on the copy. A number that could not be read is None and says why."""

    name: str
    tables: list[tuple[str, int | None, str]]
    newest_row_at: dt.datetime | None
    newest_row_table: str
    migration_head: str
    unknown: str


def _databases(look: Look) -> list[ShownDatabase]:
    return [_database(found) for found in look.facts.get("databases", [])]


def _database(found: dict[str, Any]) -> ShownDatabase:
    newest, head = found.get("newest_row_at"), found.get("migration_head")
    return ShownDatabase(
        name=str(found.get("database", "")),
        tables=sorted((name, *_rows(value)) for name, value in found.get("rows", {}).items()),
        newest_row_at=dt.datetime.fromisoformat(newest) if isinstance(newest, str) else None,
        newest_row_table=str(found.get("newest_row_table") or ""),
        migration_head=head if isinstance(head, str) else "",
        unknown="; ".join(_why(value) for value in (newest, head) if isinstance(value, dict)),
    )


def _rows(value: object) -> tuple[int | None, str]:
    return (value, "") if isinstance(value, int) else (None, _why(value))


def _why(value: object) -> str:
    return str(value.get("unknown", "")) if isinstance(value, dict) else "it was not counted"


def _form_page(request: HttpRequest, form: LookForm) -> HttpResponse:
    return render(request, "look/new.html", {"form": form}, status=422 if form.is_bound else 200)
