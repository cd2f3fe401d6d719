"""Filing by a log position, against a real branch that is asked how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backups.models import ProtectedBranch, RestoreRequest
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.admin.test_filing import NEW, typed
from tests.admin.test_pages_show import text_of
from tests.services.sandboxes import in_care, main_branch

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(storage="postgres") as running:
        yield running


@pytest.fixture
def main(sandbox: RunningSandbox) -> ProtectedBranch:
    return main_branch(in_care(sandbox))


@pytest.fixture
def alice(people: Any, log_in: Any) -> Any:
    return log_in(people.alice)


def test_a_position_beyond_the_head_gets_a_sentence_beside_its_field_and_changes_nothing(alice, main):
    answer = alice.post(NEW, typed(main, point_kind="lsn", point_lsn="FF/0"))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "The branch has only reached 0/" in text_of(answer)
    assert html.index('name="point_lsn"') < html.index("has only reached") < html.index('name="kind"')
    assert 'value="FF/0"' in html
    assert not RestoreRequest.objects.exists()


def test_a_position_that_the_branch_has_reached_is_filed(alice, main, sandbox):
    with psycopg.connect(sandbox.dsn()) as connection:
        row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert row is not None
    alice.post(NEW, typed(main, point_kind="lsn", point_lsn=row[0]))
    assert RestoreRequest.objects.get().point_lsn == row[0]


def test_a_branch_that_does_not_answer_leaves_the_question_to_the_worker(alice, main):
    ProtectedBranch.objects.filter(pk=main.pk).update(neon_branch_id="br-gone-away-12345678")
    alice.post(NEW, typed(main, point_kind="lsn", point_lsn="FF/0"))
    assert RestoreRequest.objects.get().point_lsn == "FF/0"
