"""Restores that were done by hand at Neon, put on record afterwards by two people.

The portal did not see them happen, so every event of such a record says “outside the portal”.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from backups.domain.afterwards_rules import RecordSituation, record_refusal
from backups.domain.monitor import KINDS, FindingCode
from backups.domain.people import Actor, Capability
from backups.domain.restore import RestoreKind
from backups.ledger.fields import Detail
from backups.models import Finding, LedgerEvent, ProtectedBranch, RetrospectiveRecord
from backups.selectors.clock import database_now
from backups.selectors.people import people_with
from backups.services.afterwards.explaining import close_explained
from backups.services.afterwards.opening import open_checklist_of_record
from backups.services.afterwards.records import need, refuse, refuse_unless, target_of_record
from backups.services.afterwards.telling import tell_record_filed
from backups.services.ledger import record_event
from backups.services.project import target_of_branch
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

MEANS = "outside_the_portal"
MAX_CHARACTERS = 5000
_ROLE = "Your role does not let you put a restore on record."


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the first person says of a restore that the portal did not run."""

    branch_id: int
    kind: RestoreKind
    done_at: dt.datetime | None
    done_by_id: int | None = None
    done_by_name: str = ""
    point_at: dt.datetime | None = None
    why: str = ""
    lost: str = ""
    finding_id: int | None = None


