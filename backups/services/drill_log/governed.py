"""The frame of every act of a person on a drill: one transaction, the rules first, refusals recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from backups.domain.drill import DrillState
from backups.domain.drill_log import DrillAct, DrillSituation, refusal
from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.ledger.errors import TextRefused
from backups.ledger.fields import Detail
from backups.ledger.text import check_text
from backups.models import Drill, DrillSignOff, FreeText, LedgerEvent
from backups.selectors.clock import database_now
from backups.selectors.drill_log import ran_by_ids
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

T = TypeVar("T")

MAX_TEXT_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class GrantedDrill:
    """A locked drill, the instant at which the rules were asked, and who acts."""

    drill: Drill
    actor: Actor
    now: dt.datetime


def on_drill(*, actor: Actor, drill_id: int, act: DrillAct, change: Callable[[GrantedDrill], T]) -> T:
    """Locks the drill, asks the rules, and lets `change` work in the same transaction.

    Raises Refused; the refusal is in the ledger by then. Raises InvalidInput when a text may not be kept.
    """
    with refusals_recorded(actor=actor, target=_target_by_key(drill_id)):
        drill = _locked(drill_id)
        granted = GrantedDrill(drill=drill, actor=with_roles_of_now(actor), now=database_now())
        sentence = refusal(act, situation_of(granted.actor, drill))
        if sentence is not None:
            raise Refused(action=None, code=f"drill_{act.value}_not_allowed", sentence=sentence)
        return change(granted)


def situation_of(actor: Actor, drill: Drill) -> DrillSituation:
    """What the rules judge."""
    return DrillSituation(
        actor=actor,
        state=DrillState(drill.state),
        is_automatic=drill.is_automatic,
        is_signed=DrillSignOff.objects.filter(drill=drill).exists(),
        ran_by_ids=ran_by_ids(drill),
    )


def target_of_drill(drill: Drill) -> Target:
    """The drill as the target of an event."""
    branch = drill.branch
    return Target(
        kind="drill",
        id=drill.reference,
        project=drill.project.neon_project_id,
        branch=branch.neon_branch_id if branch else "",
        environment=branch.environment.value if branch else "",
    )


def record_drill(
    granted: GrantedDrill, type: str, details: Mapping[str, Detail] | None = None, *, text: str = ""
) -> LedgerEvent:
    """An event about the drill, in the caller's transaction."""
    drill = granted.drill
    return record_event(
        type=type,
        actor=granted.actor,
        target=target_of_drill(drill),
        details={"drill": drill.reference} | dict(details or {}),
        text=text,
        sandbox=drill.project.is_sandbox,
        correlation=drill.reference,
    )


def words_of(event: LedgerEvent) -> FreeText:
    """The free text that was stored with the event."""
    return FreeText.objects.get(pk=event.pk)


def text_errors(field: str, text: str, *, empty: str) -> dict[str, str]:
    """What is wrong with something that a person wrote; `empty` is the sentence for nothing at all."""
    if not text.strip():
        return {field: empty}
    if len(text) > MAX_TEXT_CHARACTERS:
        return {field: f"Please use at most {MAX_TEXT_CHARACTERS:,} characters."}
    try:
        check_text(text)
    except TextRefused as refused:
        return {field: str(refused)}
    return {}


def demand(errors: Mapping[str, str]) -> None:
    """Raises InvalidInput when there is an error."""
    if errors:
        raise InvalidInput(errors)


def _locked(drill_id: int) -> Drill:
    found = Drill.objects.select_for_update(of=("self",)).select_related("project", "branch__project")
    drill = found.filter(pk=drill_id).first()
    if drill is None:
        raise Refused(action=None, code="unknown_drill", sentence="There is no such drill. Nothing was changed.")
    return drill


def _target_by_key(drill_id: int) -> Target:
    return Target(kind="drill", id=f"D-{drill_id:04d}")
