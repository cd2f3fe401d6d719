"""Declaring the backups of a branch, and bringing Neon to them with one other person's approval."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.monitor.branch import branch_of
from backups.admin.restore.blocks import band_of
from backups.admin.restore.request import sentence_of
from backups.domain.backup_plan import Rule, WantedBackups, drift
from backups.domain.people import Actor, Capability
from backups.models import PlanProposal, ProtectedBranch
from backups.selectors.backup_plan import wanted_of
from backups.services.backup_plan import confirm_plan, declare_backups, propose_plan, refuse_plan, to_apply
from backups.services.restore.errors import InvalidInput, Refused

_DAY = 86_400
_MOST_RULES = 3


class RuleForm(forms.Form):
    """One rule; without a frequency there is none."""

    frequency = forms.ChoiceField(
        label="How often",
        choices=[("", "no snapshot"), ("daily", "every day"), ("weekly", "every week"), ("monthly", "every month")],
        required=False,
    )
    hour = forms.IntegerField(label="Hour, UTC", min_value=0, max_value=23, required=False)
    day = forms.IntegerField(
        label="Day",
        min_value=1,
        max_value=31,
        required=False,
        help_text="Weekly: 1 is Monday, 7 Sunday. Monthly: 1 to 31.",
    )
    keep_days = forms.IntegerField(label="Kept, days", min_value=1, max_value=35, required=False)

    def rule(self) -> Rule | None:
        """The rule that was typed; None for an empty row."""
        typed = self.cleaned_data
        if not typed.get("frequency"):
            return None
        kept = typed.get("keep_days")
        day = typed.get("day") if typed["frequency"] != "daily" else None
        return Rule(typed["frequency"], typed.get("hour"), day, kept * _DAY if kept else None)


class PlanForm(forms.Form):
    """The rest of a declaration."""

    history_days = forms.DecimalField(
        label="History window, days", min_value=0, max_value=30, decimal_places=2,
        help_text="How far back points in time are to be possible. It holds for the whole project: the longest counts.",
    )  # fmt: skip
    reason = forms.CharField(label="Why", max_length=2000, widget=forms.Textarea({"rows": 3}))


Rules = formset_factory(RuleForm, extra=_MOST_RULES, max_num=_MOST_RULES, absolute_max=_MOST_RULES)


@for_people_who_may(Capability.DECLARE_BACKUPS, "GET", "POST")
def declare(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Says what the branch is to have. Nothing changes at Neon."""
    branch = branch_of(pk)
    if request.method != "POST":
        return _declare_page(request, branch, *_forms_of(wanted_of(branch)))
    rules, rest = Rules(request.POST, prefix="r"), PlanForm(request.POST)
    if not (rules.is_valid() and rest.is_valid()):
        return _declare_page(request, branch, rules, rest, status=422)
    typed = [rule for form in rules if (rule := form.rule()) is not None]
    wanted = WantedBackups(tuple(typed), int(rest.cleaned_data["history_days"] * _DAY))
    try:
        declare_backups(actor=actor, branch_id=pk, wanted=wanted, reason=rest.cleaned_data["reason"])
    except (Refused, InvalidInput) as refused:
        rest.add_error(None, sentence_of(refused))
        return _declare_page(request, branch, rules, rest, status=422)
    messages.success(request, "It is declared. The monitor shows what differs at Neon after its next look.")
    return redirect("ops:branch-health", pk=pk)


@for_people_who_may(Capability.PROPOSE_BACKUPS, "GET", "POST")
def propose(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Shows what will be sent and what will vanish, and asks that it be done."""
    branch, error = branch_of(pk), ""
    if request.method == "POST":
        try:
            made = propose_plan(actor=actor, branch_id=pk, reason=request.POST.get("reason", ""))
        except (Refused, InvalidInput) as refused:
            error = sentence_of(refused)
        else:
            messages.success(request, "Proposed. Another person, a manager, has to agree.")
            return redirect("ops:plan-proposal", pk=made.pk)
    context: dict[str, Any] = {"branch": branch, "band": band_of(branch), "error": error}
    try:
        wanted, seen, differs = to_apply(branch)
        context |= {"wanted": wanted, "seen": seen, "differs": differs}
    except Refused as refused:
        context["nothing"] = refused.sentence
    context["reason"] = request.POST.get("reason", "")
    return render(request, "monitor/propose.html", context, status=422 if error else 200)


@for_people_who_may(Capability.READ_MONITOR, "GET", "POST")
def proposal(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A wish to bring Neon to what is declared, and the other person's yes or no."""
    found = PlanProposal.objects.select_related("branch__project", "proposed_by", "decided_by").filter(pk=pk).first()
    if found is None:
        raise Http404
    if request.method != "POST":
        return _proposal_page(request, actor, found)
    decide = confirm_plan if request.POST.get("answer") == "confirm" else refuse_plan
    try:
        decide(actor=actor, proposal_id=pk)
    except (Refused, InvalidInput) as refused:
        messages.error(request, sentence_of(refused))
    else:
        messages.success(request, "It is decided.")
    return redirect("ops:plan-proposal", pk=pk)


def _forms_of(wanted: WantedBackups) -> tuple[BaseFormSet[RuleForm], PlanForm]:
    initial = [
        {
            "frequency": rule.frequency,
            "hour": rule.hour,
            "day": rule.day,
            "keep_days": rule.retention_seconds // _DAY if rule.retention_seconds else None,
        }
        for rule in wanted.schedule[:_MOST_RULES]
    ]
    days = wanted.history_seconds / _DAY
    return Rules(initial=initial, prefix="r"), PlanForm(initial={"history_days": f"{days:g}"})


def _declare_page(
    request: HttpRequest, branch: ProtectedBranch, rules: BaseFormSet[RuleForm], rest: PlanForm, *, status: int = 200
) -> HttpResponse:
    context = {"branch": branch, "band": band_of(branch), "rules": rules, "form": rest}
    return render(request, "monitor/declare.html", context, status=status)


def _proposal_page(request: HttpRequest, actor: Actor, found: PlanProposal) -> HttpResponse:
    is_open = found.confirmed_at is None and found.refused_at is None
    is_own, decides = found.proposed_by_id == actor.user_id, actor.may(Capability.CONFIRM_BACKUPS)
    wanted, seen = WantedBackups.from_json(found.wanted), WantedBackups.from_json(found.seen)
    context = {
        "proposal": found,
        "branch": found.branch,
        "band": band_of(found.branch),
        "wanted": wanted,
        "seen": seen,
        "differs": drift(wanted=wanted.schedule, found=seen.schedule),
        "is_open": is_open,
        "is_own": is_own,
        "may_confirm": is_open and decides and not is_own,
        "may_refuse": is_open and (decides or is_own),
    }
    return render(request, "monitor/proposal.html", context)
