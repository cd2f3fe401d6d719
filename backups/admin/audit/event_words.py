"""Events in the words of pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.urls import reverse

from backups.models import LedgerEvent
from backups.services.ledger import event_meanings

TARGET_KINDS = {
    "restore_request": "Restore request",
    "execution": "Execution",
    "look": "Look at a past moment",
    "drill": "Drill",
    "drill_plan": "Drill plan",
    "finding": "Finding",
    "safety_copy": "Safety copy",
    "schedule": "Backup schedule",
    "checklist": "Checklist after a restore",
    "review": "Review after a restore",
    "retrospective": "Record of a restore by hand",
    "action": "Corrective action",
    "token": "Token",
    "system": "The installation",
    "duty": "Duty",
    "project": "Project",
    "branch": "Branch",
    "account": "Account",
    "policy": "Policy",
    "page": "Page",
    "portal": "Portal",
    "event": "Event of this log",
    "saved_filter": "Saved filter",
    "ledger_verification": "Verification of the log",
}
WORLDS = {
    "real": "Real project",
    "sandbox": "Sandbox: no evidence",
    "unknown": "Project not known",
    "portal": "Portal only",
}
_NIL = UUID(int=0)
_TONES = {"success": "good", "failure": "bad", "denied": "warn", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as a list or a link shows it."""

    event: LedgerEvent
    url: str
    meaning: str
    target: str
    tone: str
    evidence: str


def event_row(event: LedgerEvent) -> EventRow:
    """Needs none of the event's long columns."""
    return EventRow(
        event=event,
        url=event_url(event),
        meaning=meaning_of(event.type),
        target=f"{target_kind_words(event.target_kind)} {event.target_id}",
        tone=_TONES.get(event.outcome, "unknown"),
        evidence=evidence_words(event),
    )


def event_url(event: LedgerEvent) -> str:
    return _address_of_nil().replace(str(_NIL), str(event.pk))


@cache
def _address_of_nil() -> str:
    """Made once: a list has fifty addresses that differ by the id alone."""
    return reverse("admin:backups_ledgerevent_change", args=(_NIL,))


def list_url(**narrowed_by: str) -> str:
    """The list of events narrowed like this."""
    return reverse("admin:backups_ledgerevent_changelist", query=narrowed_by or None)


def meaning_of(event_type: str) -> str:
    return event_meanings().get(event_type) or f"{event_type}: a type of an older version"


def target_kind_words(kind: str) -> str:
    return TARGET_KINDS.get(kind) or kind.replace("_", " ").capitalize()


def evidence_words(event: LedgerEvent) -> str:
    """Whether it counts as evidence of anything."""
    if event.is_sandbox:
        return "No: sandbox"
    return "Not known: no such project" if event.world == "unknown" else "Yes"
