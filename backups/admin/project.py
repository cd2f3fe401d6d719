"""Projects in care: what is known of them, their branches, and what a branch is used for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin import words
from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore.blocks import band_of
from backups.admin.restore.request import sentence_of
from backups.admin.snapshot import snapshots_of
from backups.domain.people import Actor, Capability
from backups.domain.policy import Environment
from backups.models import EnvironmentProposal, Project, ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill import standings
from backups.selectors.project import governed_branches, open_proposals, owned_branches_alive
from backups.services.connect import ConnectRefused, ask_for_examination, connect_with_typed_key
from backups.services.environment import confirm_lower_label, refuse_lower_label, set_label
from backups.services.restore.errors import InvalidInput, Refused


@for_people_who_may(Capability.READ_PROJECTS)
def projects(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every project in care."""
    context = {
        "projects": list(Project.objects.order_by("name").prefetch_related("branches")),
        "can_connect": actor.may(Capability.MANAGE_SECRETS),
        "can_manage_tokens": actor.may(Capability.MANAGE_TOKENS),
    }
    return render(request, "project/list.html", context)


@for_people_who_may(Capability.READ_PROJECTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """One project: the last connection check, its branches, and the branches that the portal made there."""
    project = _project(pk)
    branches = list(governed_branches(project))
    known = standings(branches, now=database_now())
    context = {
        "project": project,
        "report": report_lines(project),
        "branches": [(branch, known[branch.pk]) for branch in branches],
        "missing": list(project.branches.filter(missing_since__isnull=False)),
        "owned": list(owned_branches_alive(project).select_related("request", "look")),
        "proposals": list(open_proposals(project)),
        "snapshots": snapshots_of(project),
        "can_manage": actor.may(Capability.MANAGE_PROJECTS),
        "can_check": actor.may(Capability.RUN_CONNECT),
        "can_look": actor.may(Capability.TAKE_LOOK),
        "can_file": actor.may(Capability.FILE_RESTORE),
        "can_copy": actor.may(Capability.MAKE_SAFETY_COPY),
    }
    return render(request, "project/page.html", context)


class ConnectForm(forms.Form):
    """What is needed to take a project into care. The key is never shown again."""

    neon_project_id = forms.CharField(
        label="Project id", max_length=60, help_text="In Neon's console under Settings: calm-river-12345678."
    )
    api_host = forms.CharField(
        label="Address of the API", max_length=200, initial=settings.NEON_API_HOST,
        help_text="Neon's own, or that of a sandbox on this machine.",
    )  # fmt: skip
    api_key = forms.CharField(
        label="API key", max_length=300, widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Made for this project alone. It is tried first, then stored encrypted.",
    )  # fmt: skip
    is_sandbox = forms.BooleanField(label="This is a sandbox: what happens in it is never evidence", required=False)


@for_people_who_may(Capability.MANAGE_SECRETS, "GET", "POST")
def connect(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Takes a project into care, or gives a known one a new key."""
    form = ConnectForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "project/connect.html", {"form": form}, status=422 if form.is_bound else 200)
    typed = form.cleaned_data
    try:
        project = connect_with_typed_key(
            actor=actor,
            neon_project_id=typed["neon_project_id"],
            api_host=typed["api_host"],
            typed_key=typed["api_key"],
            is_sandbox=typed["is_sandbox"],
        )
    except ConnectRefused as refused:
        form.add_error(None, refused.sentence)
        return render(request, "project/connect.html", {"form": form}, status=422)
    messages.success(request, "The project is in care. Go through the lines below that say what is to do.")
    return redirect("ops:project", pk=project.pk)


@for_people_who_may(Capability.RUN_CONNECT, "POST")
def check(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Has the worker examine the project once more."""
    _project(pk)
    try:
        ask_for_examination(actor=actor, project_id=pk)
    except ConnectRefused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "The worker is looking. Load this page again in a few seconds.")
    return redirect("ops:project", pk=pk)


@for_people_who_may(Capability.MANAGE_PROJECTS, "GET", "POST")
def environment(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Says what a branch is used for. A lower label becomes a proposal that a second person confirms."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=pk).first()
    if branch is None:
        raise Http404
    if request.method != "POST":
        return _environment_page(request, branch)
    label = request.POST.get("label", "")
    if label not in set(Environment):
        return _environment_page(request, branch, "Choose what the branch is used for.")
    try:
        proposal = set_label(
            branch_id=pk, label=Environment(label), actor=actor, reason=request.POST.get("reason", "").strip()
        )
    except (Refused, InvalidInput) as refused:
        return _environment_page(request, branch, sentence_of(refused))
    if proposal is None:
        messages.success(request, f"{branch.name} is {words.ENVIRONMENT[Environment(label)].lower()} now.")
    else:
        messages.success(request, "A second person has to confirm this. Until then nothing changes.")
    return redirect("ops:project", pk=branch.project_id)


@for_people_who_may(Capability.READ_PROJECTS, "GET", "POST")
def proposal(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A lower label that waits for the second person's yes or no."""
    found = EnvironmentProposal.objects.select_related("branch__project", "proposed_by", "confirmed_by").filter(pk=pk)
    proposed = found.first()
    if proposed is None:
        raise Http404
    if request.method != "POST":
        return _proposal_page(request, actor, proposed)
    decide = confirm_lower_label if request.POST.get("answer") == "confirm" else refuse_lower_label
    try:
        decide(proposal_id=pk, actor=actor)
    except (Refused, InvalidInput) as refused:
        messages.error(request, sentence_of(refused))
        return redirect("ops:proposal", pk=pk)
    messages.success(request, "It is decided.")
    return redirect("ops:project", pk=proposed.branch.project_id)


def report_lines(project: Project) -> list[dict[str, Any]]:
    """The lines of the last connection check; empty when none was made."""
    lines = project.connect_report.get("lines", [])
    return [line | _LOOK.get(line.get("status", ""), _LOOK["unknown"]) for line in lines if isinstance(line, dict)]


_LOOK: dict[str, dict[str, str]] = {
    "ok": {"tone": "good", "icon": "check", "word": "OK"},
    "to_do": {"tone": "warn", "icon": "warning", "word": "To do"},
    "unknown": {"tone": "unknown", "icon": "question", "word": "Can't tell"},
}


def _project(pk: int) -> Project:
    project = Project.objects.filter(pk=pk).first()
    if project is None:
        raise Http404
    return project


def _environment_page(request: HttpRequest, branch: ProtectedBranch, error: str = "") -> HttpResponse:
    chosen = request.POST.get("label") or branch.label or ""
    context = {
        "branch": branch,
        "band": band_of(branch),
        "labels": [(label.value, words.ENVIRONMENT[label], label.value == chosen) for label in Environment],
        "reason": request.POST.get("reason", ""),
        "error": error,
    }
    return render(request, "project/environment.html", context, status=422 if error else 200)


def _proposal_page(request: HttpRequest, actor: Actor, proposed: EnvironmentProposal) -> HttpResponse:
    may = actor.may(Capability.MANAGE_PROJECTS) or actor.may(Capability.VOTE_ON_RESTORE)
    is_open = proposed.confirmed_at is None and proposed.refused_at is None
    context = {
        "proposal": proposed,
        "band": band_of(proposed.branch),
        "is_open": is_open,
        "may_refuse": is_open and may,
        "may_confirm": is_open and may and proposed.proposed_by_id != actor.user_id,
    }
    return render(request, "project/proposal.html", context)
