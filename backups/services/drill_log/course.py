"""The course of an exercise: who took part, and its timeline."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User

from backups.domain.drill_log import DrillAct
from backups.domain.people import Actor
from backups.models import DrillNote, DrillParticipant
from backups.services.drill_log.exercise import facts_of
from backups.services.drill_log.governed import GrantedDrill, demand, on_drill, record_drill, text_errors, words_of
from backups.services.restore.errors import InvalidInput

_MAX_NAME_CHARACTERS, _MAX_PART_CHARACTERS, _MAX_PARTICIPANTS = 150, 120, 100


def add_participant(
    *, actor: Actor, drill_id: int, name: str = "", login: str = "", part: str = "", ran_it: bool = False
) -> DrillParticipant:
    """Somebody who took part: by login, or by name without an account. Raises Refused, InvalidInput.

    `ran_it` says that this person led the exercise; such a person can't sign it off.
    """
    return on_drill(
        actor=actor,
        drill_id=drill_id,
        act=DrillAct.PARTICIPANTS,
        change=lambda granted: _add(granted, name=name.strip(), login=login.strip(), part=part.strip(), ran_it=ran_it),
    )


def remove_participant(*, actor: Actor, drill_id: int, participant_id: int) -> None:
    """Takes somebody off the list again, while the exercise is open. Raises Refused, InvalidInput."""
    on_drill(
        actor=actor,
        drill_id=drill_id,
        act=DrillAct.PARTICIPANTS,
        change=lambda granted: _remove(granted, participant_id),
    )


def add_note(*, actor: Actor, drill_id: int, at: dt.datetime, text: str) -> DrillNote:
    """A line of the timeline: what happened at that moment. Raises Refused, InvalidInput."""
    demand(text_errors("text", text, empty="Say what happened at that time. No patient details, please."))
    return on_drill(
        actor=actor, drill_id=drill_id, act=DrillAct.NOTE, change=lambda granted: _note(granted, at, text.strip())
    )


def _add(granted: GrantedDrill, *, name: str, login: str, part: str, ran_it: bool) -> DrillParticipant:
    person = User.objects.filter(username=login, is_active=True).first() if login else None
    if login and person is None:
        raise InvalidInput({"login": "Nobody has this login. Choose it from the list, or give only a name."})
    shown = person.get_full_name() or person.username if person else name
    _check_participant(granted, shown, part)
    taken = DrillParticipant.objects.create(
        drill=granted.drill, person=person, name=shown[:_MAX_NAME_CHARACTERS], part=part, ran_it=ran_it
    )
    _record_change(granted, person, "added")
    return taken


def _check_participant(granted: GrantedDrill, name: str, part: str) -> None:
    present = granted.drill.participants.all()
    if not name or len(name) > _MAX_NAME_CHARACTERS:
        raise InvalidInput({"name": "Give a name, or choose somebody with an account."})
    if len(part) > _MAX_PART_CHARACTERS:
        raise InvalidInput({"part": f"Please use at most {_MAX_PART_CHARACTERS} characters."})
    if present.filter(name=name).exists():
        raise InvalidInput({"name": "This name is on the list already."})
    if present.count() >= _MAX_PARTICIPANTS:
        raise InvalidInput({"name": f"At most {_MAX_PARTICIPANTS} people can be listed."})


def _remove(granted: GrantedDrill, participant_id: int) -> None:
    found = granted.drill.participants.select_related("person").filter(pk=participant_id).first()
    if found is None:
        raise InvalidInput({"name": "This person is no longer on the list."})
    found.delete()
    _record_change(granted, found.person, "removed")


def _record_change(granted: GrantedDrill, person: User | None, effect: str) -> None:
    """Names without an account stay out of the ledger: they can't be erased there."""
    login = person.get_username() if person else None
    details = {"login": login, "effect": effect, "participants": granted.drill.participants.count()}
    record_drill(granted, "drill.participants_changed", facts_of(granted.drill) | details)


def _note(granted: GrantedDrill, at: dt.datetime, text: str) -> DrillNote:
    if at > granted.now:
        raise InvalidInput({"at": "This time is in the future."})
    event = record_drill(granted, "drill.noted", facts_of(granted.drill) | {"happened_at": at}, text=text)
    return DrillNote.objects.create(
        drill=granted.drill,
        at=at,
        text=words_of(event),
        written_by_name=granted.actor.name,
        written_at=granted.now,
    )
