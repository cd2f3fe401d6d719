"""The canary: who turns it on, that it is written when due, and that one dead branch delays no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from backups.models import Canary, CanaryBeat, LedgerEvent, ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill_copies import silent_canaries
from backups.services.canary import set_up_canary, stop_canary
from backups.services.canary_beat import beat_due_canaries, forget_addresses
from backups.services.restore.errors import InvalidInput, Refused
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.factories import People
from tests.support.database import PortalDatabases

pytestmark = pytest.mark.django_db

DEAD = "postgresql://carecircle_owner@127.0.0.1:1/carecircle?connect_timeout=1"


@pytest.fixture
def client_url(portal_databases: PortalDatabases) -> Iterator[str]:
    """A database of its own, because the canary is the one thing that writes."""
    name = sql.Identifier("canary_client_database")
    portal_databases.administrate(sql.SQL("CREATE DATABASE {}").format(name))
    yield portal_databases.server.url("canary_client_database")
    portal_databases.administrate(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def canary(sandbox: RunningSandbox, branch: ProtectedBranch, people: People, client_url: str) -> Iterator[Canary]:
    sandbox.settings(connection_uri=client_url)
    forget_addresses()
    yield set_up_canary(actor=people.bob.actor, branch_id=branch.pk)
    forget_addresses()


def due_again() -> None:
    Canary.objects.update(next_at=database_now())


def events(kind: str) -> int:
    return LedgerEvent.objects.filter(type=kind).count()


def test_it_writes_one_numbered_row_when_it_is_due(canary: Canary, client_url: str) -> None:
    assert (beat_due_canaries(), beat_due_canaries()) == (1, 0)
    due_again()
    assert beat_due_canaries() == 1
    with psycopg.connect(client_url) as connection:
        written = connection.execute("SELECT number, written_at FROM ops_canary.beat ORDER BY number").fetchall()
    assert written == list(CanaryBeat.objects.order_by("number").values_list("number", "written_at"))
    assert [number for number, _ in written] == [1, 2]
    canary.refresh_from_db()
    assert (canary.last_number, canary.problem) == (2, "")


def test_its_address_is_asked_for_once(canary: Canary, sandbox: RunningSandbox) -> None:
    beat_due_canaries()
    before = len(sandbox.calls())
    due_again()
    beat_due_canaries()
    assert len(sandbox.calls()) == before


def test_numbers_go_on_after_the_branch_went_back(canary: Canary, client_url: str) -> None:
    """A restore to before the canary takes the table away, and may not make a number mean two things."""
    beat_due_canaries()
    with psycopg.connect(client_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA ops_canary CASCADE")
    due_again()
    assert beat_due_canaries() == 1
    assert sorted(CanaryBeat.objects.values_list("number", flat=True)) == [1, 2]


def test_trouble_is_told_once_and_its_end_too(canary: Canary, sandbox: RunningSandbox, client_url: str) -> None:
    sandbox.settings(connection_uri=DEAD)
    assert beat_due_canaries() == 0
    due_again()
    assert beat_due_canaries() == 0
    canary.refresh_from_db()
    assert canary.problem == "The branch took no connection."
    assert canary.problem_since is not None
    assert canary.next_at > database_now()
    assert events("canary.failed") == 1
    sandbox.settings(connection_uri=client_url)
    due_again()
    assert beat_due_canaries() == 1
    canary.refresh_from_db()
    assert (canary.problem, events("canary.recovered")) == ("", 1)


def test_a_branch_that_neon_lacks_stops_no_other(canary: Canary, branch: ProtectedBranch, people: People) -> None:
    other = factories.branch(branch.project, neon_branch_id="br-dead-sea-12345678", name="other", is_default=False)
    set_up_canary(actor=people.alice.actor, branch_id=other.pk)
    beat_due_canaries()
    assert CanaryBeat.objects.filter(branch=branch).count() == 1
    row = Canary.objects.get(branch=other)
    assert row.last_number is None
    assert "Neon" in row.problem


def test_production_restores_come_first(
    canary: Canary, branch: ProtectedBranch, people: People, sandbox: RunningSandbox
) -> None:
    factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    assert beat_due_canaries() == 0
    assert not CanaryBeat.objects.exists()


def test_old_beats_are_forgotten_after_the_history_and_a_day(canary: Canary, branch: ProtectedBranch) -> None:
    history = dt.timedelta(seconds=branch.project.history_retention_seconds or 0)
    for number, age in ((-2, history + dt.timedelta(hours=25)), (-1, history + dt.timedelta(hours=23))):
        CanaryBeat.objects.create(branch=branch, number=number, written_at=database_now() - age)
    beat_due_canaries()
    assert sorted(CanaryBeat.objects.values_list("number", flat=True)) == [-1, 1]


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_others_may_not_have_anything_written(branch: ProtectedBranch, people: People, name: str) -> None:
    with pytest.raises(Refused, match="change what is written into this branch"):
        set_up_canary(actor=getattr(people, name).actor, branch_id=branch.pk)
    assert (Canary.objects.count(), events("access.refused")) == (0, 1)


def test_a_pace_that_is_no_pace_is_said_beside_the_field(branch: ProtectedBranch, people: People) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_up_canary(actor=people.alice.actor, branch_id=branch.pk, every_seconds=1)
    assert "between 5 and 3600" in refused.value.errors["every_seconds"]


def test_stopped_it_is_written_no_more(canary: Canary, branch: ProtectedBranch, people: People) -> None:
    stop_canary(actor=people.alice.actor, branch_id=branch.pk)
    assert beat_due_canaries() == 0
    with pytest.raises(Refused, match="no canary that is on"):
        stop_canary(actor=people.alice.actor, branch_id=branch.pk)
    assert (events("canary.set_up"), events("canary.stopped")) == (1, 1)


def test_silence_shows(canary: Canary, branch: ProtectedBranch) -> None:
    beat_due_canaries()
    grace = dt.timedelta(minutes=2)
    assert silent_canaries(branch.project, now=database_now(), grace=grace) == []
    later = database_now() + dt.timedelta(minutes=4)
    assert [each.pk for each in silent_canaries(branch.project, now=later, grace=grace)] == [canary.pk]
