"""What is written about those who read the record."""

from __future__ import annotations

import pytest
from django.db import transaction

from backups.domain.ledger import Target
from backups.models import LedgerEvent
from backups.services.reading import filter_hash, record_reading

pytestmark = pytest.mark.django_db
SSN = "078-05-1120"


def test_reading_is_one_event(people):
    event = record_reading(actor=people.dana.actor, page="events", target=Target(kind="event", id="e-1"))
    assert (event.type, event.actor_ref, event.target_id) == ("ledger.read", people.dana.actor.ref, "e-1")
    assert event.members["data"] == {"page": "events"}
    assert LedgerEvent.objects.filter(type__startswith="ledger.").count() == 1


def test_a_search_is_known_by_its_hash_and_not_by_its_words(people):
    event = record_reading(actor=people.dana.actor, page="events", narrowed_by={"q": SSN, "type": ""})
    assert event.type == "ledger.searched"
    assert event.members["data"]["filter_sha256"] == filter_hash({"q": SSN})
    assert SSN not in event.body


def test_a_filter_that_says_nothing_is_a_reading(people):
    event = record_reading(actor=people.dana.actor, page="events", narrowed_by={"q": "", "type": []})
    assert event.type == "ledger.read"


def test_the_same_filter_has_the_same_hash_in_any_order():
    assert filter_hash({"b": ["2", "1"], "a": "x"}) == filter_hash({"a": ["x"], "b": ["1", "2"], "c": ""})
    assert filter_hash({"a": "x"}) != filter_hash({"a": "y"})


def test_the_hash_of_a_search_cannot_be_found_by_trying(settings):
    """Without the portal's secret nobody can compute it."""
    before = filter_hash({"q": SSN})
    settings.SECRET_KEY = "another"
    assert filter_hash({"q": SSN}) != before


def test_reading_outside_a_transaction_of_its_own_is_refused(people):
    """A later rollback would erase that somebody read."""
    with transaction.atomic(), transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        record_reading(actor=people.dana.actor, page="events")
