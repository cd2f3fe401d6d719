"""The only writers of the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import connection, transaction

from backups.domain.ledger import NO_TARGET, Outcome, Target
from backups.domain.people import Actor, Capability
from backups.ledger.catalogue import CATALOGUE
from backups.ledger.fields import MAX_ID_CHARACTERS, Detail
from backups.ledger.identifiers import uuid7
from backups.ledger.record import Happening, World, record_bytes
from backups.ledger.text import seal_text, text_matches
from backups.models.ledger import FreeText, LedgerEvent
from backups.models.project import Project
from backups.selectors.clock import database_now


class NotInTransaction(RuntimeError):
    """An event was to be written apart from the change that it describes."""


def record_event(
    *,
    type: str,
    actor: Actor,
    target: Target = NO_TARGET,
    outcome: Outcome = Outcome.SUCCESS,
    details: Mapping[str, Detail] | None = None,
    text: str = "",
    reason_code: str = "",
    ticket: str = "",
    sandbox: bool | None = None,
    correlation: str = "",
    occurred_at: datetime | None = None,
) -> LedgerEvent:
    """Writes one event in the transaction that is open, so that the change and its event stand or fall together.

    `details` may hold only what the catalogue lists for the type. `text` is what a person wrote; the event gets
    its salted hash. `sandbox` tells what the target's project is; without it the project is looked up.
    Raises NotInTransaction, and LedgerError (a ValueError) when the event may not be written as it is.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(f"{type} was not recorded: open the transaction of the change first.")
    now = database_now()
    sealed = seal_text(text, confirmed=actor.may_write) if text else None
    event_id = uuid7(now)
    body = record_bytes(
        Happening(
            id=event_id,
            type=type,
            occurred_at=occurred_at or now,
            recorded_at=now,
            actor=actor,
            target=target,
            outcome=outcome,
            world=_world(target, sandbox),
            details={**(details or {}), "scan_overridden": sorted(actor.scan_overridden) or None},
            reason_code=reason_code,
            ticket=ticket,
            text_commitment=sealed.commitment if sealed else "",
            correlation=correlation,
        )
    )
    event = _inserted(event_id, body.decode("utf-8"), actor.name)
    if sealed:
        FreeText.objects.create(event=event, salt=sealed.salt, text=sealed.text)
    return event


def record_refusal(
    *,
    actor: Actor,
    why: str,
    target: Target = NO_TARGET,
    capability: Capability | None = None,
    details: Mapping[str, Detail] | None = None,
    sandbox: bool | None = None,
) -> LedgerEvent:
    """Records that an act was refused; `why` is a code such as `own_request`, never a sentence.

    Call it when the refused transaction has been rolled back: it opens one of its own and raises RuntimeError
    inside another, because there the rollback would erase it.
    """
    facts: dict[str, Detail] = {"refused": why, "capability": capability.value if capability else None}
    with transaction.atomic(durable=True):
        return record_event(
            type="access.refused",
            actor=actor,
            target=_recordable(target),
            outcome=Outcome.DENIED,
            details=facts | dict(details or {}),
            sandbox=sandbox,
        )


@cache
def event_meanings() -> dict[str, str]:
    """Every type of event and what it means, in the order of the catalogue."""
    return {declared.code: declared.meaning for declared in CATALOGUE.values()}


def event_sha256(event: LedgerEvent) -> str:
    """The hash of the event's exact bytes."""
    return hashlib.sha256(event.body.encode("utf-8")).hexdigest()


def words_match(event: LedgerEvent, words: FreeText) -> bool:
    """Whether the stored text is the one that the event committed to; False also for an erased one."""
    return not words.erased_at and text_matches(text=words.text, salt=words.salt, commitment=event.text_commitment)


_INSERT = "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, %s)"


def _inserted(event_id: UUID, body: str, actor_name: str) -> LedgerEvent:
    """The other columns are the database's to fill; they are read when somebody asks for them."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [event_id, body, actor_name])
    return LedgerEvent.from_db(connection.alias, ("id", "body", "actor_name"), (event_id, body, actor_name))


def _recordable(target: Target) -> Target:
    """A refused act may name anything as its target, an address typed by hand included."""
    plain = re.sub(r"[^A-Za-z0-9_.:@/+#-]", "_", target.id)[:MAX_ID_CHARACTERS]
    return target if plain and plain == target.id else replace(target, id=plain or "unknown")


def _world(target: Target, sandbox: bool | None) -> World:
    if sandbox is None and target.project:
        return _world_of_project(target.project)
    if sandbox is None:
        return World.PORTAL
    return World.SANDBOX if sandbox else World.REAL


def _world_of_project(neon_project_id: str) -> World:
    """A sandbox may carry a real project's id; then nothing said about that id is evidence."""
    kinds = set(Project.objects.filter(neon_project_id=neon_project_id).values_list("is_sandbox", flat=True))
    if not kinds:
        return World.UNKNOWN
    return World.SANDBOX if True in kinds else World.REAL
