"""Entering and changing an exercise, taking participants off, and files."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header

from backups.admin.access import for_people_who_may
from backups.admin.drill.forms import ExerciseForm, exercise_initial
from backups.admin.drill.report import get_drill
from backups.admin.frame import reader_zone_name, render
from backups.admin.moments import moment_initial
from backups.admin.restore.request import sentence_of
from backups.domain.drill_log import DrillAct, refusal
from backups.domain.people import Actor, Capability
from backups.models import Drill, DrillAttachment
from backups.services.drill_log.course import remove_participant
from backups.services.drill_log.exercise import change_exercise, plan_exercise
from backups.services.drill_log.governed import situation_of
from backups.services.drill_log.results import note_attachment_read
from backups.services.restore.errors import InvalidInput, Refused

#: Should a browser show it after all, it has no origin, no script and nothing to load.
FILE_POLICY = "sandbox; default-src 'none'"


@for_people_who_may(Capability.LOG_DRILL, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Enters an exercise."""
    form = ExerciseForm(request.POST or None, reader_zone=reader_zone_name(request))
    if request.method != "POST":
        return _form_page(request, form)
    return _store(request, actor, form, None)


@for_people_who_may(Capability.LOG_DRILL, "GET", "POST")
def edit(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Changes an exercise that is not over."""
    drill = get_drill(pk)
    zone = reader_zone_name(request)
    initial = exercise_initial(drill) | moment_initial("planned", drill.planned_for, zone)
    form = ExerciseForm(request.POST or None, initial=initial, reader_zone=zone)
    if request.method == "POST":
        return _store(request, actor, form, drill)
    sentence = refusal(DrillAct.CHANGE, situation_of(actor, drill))
    if sentence is None:
        return _form_page(request, form, drill)
    messages.error(request, sentence)
    return redirect("ops:drill", pk=pk)


@for_people_who_may(Capability.LOG_DRILL, "POST")
def take_off(request: HttpRequest, actor: Actor, pk: int, participant: int) -> HttpResponse:
    """Takes a participant off the list."""
    get_drill(pk)
    try:
        remove_participant(actor=actor, drill_id=pk, participant_id=participant)
    except (Refused, InvalidInput) as refused:
        messages.error(request, sentence_of(refused))
    return redirect("ops:drill", pk=pk)


@for_people_who_may(Capability.READ_DRILLS)
def file(request: HttpRequest, actor: Actor, pk: int, file: int) -> HttpResponse:
    """A file as a download, never as a page. That somebody took it is recorded."""
    found = DrillAttachment.objects.select_related("drill__project", "drill__branch__project")
    attachment = found.filter(pk=file, drill=pk).first()
    if attachment is None:
        raise Http404
    if request.method == "GET":
        note_attachment_read(actor=actor, attachment=attachment)
    response = HttpResponse(bytes(attachment.content), content_type=attachment.content_type)
    response.headers["Content-Disposition"] = content_disposition_header(True, attachment.name) or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response


def _store(request: HttpRequest, actor: Actor, form: ExerciseForm, drill: Drill | None) -> HttpResponse:
    form.is_bound = True
    if not form.is_valid():
        return _form_page(request, form, drill)
    try:
        if drill is None:
            stored = plan_exercise(actor=actor, exercise=form.exercise())
        else:
            stored = change_exercise(actor=actor, drill_id=drill.pk, exercise=form.exercise())
    except InvalidInput as invalid:
        form.take(invalid)
        return _form_page(request, form, drill)
    except Refused as refused:
        form.add_error(None, refused.sentence)
        return _form_page(request, form, drill)
    messages.success(request, "Saved. Nothing at Neon is touched by it.")
    return redirect("ops:drill", pk=stored.pk)


def _form_page(request: HttpRequest, form: ExerciseForm, drill: Drill | None = None) -> HttpResponse:
    return render(request, "drill/exercise.html", {"form": form, "edited": drill}, status=422 if form.is_bound else 200)
