"""What waits for one person, beside requests: second signatures, reviews, own corrective actions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from backups.domain.people import Actor, Capability
from backups.selectors.afterwards import open_removals, overdue_reviews, unsigned_records
from backups.selectors.backup_plan import open_plan_proposals
from backups.selectors.drill_log import open_actions, unsigned_drills
from backups.selectors.erasing import open_erasures
from backups.selectors.governance import open_proposals as open_register_proposals
from backups.selectors.log_review import standing
from backups.selectors.project import open_proposals
from backups.services.corrective_action import reference_of

_SECOND = "wants a second person"


@dataclass(frozen=True, slots=True)
class Task:
    """One line: what it is, where it is done, and what is wanted."""

    title: str
    meta: tuple[str, ...]
    url: str
    wants: str
    tone: str = "warn"


def tasks_of(actor: Actor, now: dt.datetime) -> list[Task]:
    """Everything but requests, in the order in which it presses. A fixed number of queries."""
    return [*_own_actions(actor, now), *_for_managers(actor, now), *_for_second_people(actor), *_log_review(actor, now)]


def _own_actions(actor: Actor, now: dt.datetime) -> Iterator[Task]:
    today = now.astimezone(dt.UTC).date()
    for action in open_actions().filter(owner=actor.user_id):
        overdue = action.due_on < today
        meta = (reference_of(action), f"until {action.due_on:%Y-%m-%d}")
        url = reverse("ops:action", args=[action.pk])
        yield Task(str(action.title), meta, url, "is overdue" if overdue else "is yours", "bad" if overdue else "info")


def _for_managers(actor: Actor, now: dt.datetime) -> Iterator[Task]:
    """Whoever signs may still find on the page that this one is for somebody else."""
    if not actor.may(Capability.SIGN_OFF_DRILL):
        return
    for review in overdue_reviews(now):
        checklist = review.checklist
        url = reverse("ops:review", args=[checklist.pk])
        yield Task(f"Review of {checklist.reference}", (str(checklist.branch),), url, "is overdue", "bad")
    for record in unsigned_records():
        url = reverse("ops:retrospective", args=[record.pk])
        yield Task(f"{record.reference}: a restore by hand", (str(record.branch),), url, _SECOND)
    for drill in unsigned_drills():
        url = reverse("ops:drill", args=[drill.pk])
        yield Task(f"{drill.reference}: {drill.title}", (drill.project.name,), url, "wants a signature")


def _log_review(actor: Actor, now: dt.datetime) -> Iterator[Task]:
    """From a day before it is due, and as long as one is open."""
    if not actor.may(Capability.REVIEW_LOG):
        return
    log = standing(now)
    if log.due_at is None or not (log.is_due or log.open):
        return
    url = reverse("ops:log-review", args=[log.open.pk]) if log.open else reverse("ops:log-reviews")
    title = f"Review of the log, {log.open.reference}" if log.open else "Review of the log"
    wants = "is overdue" if log.is_overdue else "wants marks and a signature" if log.open else "is due"
    yield Task(title, (f"due {log.due_at:%Y-%m-%d %H:%M} UTC",), url, wants, "bad" if log.is_overdue else "info")


def _for_second_people(actor: Actor) -> Iterator[Task]:
    votes = actor.may(Capability.VOTE_ON_RESTORE)
    if votes or actor.may(Capability.MANAGE_PROJECTS):
        for label in open_proposals():
            title = f"Guard {label.branch.name} less: {label.label}"
            meta = (label.branch.project.name, f"proposed by {label.proposed_by.get_username()}")
            yield Task(title, meta, reverse("ops:proposal", args=[label.pk]), _SECOND)
    if not votes:
        return
    for plan in open_plan_proposals():
        by = (f"proposed by {plan.proposed_by.get_username()}",)
        title = f"Bring {plan.branch} to its declared backups"
        yield Task(title, by, reverse("ops:plan-proposal", args=[plan.pk]), "wants another manager")
    for version in open_register_proposals():
        if version.proposed_by_id != actor.user_id:
            proposer = (f"proposed by {version.proposed_by_name}",)
            url = reverse("ops:governance", args=[version.project_id])
            yield Task(f"The register of {version.project.name}", proposer, url, _SECOND)
    for erasure in open_erasures():
        if erasure.asked_by_id != actor.user_id:
            asker = (f"asked by {erasure.asked_by_name}",)
            title = f"Erase words about {erasure.words.event.target_id}"
            yield Task(title, asker, reverse("ops:erasure", args=[erasure.pk]), _SECOND)
    for removal in open_removals():
        what = removal.owned_branch or removal.safety_copy
        yield Task(f"Delete {what}", (), reverse("ops:removal", args=[removal.pk]), _SECOND)
