"""Corrective actions that a review asks for; moving and finishing them is the same as for those of drills."""

from __future__ import annotations

import datetime as dt

from backups.domain.people import Actor, Capability
from backups.models import CorrectiveAction
from backups.services.afterwards.records import need, working_on
from backups.services.corrective_action import add_action_in_transaction
from backups.services.restore.errors import InvalidInput


def add_review_action(
    *, actor: Actor, checklist_id: int, title: str, owner_id: int | None, due_on: dt.date | None
) -> CorrectiveAction:
    """Gives somebody something to do. The title holds no patient's details. Raises Refused, InvalidInput."""
    with working_on(actor=actor, checklist_id=checklist_id) as (checklist, person):
        need(person, Capability.WORK_AFTERWARDS, "Your role does not let you give out corrective actions.")
        if due_on is None:
            raise InvalidInput({"due_on": "Say by which day."})
        return add_action_in_transaction(
            actor=person,
            title=" ".join(title.split()),
            owner_id=owner_id or 0,
            due_on=due_on,
            restore_request=checklist.request,
            record=checklist.record,
        )
