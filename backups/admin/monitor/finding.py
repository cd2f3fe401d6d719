"""One finding: what was seen, since when, what to do, and who looks after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.monitor import words
from backups.admin.monitor.advice import advice_for
from backups.admin.restore.blocks import band_of
from backups.admin.restore.request import sentence_of
from backups.domain.monitor import KINDS, FindingCode, Severity
from backups.domain.people import Actor, Capability
from backups.models import Finding
from backups.selectors.monitor import handlers, words_of_finding
from backups.services.monitor.controls.registry import TITLES
from backups.services.monitor.handling import acknowledge_finding, explain_finding, give_finding
from backups.services.restore.errors import InvalidInput, Refused


@for_people_who_may(Capability.READ_MONITOR)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The page."""
    return _page(request, actor, _finding(pk))


@for_people_who_may(Capability.HANDLE_FINDING, "POST")
def acknowledge(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Says that somebody has seen it."""
    reason = request.POST.get("reason", "")
    return _act(
        request, actor, pk, "acknowledge", "It is noted. The finding stays open until its cause has gone.",
        lambda: acknowledge_finding(actor=actor, finding_id=pk, reason=reason),
    )  # fmt: skip


@for_people_who_may(Capability.HANDLE_FINDING, "POST")
def give(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Gives it to somebody, or to nobody."""
    chosen = request.POST.get("owner", "")
    owner_id = int(chosen) if chosen.isdigit() else None
    return _act(
        request, actor, pk, "give", "The finding has its owner." if owner_id else "Nobody owns the finding now.",
        lambda: give_finding(actor=actor, finding_id=pk, owner_id=owner_id),
    )  # fmt: skip


@for_people_who_may(Capability.EXPLAIN_FINDING, "POST")
def explain(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Closes what happened outside the portal."""
    reason = request.POST.get("reason", "")
    return _act(
        request, actor, pk, "explain", "It is explained and closed.",
        lambda: explain_finding(actor=actor, finding_id=pk, reason=reason),
    )  # fmt: skip


def _act(request: HttpRequest, actor: Actor, pk: int, what: str, done: str, act: Callable[[], object]) -> HttpResponse:
    finding = _finding(pk)
    try:
        act()
    except InvalidInput as invalid:
        return _page(request, actor, finding, what, sentence_of(invalid))
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, done)
    return redirect("ops:finding", pk=pk)


def _page(request: HttpRequest, actor: Actor, finding: Finding, wrong: str = "", error: str = "") -> HttpResponse:
    kind = KINDS[FindingCode(finding.code)]
    is_open = finding.closed_at is None
    handles = is_open and actor.may(Capability.HANDLE_FINDING)
    context: dict[str, Any] = {
        "finding": finding,
        "band": band_of(finding.branch) if finding.branch else None,
        "kind": kind,
        "severity": words.SEVERITY[Severity(finding.severity)],
        "control": TITLES.get(finding.control, finding.control),
        "evidence": _evidence(finding),
        "advice": advice_for(kind.anchor),
        "said": words_of_finding(finding),
        "may_acknowledge": handles and finding.acknowledged_at is None,
        "may_give": handles,
        "may_explain": is_open and not kind.closes_by_itself and actor.may(Capability.EXPLAIN_FINDING),
        "people": handlers() if handles else [],
        "wrong": wrong,
        "error": error,
        "typed": request.POST.get("reason", ""),
    }
    return render(request, "monitor/finding.html", context, status=422 if error else 200)


def _evidence(finding: Finding) -> list[tuple[str, str]]:
    """Names and values as text; a list one after the other."""
    shown = []
    for name, value in finding.evidence.items():
        text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
        shown.append((name.replace("_", " "), text if value not in (None, [], "") else "none"))
    return shown


def _finding(pk: int) -> Finding:
    found = Finding.objects.select_related("project", "branch__project", "owner", "acknowledged_by", "explained_by")
    finding = found.filter(pk=pk).first()
    if finding is None:
        raise Http404
    return finding
