"""Events, locks and refusals that everything about a checklist shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import Checklist, LedgerEvent, RetrospectiveRecord
from backups.services.ledger import record_event
from backups.services.restore.errors import Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now
from backups.services.restore.transition import target_of


def lock_checklist(checklist_id: int) -> Checklist:
    """The checklist's row, locked until the transaction ends."""
    return (
        Checklist.objects.select_for_update(of=("self",))
        .select_related("request__branch__project", "record__branch__project", "branch__project")
        .get(pk=checklist_id)
    )


def target_of_record(record: RetrospectiveRecord) -> Target:
    """The record of a restore by hand as the target of an event."""
    return Target(
        kind="retrospective",
        id=record.reference,
        project=record.branch.project.neon_project_id,
        branch=record.branch.neon_branch_id,
        environment=record.branch.environment.value,
    )


def target_of_checklist(checklist: Checklist) -> Target:
    """The restore that the checklist follows."""
    if checklist.record is not None:
        return target_of_record(checklist.record)
    if checklist.request is None:
        raise LookupError("the database lets no checklist be without its restore")
    return target_of(checklist.request)


def record_after(
    checklist: Checklist,
    *,
    type: str,
    actor: Actor,
    details: Mapping[str, Detail] | None = None,
    text: str = "",
) -> LedgerEvent:
    """Writes one event about the checklist, in the caller's transaction."""
    which = "request" if checklist.request is not None else "record"
    return record_event(
        type=type,
        actor=actor,
        target=target_of_checklist(checklist),
        details={which: checklist.reference} | dict(details or {}),
        text=text,
        sandbox=checklist.branch.project.is_sandbox,
        correlation=checklist.reference,
    )


@contextmanager
def working_on(*, actor: Actor, checklist_id: int) -> Iterator[tuple[Checklist, Actor]]:
    """The locked checklist and the actor with the roles of this instant; a refusal is recorded after the rollback."""
    found = Checklist.objects.select_related("request__branch__project", "record__branch__project").get(pk=checklist_id)
    with refusals_recorded(actor=actor, target=target_of_checklist(found)):
        yield lock_checklist(checklist_id), with_roles_of_now(actor)


def need(actor: Actor, capability: Capability, sentence: str) -> int:
    """The account of a person who may do this. Raises Refused."""
    refuse_unless(actor.is_human and actor.may(capability), f"{capability.value}_not_allowed", sentence)
    if actor.user_id is None:
        raise Refused(action=None, code="no_account", sentence="Only somebody with an account can do this.")
    return actor.user_id


def refuse_unless(condition: bool, code: str, sentence: str) -> None:
    """Raises Refused with this code and sentence where the condition does not hold."""
    if not condition:
        raise Refused(action=None, code=code, sentence=sentence)


def refuse(sentence: str | None, code: str) -> None:
    """Raises Refused when a rule of the domain gave a sentence."""
    refuse_unless(sentence is None, code, sentence or "")
