"""Verifying the whole log now: asked for with a button, watched while the worker reads, and what it found."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.audit.event_words import event_url
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render, render_moving
from backups.domain.ledger import Target
from backups.domain.ledger_verification import Verdict, VerificationState
from backups.domain.people import Actor, Capability
from backups.models import LedgerEvent, LedgerVerification
from backups.selectors.ledger_verification import open_verifications, verifications
from backups.services.ledger_verification import ask_for_verification
from backups.services.reading import record_reading
from backups.services.restore.errors import Refused

_VERDICT = {
    Verdict.VERIFIED: ("Verified", "Every sealed record is as it was signed.", "good"),
    Verdict.ALTERED: ("ALTERED", "The record is not the one that was signed.", "bad"),
    Verdict.UNCLEAR: ("It cannot tell", "Something is missing, or cannot be read: see below.", "warn"),
}
_STATE = {
    VerificationState.WAITING: ("Waiting for the worker", "", "info"),
    VerificationState.RUNNING: ("Being verified", "", "info"),
    VerificationState.FAILED: ("It came to no verdict", "", "bad"),
}


@for_people_who_may(Capability.READ_LEDGER, "POST")
def ask(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One at a time: who asks while one runs is led to that one."""
    try:
        asked = ask_for_verification(actor=actor)
    except Refused as refused:
        messages.error(request, refused.sentence)
        running = open_verifications().first()
        return redirect("ops:audit-verification", pk=running.pk) if running else redirect("ops:audit")
    messages.success(request, "Asked for. This page says what is found.")
    return redirect("ops:audit-verification", pk=asked.pk)


@for_people_who_may(Capability.READ_LEDGER)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """How far it is, or what it found and what it was held against."""
    verification = _get(pk)
    target = Target(kind="ledger_verification", id=str(verification))
    record_reading(actor=actor, page="verification", target=target)
    context = _context(verification) | {"tabs": audit_tabs(actor, "overview"), "event_url": _event_url(verification)}
    return render(request, "audit/verification.html", context)


@for_people_who_may(Capability.READ_LEDGER)
def live(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The moving part of one that is being made."""
    found = _get(pk)
    template = "audit/verification_live.html"
    return render_moving(request, template, _context(found), mark=found.state, replaces=True)


def _get(pk: int) -> LedgerVerification:
    found = verifications().filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such verification.")
    return found


def _context(found: LedgerVerification) -> dict[str, Any]:
    state = VerificationState(found.state)
    words, sentence, tone = _VERDICT[Verdict(found.verdict)] if state is VerificationState.DONE else _STATE[state]
    expected = found.events_expected
    took = found.finished_at - found.began_at if found.finished_at and found.began_at else None
    return {
        "verification": found,
        "words": words,
        "sentence": sentence,
        "tone": tone,
        "share": min(100, found.events * 100 // expected) if expected else None,
        "took": took,
        "more_findings": found.findings_count - len(found.findings),
        "refresh_seconds": 2 if found.is_open else 0,
    }


def _event_url(found: LedgerVerification) -> str:
    """The event of its outcome; empty while there is none."""
    told = LedgerEvent.objects.filter(type="ledger.verified", target_id=str(found)).first()
    return event_url(told) if told else ""
