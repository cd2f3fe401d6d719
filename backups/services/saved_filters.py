"""Filters of the list of events that people keep under a name."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.models import User

from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import SavedFilter
from backups.models.saved_filter import MAX_NAME, MAX_QUERY
from backups.services.ledger import record_event
from backups.services.reading import Narrowed, canonical_filter, filter_hash
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now

MOST_FILTERS = 40


def save_filter(*, actor: Actor, name: str, narrowed_by: Narrowed) -> SavedFilter:
    """Keeps the filter for this person. Raises Refused, and InvalidInput about `name`: then nothing was kept.

    The event holds the filter's keyed hash: neither the name nor what is looked for.
    """
    with refusals_recorded(actor=actor, target=_target("new")):
        owner = account_of(_reader(actor))
        # One at a time for each person: a name sent twice is refused in words, not by the constraint.
        User.objects.select_for_update().get(pk=owner)
        name, query = " ".join(name.split()), urlencode(canonical_filter(narrowed_by), doseq=True)
        _check(owner, name, query)
        saved = SavedFilter.objects.create(owner_id=owner, name=name, query=query)
        details: dict[str, Detail] = {"filter_sha256": filter_hash(narrowed_by)}
        record_event(type="ledger.filter_saved", actor=actor, target=_target(str(saved.pk)), details=details)
        return saved


def remove_filter(*, actor: Actor, filter_id: int) -> str:
    """Forgets one of this person's own filters and returns its name. Raises Refused."""
    with refusals_recorded(actor=actor, target=_target(str(filter_id))):
        owner = account_of(_reader(actor))
        saved = SavedFilter.objects.select_for_update().filter(pk=filter_id, owner=owner).first()
        if saved is None:
            raise Refused(
                action=None, code="filter_not_own", sentence="You have no such filter. It may be removed already."
            )
        record_event(type="ledger.filter_removed", actor=actor, target=_target(str(saved.pk)))
        saved.delete()
        return saved.name


def _check(owner: int, name: str, query: str) -> None:
    mine = SavedFilter.objects.filter(owner=owner)
    sentence = ""
    if not name or len(name) > MAX_NAME:
        sentence = f"Give the filter a name of at most {MAX_NAME} characters."
    elif not query:
        sentence = "Narrow the list first; there is nothing to keep yet."
    elif len(query) > MAX_QUERY:
        sentence = "This filter is too long to be kept. Search for fewer words."
    elif mine.filter(name=name).exists():
        sentence = "You have a filter of this name. Choose another name, or remove that one first."
    elif mine.count() >= MOST_FILTERS:
        sentence = f"You have {MOST_FILTERS} filters already. Remove one first."
    if sentence:
        raise InvalidInput({"name": sentence})


def _reader(actor: Actor) -> Actor:
    person = with_roles_of_now(actor)
    if not person.may(Capability.READ_LEDGER):
        raise Refused(action=None, code="filters_not_allowed", sentence="Only readers of the audit log keep filters.")
    return person


def _target(filter_id: str) -> Target:
    return Target(kind="saved_filter", id=filter_id)
