"""The governance register: one project's page with its versions, and the page of all projects for auditors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.audit.tabs import audit_tabs
from backups.admin.drill.forms import account_choices, text_field
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.form_parts import PlainForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.consequence import span
from backups.domain.governance import Criticality, DataClass, Register
from backups.domain.people import Actor, Capability
from backups.models import GovernanceVersion, Project
from backups.selectors.clock import database_now
from backups.selectors.governance import register, versions_of
from backups.services.governance import (
    Proposal,
    agree_governance,
    propose_governance,
    refuse_governance,
    withdraw_governance,
)
from backups.services.reading import record_reading
from backups.services.restore.errors import InvalidInput, Refused

DATA_CLASS = {
    DataClass.PHI: "Health information (PHI)",
    DataClass.PERSONAL: "Personal data",
    DataClass.INTERNAL: "Internal data",
    DataClass.TEST: "Made-up data",
}
CRITICALITY = {
    Criticality.CRITICAL: "Critical: back first",
    Criticality.HIGH: "High",
    Criticality.NORMAL: "Normal",
    Criticality.LOW: "Low: back last",
}
_NO_DATE = "none"


class GovernanceForm(PlainForm):
    """One version of the register."""

    ORDER: ClassVar[tuple[str, ...]] = (
        "data_class", "criticality", "rto_minutes", "rpo_minutes", "plan_title", "plan_url", "review_on", "baa_on",
        "owner", "technical_owner", "note",
    )  # fmt: skip

    data_class = forms.ChoiceField(
        label="What the data are, by the worst of them",
        choices=[(each.value, words) for each, words in DATA_CLASS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    criticality = forms.ChoiceField(
        label="How critical it is",
        choices=[(each.value, words) for each, words in CRITICALITY.items()],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    rto_minutes = forms.IntegerField(
        label="Back within (RTO)", min_value=1, max_value=44_640, help_text="In minutes, from the first known moment."
    )
    rpo_minutes = forms.IntegerField(
        label="Lost data at most (RPO)", min_value=1, max_value=44_640, help_text="In minutes."
    )
    plan_title = forms.CharField(label="Contingency plan", max_length=200, help_text="Its title and version.")
    plan_url = forms.CharField(label="Where it is", max_length=300, required=False, help_text="https://…")
    review_on = forms.DateField(label="Read again by", widget=forms.DateInput({"type": "date"}))
    baa_on = forms.DateField(
        label="Date of the agreement with Neon (BAA)",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="The business associate agreement. Empty: there is none.",
    )
    owner = forms.ChoiceField(label="Who answers for the data", error_messages={"required": "Choose somebody."})
    technical_owner = forms.ChoiceField(label="Who runs it", error_messages={"required": "Choose somebody."})
    note = text_field("What changed, and why", rows=3, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [("", "Choose…"), *account_choices()]
        for name in ("owner", "technical_owner"):
            self.fields[name].choices = people  # type: ignore[attr-defined]

    def proposal(self) -> Proposal:
        """What was typed."""
        typed = self.cleaned_data
        says = Register(
            data_class=DataClass(typed["data_class"]),
            criticality=Criticality(typed["criticality"]),
            rto_seconds=typed["rto_minutes"] * 60,
            rpo_seconds=typed["rpo_minutes"] * 60,
            plan_title=typed["plan_title"],
            plan_url=typed["plan_url"],
            review_on=typed["review_on"],
            baa_on=typed["baa_on"],
            owner_id=int(typed["owner"]),
            technical_owner_id=int(typed["technical_owner"]),
        )
        return Proposal(says, typed["note"])


@for_people_who_may(Capability.READ_PROJECTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """What the register says of one project, what is proposed, and every earlier version with what it changed."""
    return _page(request, actor, _project(pk))


@for_people_who_may(Capability.PROPOSE_GOVERNANCE, "GET", "POST")
def propose(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A new version, filled in from the present one."""
    project = _project(pk)
    back = reverse("ops:governance", args=[pk])
    present = register(database_now(), project)[0].present
    form = GovernanceForm(
        request.POST or None, initial=_initial(present) if present else None, reader_zone=reader_zone_name(request)
    )

    def do(typed: GovernanceForm) -> tuple[str, str]:
        propose_governance(actor=actor, project_id=pk, proposal=typed.proposal())
        return back, "Proposed. It counts when another manager has agreed."

    page = FormPage(
        title=f"Register of {project.name}",
        button="Propose",
        back=back,
        back_words="Register",
        hint="Auditors read this. No patient details, please.",
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.READ_PROJECTS, "POST")
def decide(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The other person's yes or no, or the first one's second thoughts."""
    version = GovernanceVersion.objects.select_related("project").filter(pk=pk).first()
    if version is None:
        raise Http404
    answer, reason = request.POST.get("answer", ""), request.POST.get("reason", "")
    try:
        if answer == "agree":
            agree_governance(actor=actor, version_id=pk)
        elif answer == "refuse":
            refuse_governance(actor=actor, version_id=pk, reason=reason)
        else:
            withdraw_governance(actor=actor, version_id=pk)
    except InvalidInput as invalid:
        return _page(request, actor, version.project, reason=reason, error=str(invalid))
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "It is decided.")
    return redirect("ops:governance", pk=version.project_id)


@for_people_who_may(Capability.READ_LEDGER)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """All projects: what is said, what is missing, and what was measured."""
    record_reading(actor=actor, page="register")
    entries = register(database_now())
    shown = [(each, dict(_rows(each.present)) if each.present else {}) for each in entries]
    context = {"tabs": audit_tabs(actor, "register"), "entries": shown, "gaps": sum(bool(e.gaps) for e in entries)}
    return render(request, "audit/register.html", context)


def _project(pk: int) -> Project:
    project = Project.objects.filter(pk=pk).first()
    if project is None:
        raise Http404
    return project


def _page(request: HttpRequest, actor: Actor, project: Project, *, reason: str = "", error: str = "") -> HttpResponse:
    entry = register(database_now(), project)[0]
    versions = versions_of(project)
    proposal = next((version for version in versions if version.is_open), None)
    is_own = proposal is not None and proposal.proposed_by_id == actor.user_id
    decides = proposal is not None and actor.is_human and actor.may(Capability.AGREE_GOVERNANCE) and not is_own
    context = {
        "project": project,
        "entry": entry,
        "facts": list(_rows(entry.present)) if entry.present else [],
        "proposal": proposal,
        "changes": list(_changes(entry.present, proposal)) if proposal else [],
        "history": [(version, list(_changes(_before(version, versions), version))) for version in versions],
        "may_propose": proposal is None and actor.is_human and actor.may(Capability.PROPOSE_GOVERNANCE),
        "may_decide": decides,
        "may_withdraw": is_own,
        "reason": reason,
        "error": error,
    }
    return render(request, "project/governance.html", context, status=422 if error else 200)


def _before(version: GovernanceVersion, versions: list[GovernanceVersion]) -> GovernanceVersion | None:
    """What counted before this version: the newest earlier one that was agreed on."""
    earlier = (each for each in versions if each.number < version.number and each.agreed_at is not None)
    return next(earlier, None)


def _changes(before: GovernanceVersion | None, after: GovernanceVersion) -> Iterator[tuple[str, str, str]]:
    """(what, before, after) of each line that differs; everything for the first version."""
    old = dict(_rows(before)) if before else {}
    for label, words in _rows(after):
        if old.get(label) != words:
            yield label, old.get(label, ""), words


def _rows(version: GovernanceVersion) -> Iterator[tuple[str, str]]:
    """What the version says, line by line."""
    says = version.says
    yield "Data", DATA_CLASS[says.data_class]
    yield "Criticality", CRITICALITY[says.criticality]
    yield "Back within (RTO)", span(says.rto_seconds)
    yield "Lost data at most (RPO)", span(says.rpo_seconds)
    yield "Contingency plan", f"{says.plan_title} {says.plan_url}".strip()
    yield "Read again by", says.review_on.isoformat()
    yield "Agreement with Neon (BAA)", says.baa_on.isoformat() if says.baa_on else _NO_DATE
    yield "Answers for the data", version.owner_name
    yield "Runs it", version.technical_owner_name


def _initial(present: GovernanceVersion) -> dict[str, str | int | dt.date | None]:
    return {
        "data_class": present.data_class,
        "criticality": present.criticality,
        "rto_minutes": present.rto_seconds // 60,
        "rpo_minutes": present.rpo_seconds // 60,
        "plan_title": present.plan_title,
        "plan_url": present.plan_url,
        "review_on": present.review_on.isoformat(),
        "baa_on": present.baa_on.isoformat() if present.baa_on else None,
        "owner": str(present.owner_id),
        "technical_owner": str(present.technical_owner_id),
    }
