from __future__ import annotations

import psycopg
import pytest
from django_q.models import OrmQ

from backups.models import Execution, RestoreRequest
from backups.services.observed_now import ask_for_observed_now, read_observed_now, refresh_observed
from backups.services.restore.errors import Refused
from backups.services.restore.votes import withdraw_request
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_to_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def pending(branch: object, people: factories.People) -> RestoreRequest:
    request = factories.submitted(people.alice, branch)  # type: ignore[arg-type]
    run_to_end(Execution.objects.get(request=request, purpose="prepare"))
    request.refresh_from_db()
    return request


def test_it_is_read_again_and_changes_neither_packet_nor_state(
    sandbox: RunningSandbox, pending: RestoreRequest, quiet_database_url: str
) -> None:
    assert pending.packet is not None
    before, digest = pending.packet.observed, pending.packet.digest
    read_observed_now(request_id=pending.pk)
    pending.refresh_from_db()
    assert pending.observed_now is not None
    assert pending.observed_now["tables"] == before["tables"]
    assert pending.observed_now["as_of"] > before["as_of"]
    assert pending.observed_now["rehearsal"] == before["rehearsal"]
    assert (pending.state, pending.packet.digest) == ("pending", digest)


def test_counts_that_move_are_seen_and_void_nothing(
    sandbox: RunningSandbox, pending: RestoreRequest, quiet_database_url: str
) -> None:
    with psycopg.connect(quiet_database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO visits (id, note, created_at) VALUES (999, 'n', now())")
        try:
            found = refresh_observed(pending)
        finally:
            connection.execute("DELETE FROM visits WHERE id = 999")
    assert found["tables"][0]["now"] == 51  # type: ignore[index]
    pending.refresh_from_db()
    assert pending.state == "pending"


def test_a_copy_that_is_gone_leaves_counts_now_and_says_so(sandbox: RunningSandbox, pending: RestoreRequest) -> None:
    pending.owned_branches.update(fate="gone")
    found = refresh_observed(pending)
    row = found["tables"][0]  # type: ignore[index]
    assert (row["now"], row["at_point"], row["lost_at_least"]) == (50, None, None)
    assert row["unknown"]


def test_neon_away_is_an_unknown_and_no_error(sandbox: RunningSandbox, pending: RestoreRequest) -> None:
    sandbox.faults.add("revoke_key", path="/projects")
    found = refresh_observed(pending)
    assert found["tables"] == []
    assert found["sessions"] == {"count": None, "by_application": {}}
    assert any(item["what"] == "tables now" for item in found["unknown"])  # type: ignore[attr-defined]


def test_asking_twice_makes_one_task(pending: RestoreRequest, people: factories.People) -> None:
    OrmQ.objects.all().delete()
    assert ask_for_observed_now(actor=people.bob.actor, request_id=pending.pk)
    assert not ask_for_observed_now(actor=people.carol.actor, request_id=pending.pk)
    assert OrmQ.objects.count() == 1


def test_who_may_not_read_may_not_ask(pending: RestoreRequest, people: factories.People) -> None:
    with pytest.raises(Refused):
        ask_for_observed_now(actor=people.charlie.actor, request_id=pending.pk)


def test_an_ended_request_is_left_alone(
    sandbox: RunningSandbox, pending: RestoreRequest, people: factories.People
) -> None:
    withdraw_request(actor=people.alice.actor, request_id=pending.pk)
    calls = len(sandbox.calls())
    read_observed_now(request_id=pending.pk)
    assert len(sandbox.calls()) == calls
    assert not ask_for_observed_now(actor=people.alice.actor, request_id=pending.pk)
