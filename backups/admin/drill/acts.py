"""Everything that people add to a drill: one page for each act, from one table of acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.drill import forms
from backups.admin.form_parts import PlainForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.attachment import MAX_ATTACHMENT_BYTES
from backups.domain.drill import FindingSeverity
from backups.domain.drill_log import DrillAct, refusal
from backups.domain.people import Actor, Capability
from backups.models import Drill
from backups.selectors.drill_report import find_drill
from backups.services.corrective_action import add_drill_action
from backups.services.drill_log.course import add_note, add_participant
from backups.services.drill_log.exercise import begin_exercise, cancel_exercise, end_exercise
from backups.services.drill_log.governed import situation_of
from backups.services.drill_log.results import add_finding, attach_file, sign_off
from backups.services.restore.errors import InvalidInput, Refused

#: Does the act with a valid form. False: a sentence stands beside a field now.
Doing = Callable[[Actor, int, Any], bool]


@dataclass(frozen=True, slots=True)
class ActPage:
    """One act: its words, its form and what it does."""

    act: DrillAct
    link: str
    title: str
    button: str
    done: str
    form: type[PlainForm]
    do: Doing
    hint: str = ""


def _begin(actor: Actor, drill_id: int, form: forms.ConfirmForm) -> bool:
    begin_exercise(actor=actor, drill_id=drill_id)
    return True


def _end(actor: Actor, drill_id: int, form: forms.EndForm) -> bool:
    ending = form.ending()
    if ending is None:
        return False
    end_exercise(actor=actor, drill_id=drill_id, ending=ending)
    return True


def _cancel(actor: Actor, drill_id: int, form: forms.CancelForm) -> bool:
    cancel_exercise(actor=actor, drill_id=drill_id, reason=form.cleaned_data["reason"])
    return True


def _participant(actor: Actor, drill_id: int, form: forms.ParticipantForm) -> bool:
    typed = form.cleaned_data
    add_participant(
        actor=actor,
        drill_id=drill_id,
        name=typed["name"],
        login=typed["login"],
        part=typed["part"],
        ran_it=typed["ran_it"],
    )
    return True


def _note(actor: Actor, drill_id: int, form: forms.NoteForm) -> bool:
    at = form.needed("at")
    if at is None:
        return False
    add_note(actor=actor, drill_id=drill_id, at=at, text=form.cleaned_data["text"])
    return True


def _finding(actor: Actor, drill_id: int, form: forms.FindingForm) -> bool:
    typed = form.cleaned_data
    add_finding(actor=actor, drill_id=drill_id, severity=FindingSeverity(typed["severity"]), text=typed["text"])
    return True


def _action(actor: Actor, drill_id: int, form: forms.ActionForm) -> bool:
    typed = form.cleaned_data
    add_drill_action(
        actor=actor, drill_id=drill_id, title=typed["title"], owner_id=int(typed["owner"]), due_on=typed["due_on"]
    )
    return True


def _file(actor: Actor, drill_id: int, form: forms.FileForm) -> bool:
    sent: UploadedFile = form.cleaned_data["file"]
    # One byte more than allowed is enough to know; nobody's gigabyte is read into memory.
    content = sent.read(MAX_ATTACHMENT_BYTES + 1)
    attach_file(actor=actor, drill_id=drill_id, name=sent.name or "", content=content)
    return True


def _sign(actor: Actor, drill_id: int, form: forms.SignForm) -> bool:
    sign_off(actor=actor, drill_id=drill_id, text=form.cleaned_data["text"])
    return True


_A = DrillAct
# fmt: off
PAGES: dict[str, ActPage] = {
    "begin": ActPage(_A.BEGIN, "It begins now", "Begin this exercise?", "It begins now", "The exercise has begun.",
                     forms.ConfirmForm, _begin, "From now on its timeline can be written while it is held."),
    "participant": ActPage(_A.PARTICIPANTS, "Add somebody", "Who took part?", "Add", "Added.",
                           forms.ParticipantForm, _participant),
    "note": ActPage(_A.NOTE, "Add a line", "A line of the timeline", "Add", "The line was added.",
                    forms.NoteForm, _note, "It can't be changed later; a correction is another line."),
    "end": ActPage(_A.END, "Say how it went", "How did it go?", "End the exercise", "The exercise has ended. "
                   "Add findings and actions, then another manager signs it off.", forms.EndForm, _end,
                   "After this, who took part and the timeline can't be changed."),
    "cancel": ActPage(_A.CANCEL, "Cancel it", "Cancel this exercise?", "Cancel the exercise",
                      "Cancelled. It shows nothing.", forms.CancelForm, _cancel),
    "finding": ActPage(_A.ADD_FINDING, "Add a finding", "What did it bring to light?", "Add the finding",
                       "The finding was added.", forms.FindingForm, _finding,
                       "It can't be changed later; a correction is another finding."),
    "action": ActPage(_A.ADD_ACTION, "Add an action", "What must be done because of it?", "Add the action",
                      "The action was added; its owner sees it on the readiness page.", forms.ActionForm, _action),
    "file": ActPage(_A.ATTACH, "Attach a file", "Attach a file", "Attach", "The file was attached.",
                    forms.FileForm, _file),
}
SIGN = ActPage(_A.SIGN_OFF, "Sign it off", "Sign this drill off", "Sign it off", "Signed off.", forms.SignForm, _sign,
               "Your name stands under what is on its page. Nothing is added to it afterwards.")
# fmt: on


@for_people_who_may(Capability.LOG_DRILL, "GET", "POST")
def add(request: HttpRequest, actor: Actor, pk: int, what: str) -> HttpResponse:
    """The page of one act."""
    if what not in PAGES:
        raise Http404
    return _act_page(request, actor, pk, PAGES[what])


@for_people_who_may(Capability.SIGN_OFF_DRILL, "GET", "POST")
def sign(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A manager's signature."""
    return _act_page(request, actor, pk, SIGN)


def offered(actor: Actor, drill: Drill) -> dict[str, ActPage]:
    """What this person may add to the drill now, by the name in the address."""
    situation = situation_of(actor, drill)
    found = {name: page for name, page in PAGES.items() if refusal(page.act, situation) is None}
    return found | ({"sign": SIGN} if refusal(SIGN.act, situation) is None else {})


def _act_page(request: HttpRequest, actor: Actor, pk: int, page: ActPage) -> HttpResponse:
    drill = find_drill(pk)
    if drill is None:
        raise Http404
    form = page.form(request.POST or None, request.FILES or None, reader_zone=reader_zone_name(request))
    if request.method != "POST":
        sentence = refusal(page.act, situation_of(actor, drill))
        if sentence is None:
            return _form_page(request, drill, page, form)
        messages.error(request, sentence)
        return redirect("ops:drill", pk=pk)
    return _do(request, actor, drill, page, form)


def _do(request: HttpRequest, actor: Actor, drill: Drill, page: ActPage, form: PlainForm) -> HttpResponse:
    form.is_bound = True
    try:
        if not form.is_valid() or not page.do(actor, drill.pk, form):
            return _form_page(request, drill, page, form)
    except InvalidInput as invalid:
        form.take(invalid)
        return _form_page(request, drill, page, form)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect("ops:drill", pk=drill.pk)
    messages.success(request, page.done)
    return redirect("ops:drill", pk=drill.pk)


def _form_page(request: HttpRequest, drill: Drill, page: ActPage, form: PlainForm) -> HttpResponse:
    context = {"drill": drill, "act": page, "form": form, "has_file": form.is_multipart()}
    return render(request, "drill/act.html", context, status=422 if form.is_bound else 200)
