"""What can't be told is said, with its reason: it neither passes nor fails."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from backups.verification import CheckContext, Dsn, plan_checks
from demo.traffic import Traffic
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
from tests.verification.timeline import Timeline

NEW_HELPER = "INSERT INTO care_team SELECT 1, 1000 + i, 'helper' FROM generate_series(1, 3) i"


def test_rows_without_a_time_are_judged_by_commit_times(story: Story) -> None:
    node, context = story.branch()
    node.execute(NEW_HELPER)
    result = verify_only("public.care_team", context)
    assert result.sentence == "200 of 200 rows as at the point; 3 added since by clients."


def test_rows_without_any_time_can_not_be_told(story: Story) -> None:
    node, context = story.branch(track_commit_timestamp="off")
    node.execute(NEW_HELPER)
    assert not_passed(verify(context)) == {
        "public.care_team": (
            "inconclusive",
            "Could not tell: written to since; 3 rows without a time of writing.",
        )
    }


def test_rows_without_a_time_are_judged_by_the_order_of_transactions(story: Story) -> None:
    """A row of another table says that it was written after the submission; all later ids are later as well."""
    node, context = story.branch(track_commit_timestamp="off")
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(5)
    node.execute(NEW_HELPER)
    assert not_passed(verify(replace(context, statistics_settle_seconds=12))) == {}


def test_table_without_a_key_passes_untouched_and_grown_but_not_changed(story: Story) -> None:
    node, context = story.branch()
    assert verify_only("public.measurements", context).outcome is PASSED
    node.execute("INSERT INTO measurements VALUES (7, 7)")
    assert verify_only("public.measurements", context).outcome is PASSED
    node.execute("UPDATE measurements SET value = 99 WHERE recipient = 3")
    result = verify_only("public.measurements", context)
    assert result.outcome is INCONCLUSIVE
    assert "without a key" in result.sentence


def test_time_without_a_zone_does_not_prove_anything(story: Story) -> None:
    node, context = story.branch(track_commit_timestamp="off")
    between = (story.point + dt.timedelta(milliseconds=1)).replace(tzinfo=None)
    node.execute("INSERT INTO legacy_notes VALUES ('new', 'note', %s)", between)
    result = verify_only("public.legacy_notes", context)
    assert result.outcome is INCONCLUSIVE
    assert "without a zone" in result.sentence


def test_client_that_repeats_a_lost_write_with_its_old_time(story: Story) -> None:
    between = story.point + dt.timedelta(milliseconds=1)
    replay = "INSERT INTO appointments (care_recipient_id, title, starts_at, created_at) VALUES (1, 'x', now(), %s)"
    node, context = story.branch()
    node.execute(replay, between)
    assert verify_only("public.appointments", context).outcome is INCONCLUSIVE
    node, context = story.branch(track_commit_timestamp="off")
    node.execute(replay, between)
    assert verify_only("public.appointments", context).outcome is FAILED


def test_time_columns_can_be_chosen(story: Story) -> None:
    """`starts_at` is about a visit, not about the row, unless somebody says otherwise."""
    node, context = story.branch(track_commit_timestamp="off")
    between = story.point + dt.timedelta(milliseconds=1)
    node.execute("INSERT INTO appointments (care_recipient_id, title, starts_at) VALUES (1, 'x', %s)", between)
    assert verify_only("public.appointments", context).outcome is PASSED
    chosen = with_policy(context, write_time_columns={"public.appointments": ("starts_at",)})
    assert verify_only("public.appointments", chosen).outcome is FAILED


def test_restore_to_an_lsn_whose_time_is_not_known(story: Story) -> None:
    _, context = story.branch()
    assert not_passed(verify(replace(context, point_at=None))) == {}
    _, context = story.branch(story.late)
    assert "public.medication_logs" in failures(verify(replace(context, point_at=None)))


def test_deletion_as_the_last_act_before_an_lsn_is_part_of_the_point(new_timeline: Callable[..., Timeline]) -> None:
    """It leaves no row that could say when the point was."""
    timeline = new_timeline()
    timeline.main.execute("INSERT INTO appointments (care_recipient_id, title, starts_at) VALUES (1, 'x', now())")
    timeline.main.execute("DELETE FROM notifications WHERE id = 2")
    (lsn,) = timeline.main.execute("SELECT pg_current_wal_flush_lsn()::text")[0]
    timeline.mark()
    reference, submitted_at = timeline.copy_at(lsn), timeline.now()
    branch = timeline.copy_at(lsn)
    context = CheckContext(branch=Dsn(branch.dsn), reference=Dsn(reference.dsn), submitted_at=submitted_at)
    assert not_passed(verify(context)) == {}


@pytest.fixture
def reader(story: Story):
    """A role that may read some tables, as a portal with too few rights would be."""
    node, context = story.branch()
    reference = story.timeline.copy_at(story.point)
    for side in (node, reference):
        side.execute("CREATE ROLE reader LOGIN PASSWORD 'synthetic'")
        side.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        side.execute("REVOKE SELECT ON documents FROM reader")
        side.execute("ALTER TABLE families ENABLE ROW LEVEL SECURITY")
    as_reader = [Dsn(side.dsn.replace("cloud_admin", "reader")) for side in (node, reference)]
    return replace(context, branch=as_reader[0], reference=as_reader[1])


def test_rows_that_are_hidden_from_the_role_are_not_called_gone(reader: CheckContext) -> None:
    found = not_passed(verify(reader))
    assert found.keys() == {
        "public.documents",
        "public.families",
        "Ward 7.100% of {beds}; --",
        "sequences",
        "constraints_hold",
    }
    assert all(outcome == "inconclusive" for outcome, _ in found.values())
    assert found["public.documents"][1] == "Could not tell: at the point, the role may not read it."


def test_locked_table_is_named_instead_of_waited_for(story: Story) -> None:
    node, context = story.branch()
    with psycopg.connect(node.dsn) as other:
        other.execute("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE")
        result = verify_only("public.documents", context)
    assert result.outcome is INCONCLUSIVE
    assert "locked" in result.sentence


def test_copy_that_stands_alone_gets_the_checks_that_need_no_reference(story: Story) -> None:
    context = CheckContext(branch=Dsn(story.reference.dsn))
    assert {spec.code for spec in plan_checks(context)} == {
        "connection", "required_tables", "sequences", "constraints_validated", "constraints_hold", "indexes_valid",
    }  # fmt: skip
    assert not_passed(verify(context)) == {}


def test_policy_says_what_is_required(story: Story) -> None:
    _, context = story.branch()
    chosen = with_policy(context, required_checks=frozenset({"sequences"}))
    assert {spec.code for spec in plan_checks(chosen) if spec.required} == {"sequences"}
    assert all(spec.required for spec in plan_checks(context))


def test_defects_of_the_point_itself_are_not_blamed_on_the_restore(story: Story) -> None:
    node, context = story.branch()
    worse = story.timeline.copy_at(story.point)
    for side in (node, worse):
        side.execute("ALTER TABLE users ADD CONSTRAINT named CHECK (display_name <> '') NOT VALID")
    result = verify_only("constraints_validated", replace(context, reference=Dsn(worse.dsn)))
    assert result.outcome is INCONCLUSIVE
    assert result.sentence.endswith("It was so at the point as well.")
