"""The case file of one restore: everything that an auditor asks of it, on one page to print."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.case_parts import ShownEvent, ShownWords, made_for, shown_events, shown_words
from backups.admin.audit.links import address
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.ledger import Target
from backups.domain.packet import canonical_text
from backups.domain.people import Actor, Capability
from backups.models import CheckResult, Execution, ReviewText
from backups.selectors.case_file.restore import RestoreCase, restore_case
from backups.selectors.case_file.votes import VoteOnFile
from backups.services.reading import record_reading


@dataclass(frozen=True, slots=True)
class ShownVote:
    """One vote with its reason."""

    on_file: VoteOnFile
    words: ShownWords | None
    event: ShownEvent | None


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One run; each check with the hash of the figures that it counted."""

    run: Execution
    checks: list[tuple[CheckResult, str]]


@for_people_who_may(Capability.READ_LEDGER)
def restore(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """That it was read is recorded before anything is shown."""
    case = restore_case(pk)
    if case is None:
        raise Http404("There is no such request.")
    project = case.request.branch.project.neon_project_id
    record_reading(
        actor=actor,
        page="case_file",
        target=Target(kind="restore_request", id=case.request.reference, project=project),
    )
    return render(request, "audit/case_restore.html", _context(actor, case))


def _context(actor: Actor, case: RestoreCase) -> dict[str, object]:
    facts = case.request.packet.bound if case.request.packet else {}
    return {
        "tabs": audit_tabs(actor, "cases"),
        "case": case,
        "made": made_for(actor),
        "r": case.request,
        "words": shown_words(case.words),
        "facts": sorted((name.replace("_", " "), _value(value)) for name, value in facts.items()),
        "votes": [_vote(each) for each in case.votes],
        "runs": [_run(each) for each in case.runs],
        "points": [(each, shown_words(each.reason)) for each in case.points],
        "review": getattr(case.checklist, "review", None),
        "review_texts": _newest(case.review_texts),
        "policy_url": _policy_url(case),
        "events": shown_events(case.events),
    }


def _policy_url(case: RestoreCase) -> str:
    """Who could vote, and under which rules, when it was submitted; empty when it never was."""
    at = case.request.submitted_at
    return address("ops:audit-approvers", on=f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}") if at else ""


def _value(value: object) -> str:
    return (", ".join(str(each) for each in value) or "none") if isinstance(value, list) else str(value)


def _vote(each: VoteOnFile) -> ShownVote:
    event = shown_events([each.event])[0] if each.event else None
    return ShownVote(each, shown_words(each.vote.reason), event)


def _run(run: Execution) -> ShownRun:
    return ShownRun(run, [(each, _figures_hash(each)) for each in run.checks.all()])


def _figures_hash(check: CheckResult) -> str:
    return "sha256:" + hashlib.sha256(canonical_text(check.figures).encode("utf-8")).hexdigest()


def _newest(texts: list[ReviewText]) -> list[tuple[ReviewText, ShownWords | None]]:
    """The newest of each section counts; the others are in the timeline."""
    newest = {each.section: each for each in texts}
    return [(each, shown_words(each.text)) for each in newest.values()]
