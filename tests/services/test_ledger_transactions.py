"""What needs real transactions: an event apart from its change, and a refusal that a rollback would erase."""

from __future__ import annotations

import pytest
from django.db import transaction

from backups.domain.people import SYSTEM
from backups.models import LedgerEvent
from backups.services.ledger import NotInTransaction, record_event, record_refusal

pytestmark = pytest.mark.usefixtures("own_database")


def test_an_event_outside_a_transaction_is_refused():
    with pytest.raises(NotInTransaction, match=r"system\.started"):
        record_event(type="system.started", actor=SYSTEM)
    assert not LedgerEvent.objects.exists()


def test_a_refusal_survives_the_rollback_that_it_follows():
    with transaction.atomic():
        record_event(type="system.started", actor=SYSTEM)
        transaction.set_rollback(True)
    record_refusal(actor=SYSTEM, why="role")
    assert [event.type for event in LedgerEvent.objects.all()] == ["access.refused"]


def test_a_refusal_inside_a_transaction_would_be_lost_and_is_an_error():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        record_refusal(actor=SYSTEM, why="role")