def file_record(*, actor: Actor, account: Account) -> RetrospectiveRecord:
    """The first person's signature. It counts when a second one has signed too. Raises Refused, InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").get(pk=account.branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        person = with_roles_of_now(actor)
        user_id = need(person, Capability.FILE_RETROSPECTIVE, _ROLE)
        now = database_now()
        finding = _finding(account)
        done_at = _checked(account, branch, finding, now)
        record = _new_record(account, branch, finding, person, user_id, done_at, now)
        tell_record_filed(record)
        return record


def sign_record(*, actor: Actor, record_id: int) -> RetrospectiveRecord:
    """The second person, a manager: opens checklist and review and closes the finding. Raises Refused."""
    with _deciding(actor, record_id) as (record, person):
        refuse(record_refusal(situation_of(record, person)), "sign_not_allowed")
        user_id = need(person, Capability.SIGN_RETROSPECTIVE, "Only a manager can sign this.")
        now = database_now()
        record.signed_by_id, record.signed_by_name, record.signed_at = user_id, person.name, now
        record.save()
        voters = [f"user:{record.filed_by_id}", person.ref]
        _tell(record, "retrospective.signed", person, {"voters": voters})
        open_checklist_of_record(record, actor=person, now=now)
        if record.finding is not None:
            close_explained(finding_id=record.finding.pk, record=record, actor=person, now=now)
        return record


def drop_record(*, actor: Actor, record_id: int) -> RetrospectiveRecord:
    """Takes an unsigned record off the table, by anybody who could file or sign one. Raises Refused."""
    with _deciding(actor, record_id) as (record, person):
        need(person, Capability.FILE_RETROSPECTIVE, _ROLE)
        is_open = record.signed_at is None and record.dropped_at is None
        refuse_unless(is_open, "record_closed", "This record is closed already.")
        record.dropped_by_name, record.dropped_at = person.name, database_now()
        record.save()
        _tell(record, "retrospective.dropped", person, {})
        return record


def situation_of(record: RetrospectiveRecord, actor: Actor) -> RecordSituation:
    """What the rule for the second signature looks at."""
    return RecordSituation(
        actor=actor,
        filed_by=record.filed_by_id,
        done_by=record.done_by_id,
        is_signed=record.signed_at is not None,
        is_dropped=record.dropped_at is not None,
    )


@contextmanager
def _deciding(actor: Actor, record_id: int) -> Iterator[tuple[RetrospectiveRecord, Actor]]:
    found = RetrospectiveRecord.objects.select_related("branch__project").get(pk=record_id)
    with refusals_recorded(actor=actor, target=target_of_record(found)):
        record = (
            RetrospectiveRecord.objects.select_for_update(of=("self",))
            .select_related("branch__project", "finding")
            .get(pk=record_id)
        )
        yield record, with_roles_of_now(actor)


def _finding(account: Account) -> Finding | None:
    if account.finding_id is None:
        return None
    return Finding.objects.select_for_update().filter(pk=account.finding_id).first()


def _checked(account: Account, branch: ProtectedBranch, finding: Finding | None, now: dt.datetime) -> dt.datetime:
    """When it was done. Raises InvalidInput."""
    errors = _text_errors(account)
    if account.done_at is None:
        errors["done_at"] = "Say when it was done; Neon's list of operations tells."
    elif account.done_at > now:
        errors["done_at"] = "This time is in the future."
    elif account.point_at is not None and account.point_at > account.done_at:
        errors["point_at"] = "The moment brought back can't be after the restore."
    if account.kind is RestoreKind.UNDO:
        errors["kind"] = "Say what was done at Neon: in place, a new branch, or from a snapshot."
    if account.done_by_id is None and not account.done_by_name.strip():
        errors["done_by"] = "Say who did it: an account, or a name."
    elif (
        account.done_by_id is not None
        and not people_with(Capability.READ_REQUESTS).filter(pk=account.done_by_id).exists()
    ):
        errors["done_by"] = "There is no such account."
    if account.finding_id is not None and not _fits(finding, branch):
        errors["finding"] = "This finding is closed, or it is not about something that was done to this branch."
    if errors or account.done_at is None:
        raise InvalidInput(errors)
    return account.done_at


def _text_errors(account: Account) -> dict[str, str]:
    errors = {}
    words = {"why": "Say why it was done outside the portal.", "lost": "Say what was lost, or that nothing was."}
    for field, sentence in words.items():
        text: str = getattr(account, field)
        if not text.strip():
            errors[field] = f"{sentence} No patient details, please."
        elif len(text) > MAX_CHARACTERS:
            errors[field] = f"Please use at most {MAX_CHARACTERS} characters."
    if len(account.done_by_name) > 150:
        errors["done_by"] = "Please use at most 150 characters."
    return errors


def _fits(finding: Finding | None, branch: ProtectedBranch) -> bool:
    if finding is None or finding.closed_at is not None or finding.project_id != branch.project_id:
        return False
    outside = not KINDS[FindingCode(finding.code)].closes_by_itself
    return outside and finding.branch_id in {None, branch.pk}


def _new_record(
    account: Account,
    branch: ProtectedBranch,
    finding: Finding | None,
    actor: Actor,
    user_id: int,
    done_at: dt.datetime,
    now: dt.datetime,
) -> RetrospectiveRecord:
    """The two texts come first, because the row is written once; so the events name the branch, and then the record."""
    operations = _operations(finding)
    doer = people_with(Capability.READ_REQUESTS).filter(pk=account.done_by_id or 0).first()
    details: dict[str, Detail] = {
        "kind": account.kind.value,
        "environment": branch.environment.value,
        "finding": finding.reference if finding else None,
        "branch_name": branch.name,
        "point_time": account.point_at,
        "submitted_at": done_at,
        "operation_ids": operations or None,
        "means": MEANS,
    }
    why = _event(branch, "retrospective.filed", actor, details, account.why)
    lost = _event(branch, "retrospective.lost", actor, {"means": MEANS}, account.lost)
    return RetrospectiveRecord.objects.create(
        branch=branch,
        kind=account.kind.value,
        finding=finding,
        done_by=doer,
        done_by_name=doer.get_username() if doer else " ".join(account.done_by_name.split()),
        done_at=done_at,
        point_at=account.point_at,
        operation_ids=operations,
        why=why.free_text,
        lost=lost.free_text,
        filed_by_id=user_id,
        filed_by_name=actor.name,
        filed_at=now,
    )


def _operations(finding: Finding | None) -> list[str]:
    found = finding.evidence.get("operation_ids", []) if finding else []
    return [str(each) for each in found if isinstance(each, str)][:50]


def _event(branch: ProtectedBranch, type: str, actor: Actor, details: dict[str, Detail], text: str) -> LedgerEvent:
    return record_event(
        type=type,
        actor=actor,
        target=target_of_branch(branch),
        details=details,
        text=text.strip(),
        sandbox=branch.project.is_sandbox,
    )


def _tell(record: RetrospectiveRecord, type: str, actor: Actor, details: dict[str, Detail]) -> None:
    record_event(
        type=type,
        actor=actor,
        target=target_of_record(record),
        details={"record": record.reference, "means": MEANS}
        | ({"finding": record.finding.reference} if record.finding else {})
        | details,
        sandbox=record.branch.project.is_sandbox,
        correlation=record.reference,
    )
