"""Losses that were planted must never pass, each by the check that is there for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backups.verification import Dsn
from demo.traffic import Traffic
from tests.support.worker import wait_until
from tests.verification.story import (
    FAILED,
    INCONCLUSIVE,
    PASSED,
    Story,
    failures,
    not_passed,
    verify,
    verify_only,
    with_policy,
)
from tests.verification.timeline import PASSWORD


def test_right_restore_passes_every_check(story: Story) -> None:
    _, context = story.branch()
    assert not_passed(verify(context)) == {}


def test_point_too_late_fails(story: Story) -> None:
    _, context = story.branch(story.late)
    found = failures(verify(context))
    assert {"no_commit_between", "public.medication_logs"} <= found


def test_point_too_late_fails_without_commit_times(story: Story) -> None:
    _, context = story.branch(story.late, track_commit_timestamp="off")
    found = failures(verify(context))
    assert {"no_commit_between", "public.medication_logs"} <= found


def test_point_too_early_fails(story: Story) -> None:
    _, context = story.branch(story.early)
    results = verify(context)
    assert "public.medication_logs" in failures(results)
    assert results["server_restarted"].outcome is FAILED


@pytest.mark.parametrize("commit_times", ["on", "off"])
def test_point_too_early_fails_while_clients_write(story: Story, commit_times: str) -> None:
    """Their new rows take the transaction ids of the missing ones, and must not hide that."""
    node, context = story.branch(story.early, track_commit_timestamp=commit_times)
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(200)
        assert "public.medication_logs" in failures(verify(context))


def test_nothing_restored_fails(story: Story) -> None:
    submitted_at = story.timeline.now()
    context = story.judged(story.timeline.main, submitted_at)
    found = failures(verify(context))
    assert {"server_restarted", "no_commit_between", "public.medication_logs"} <= found


def test_each_damage_to_the_structure_fails_its_own_check(story: Story) -> None:
    node, context = story.branch()
    node.execute("DROP TABLE documents")
    node.execute("TRUNCATE measurements")
    node.execute("ALTER TABLE legacy_notes DROP COLUMN body")
    node.execute("SELECT setval('appointments_id_seq', 7)")
    node.execute("DELETE FROM django_migrations WHERE id = 4")
    node.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'medication_logs_created'::regclass")
    node.execute("ALTER TABLE users ADD CONSTRAINT named CHECK (display_name <> '') NOT VALID")
    node.execute("SET session_replication_role = replica; UPDATE appointments SET care_recipient_id = -1 WHERE id = 3")
    results = verify(with_policy(context, required_tables=("documents", "public.users")))
    assert failures(results) == {
        "required_tables",
        "schema",
        "public.documents",
        "public.measurements",
        "sequences",
        "migration_head",
        "indexes_valid",
        "constraints_validated",
        "constraints_hold",
    }
    assert results["required_tables"].figures == {"missing": ["public.documents"]}
    assert results["public.legacy_notes"].outcome is INCONCLUSIVE
    assert results["sequences"].figures["behind"] == ["public.appointments_id_seq"]
    assert results["constraints_hold"].figures["broken"] == {
        "public.appointments.appointments_care_recipient_id_fkey": 1
    }


def test_sequence_that_was_never_used_is_not_called_sound(story: Story) -> None:
    node, context = story.branch()
    node.execute("ALTER SEQUENCE appointments_id_seq RESTART")
    assert verify_only("sequences", context).outcome is INCONCLUSIVE


@pytest.mark.parametrize("statement", [
    "DELETE FROM documents WHERE title LIKE '%1'",
    "UPDATE documents SET title = 'changed' WHERE title LIKE '%1'",
    "INSERT INTO documents (care_recipient_id, title, body) VALUES (1, 'x', 'x')",
])  # fmt: skip
def test_copy_that_was_written_to_fails(story: Story, statement: str) -> None:
    """The reference no longer is the state at the point, whichever way its rows were changed."""
    _, context = story.branch()
    written = story.timeline.copy_at(story.point)
    written.execute(statement)
    results = verify(replace(context, reference=Dsn(written.dsn)))
    assert "public.documents" in failures(results)


def test_copy_with_fewer_rows_than_approved_fails(story: Story) -> None:
    _, context = story.branch()
    (rows,) = story.reference.execute("SELECT count(*) FROM users")[0]
    assert verify_only("as_approved", replace(context, known_rows={"users": rows})).outcome is PASSED
    assert verify_only("as_approved", replace(context, known_rows={"users": rows + 1})).outcome is FAILED


@pytest.mark.parametrize("rows", [1, 60])
def test_rows_that_vanish_on_the_branch_fail(story: Story, rows: int) -> None:
    """Nobody deleted them: their place in the file is declared dead, as damage would leave it."""
    node, context = story.branch()
    (places,) = node.execute(
        "SELECT array_agg(place)::text FROM (SELECT ctid AS place FROM documents ORDER BY id LIMIT %s) AS x", rows
    )[0]
    node.execute("SELECT heap_force_kill('documents', %s::tid[])", places)
    results = verify(context)
    assert failures(results) == {"public.documents"}
    assert results["public.documents"].figures["gone"] == rows


def test_rows_that_vanish_among_deletions_of_other_tables_fail(story: Story) -> None:
    node, context = story.branch()
    node.execute("SELECT heap_force_kill('users', ARRAY['(0,3)'::tid, '(0,4)'::tid])")
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(300)
        assert "public.users" in failures(verify(context))


def test_few_deletions_by_clients_pass_and_many_need_a_person(story: Story) -> None:
    node, context = story.branch()
    node.execute("DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY id LIMIT 5)")
    results = verify(context)
    assert results["public.notifications"].outcome is PASSED
    assert "5 deleted since by clients" in results["public.notifications"].sentence
    node.execute("DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY id LIMIT 100)")
    results = verify(context)
    assert not_passed(results) == {
        "public.notifications": (
            "inconclusive",
            "Could not tell: 105 rows deleted since by clients, more than the 25 that pass without a look.",
        )
    }


def test_deletions_are_not_explained_by_counters_that_do_not_reach_back(story: Story) -> None:
    node, context = story.branch()
    node.execute("DELETE FROM notifications WHERE id = 9")
    # The server that deleted may tell of it only when it ends, which can be after the next one was asked.
    deleted = "SELECT pg_stat_get_tuples_deleted('notifications'::regclass)"
    wait_until(lambda: node.execute(deleted)[0][0] > 0, "the deletion is counted")
    node.execute("SELECT pg_stat_reset()")
    assert verify_only("public.notifications", context).outcome is INCONCLUSIVE


def test_branch_that_does_not_answer_fails_its_connection(story: Story) -> None:
    node, context = story.branch()
    node.cluster.stop()
    result = verify_only("connection", context)
    assert result.outcome is FAILED
    assert PASSWORD not in result.sentence
