"""Writing events: with their change or not at all, searchable by what their bytes say."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from backups.domain.ledger import Outcome, Target
from backups.domain.people import SYSTEM, Capability
from backups.ledger.errors import FieldRefused, NotInCatalogue, TextRefused
from backups.models import FreeText, LedgerEvent, Project
from backups.selectors.clock import database_now
from backups.services.ledger import event_sha256, record_event, record_refusal, words_match
from tests.factories import project

pytestmark = pytest.mark.django_db
REQUEST = Target(kind="restore_request", id="R-0007", project="calm-river-12345678", environment="production")


def write(**fields: Any) -> LedgerEvent:
    defaults: dict[str, Any] = {"type": "system.started", "actor": SYSTEM, "details": {"version": "1.0"}}
    return record_event(**(defaults | fields))


def change_with(**event: Any) -> None:
    with transaction.atomic():
        project(name="changed in the same transaction")
        write(**event)


def test_the_columns_are_what_the_bytes_say(people):
    event = write(
        type="request.commented",
        actor=people.bob.actor,
        target=REQUEST,
        details={"request": "R-0007", "question": False},
        text="Which table?",
        ticket="INC-881",
        correlation="R-0007",
    )
    stored = LedgerEvent.objects.get(pk=event.pk)
    members = json.loads(stored.body)
    assert stored.members == members
    assert (stored.type, stored.actor_ref, stored.actor_kind) == ("request.commented", people.bob.actor.ref, "human")
    assert (stored.target_kind, stored.target_id) == ("restore_request", "R-0007")
    assert (stored.project, stored.environment, stored.branch) == ("calm-river-12345678", "production", "")
    assert (stored.outcome, stored.correlation) == ("success", "R-0007")
    assert f"{stored.recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}" == members["rec"]
    assert f"{stored.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}" == members["time"]
    assert stored.actor_name == "bob"
    assert event_sha256(stored) == hashlib.sha256(stored.body.encode()).hexdigest()


def test_words_stay_outside_and_are_bound_by_their_hash(people):
    event = write(type="request.commented", actor=people.bob.actor, target=REQUEST, details={}, text="Which table?")
    words = FreeText.objects.get(event=event)
    assert "Which table?" not in event.body
    assert event.text_commitment in event.body
    assert words.text == "Which table?"
    assert words_match(event, words)
    words.text = "Which tables?"
    assert not words_match(event, words)


def test_the_time_of_recording_is_the_databases(people):
    before = database_now()
    event = write(occurred_at=before - timedelta(seconds=30))
    assert before <= event.recorded_at <= database_now()
    assert event.occurred_at == before - timedelta(seconds=30)


def test_events_of_one_transaction_keep_their_order():
    written = [write().pk for _ in range(20)]
    assert list(LedgerEvent.objects.filter(pk__in=written).values_list("pk", flat=True)) == written[::-1]


@pytest.mark.parametrize(
    ("sandbox", "registered", "world"),
    [
        (True, None, "sandbox"),
        (False, None, "real"),
        (None, True, "sandbox"),
        (None, False, "real"),
        (None, None, "unknown"),
    ],
)
def test_an_event_says_whether_its_project_is_real(sandbox, registered, world):
    if registered is not None:
        project(is_sandbox=registered)
    assert write(target=REQUEST, sandbox=sandbox).world == world


def test_a_real_project_whose_id_a_sandbox_carries_is_no_evidence():
    project(is_sandbox=False)
    project(is_sandbox=True, api_host="http://127.0.0.1:2/api/v2")
    assert write(target=REQUEST).world == "sandbox"


def test_an_event_about_no_project_says_so():
    assert write().world == "portal"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type": "system.guessed"}, NotInCatalogue),
        ({"details": {"patient": "x"}}, NotInCatalogue),
        ({"details": {"version": "napi_CANARY0123456789"}}, FieldRefused),
        ({"type": "request.rejected", "text": "see napi_CANARY0123456789", "details": {}}, TextRefused),
    ],
)
def test_what_may_not_be_written_stops_the_change_as_well(fields, error):
    with pytest.raises(error) as refused:
        change_with(**fields)
    assert "CANARY" not in str(refused.value)
    assert not LedgerEvent.objects.filter(type__in=["system.guessed", "system.started", "request.rejected"]).exists()
    assert not Project.objects.exists()


def test_a_rolled_back_change_leaves_no_event():
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    assert not LedgerEvent.objects.filter(type="system.started").exists()


def test_a_refusal_names_who_what_and_why(people):
    event = record_refusal(
        actor=people.charlie.actor, why="role", target=REQUEST, capability=Capability.VOTE_ON_RESTORE, sandbox=True
    )
    assert (event.type, event.outcome) == ("access.refused", Outcome.DENIED)
    assert event.members["data"] == {"capability": "vote_on_restore", "refused": "role"}


@pytest.mark.parametrize("typed", ["/requests/<script>", "/requests/ü", "x" * 500, "", "two words"])
def test_a_refusal_is_recorded_whatever_was_asked_for(typed):
    assert record_refusal(actor=SYSTEM, why="role", target=Target(kind="page", id=typed)).pk


def test_writing_an_event_costs_two_statements(django_assert_num_queries):
    with django_assert_num_queries(2):
        write(target=REQUEST, sandbox=True)
