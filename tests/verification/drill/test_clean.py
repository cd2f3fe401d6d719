"""A copy that is as it should be passes every check, whatever was written at the source since."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from backups.domain.execution import CheckOutcome
from backups.verification.drill import CODES, CheckPack, Operator, OwnCheck, PlannedCheck, plan_checks, run_check
from tests.verification.drill.databases import POINT, Sides, not_passed, to_the_end


def test_every_check_passes_on_a_right_copy(sides: Sides) -> None:
    sides.pack = CheckPack(required_tables=("doses", "public.families"), rpo_objective_seconds=3600)
    found = sides.run_all()
    assert not_passed(found) == {}
    assert {code for code, _ in found} == set(CODES) - {"canary", "own"}
    for table in ("public.doses", "public.tags", "Ward 7.100% of {beds}; --"):
        figures = found["fingerprint", table].figures
        assert figures["fingerprint"] == figures["source_fingerprint"]
        assert len(figures["fingerprint"]) == 32
    assert found["fingerprint", "public.doses"].figures["by_text"] == ["facts", "place"]
    assert found["indexes_sound", ""].figures == {
        "sound": 8, "broken": [], "not_checked": [], "too_large": [], "checked_by": {"amcheck": 8},
    }  # fmt: skip
    assert found["newest_row", ""].figures["rpo_seconds"] == 2200


def test_writes_at_the_source_since_are_explained_and_named(sides: Sides) -> None:
    sides.at_source(
        "INSERT INTO doses (family_id, amount, created_at) SELECT 1, 1, timestamptz '2026-03-01 12:30Z'"
        " FROM generate_series(1, 40)",
        "UPDATE doses SET amount = amount + 1 WHERE id <= 30",
        "DELETE FROM doses WHERE id BETWEEN 31 AND 40",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('care', '0005_new', '2026-03-01 12:10Z')",
        "UPDATE families SET name = name || ' renamed' WHERE id = 1",
        "ALTER TABLE tags RENAME TO labels",
    )
    found = sides.run_all()
    assert not_passed(found) == {
        ("row_counts", "public.tags"): "Could not tell: the source no longer has this table.",
        ("fingerprint", "public.tags"): "Could not tell: the source no longer has this table.",
    }
    assert found["tables_present", ""].figures["missing"] == []
    assert "490 of 500 rows" not in found["row_counts", "public.doses"].sentence
    figures = found["fingerprint", "public.doses"].figures
    assert (figures["same"], figures["changed_since"], figures["gone_since"]) == (460, 30, 10)
    assert "as at the point; the source has care.0005_new now" in found["migration_head", ""].sentence


def test_many_rows_gone_at_the_source_pass_only_if_it_counted_them(sides: Sides) -> None:
    sides.at_source("DELETE FROM doses WHERE id <= 100", "SELECT pg_stat_force_next_flush()")
    assert sides.run("row_counts", "public.doses").outcome is CheckOutcome.PASSED
    sides.at_source("SELECT pg_stat_reset()")
    for code in ("row_counts", "fingerprint"):
        verdict = sides.run(code, "public.doses")
        assert verdict.outcome is CheckOutcome.INCONCLUSIVE
        assert "counted 0 deletions" in verdict.sentence


def test_a_row_that_the_source_never_had_fails_once_its_counters_have_had_their_time(sides: Sides) -> None:
    """The counters reach back to before the point, and say that nothing was deleted."""
    sides.changes["point_at"] = dt.datetime.now(dt.UTC)
    assert sides.run("fingerprint", "public.tags").outcome is CheckOutcome.PASSED
    sides.on_copy("INSERT INTO tags SELECT name FROM tags LIMIT 1")
    sides.changes["statistics_settle_seconds"] = 12
    target = sides.target()
    target = target.learn("copy_read", to_the_end(PlannedCheck("copy_read", "", "", "", True), target).figures)
    planned = PlannedCheck("fingerprint", "", "carecircle", "public.tags", True)
    begun = run_check(planned, target)
    assert not begun.has_ended
    assert begun.retry_after_seconds > 0
    ended = run_check(planned, replace(target, statistics_settle_seconds=0), cursor=begun.cursor)
    assert ended.outcome is CheckOutcome.FAILED
    assert "1 row of the copy not at the source, which counted 0 deletions since" in ended.sentence
    sides.changes["statistics_settle_seconds"] = 0
    assert sides.run("row_counts", "public.tags").outcome is CheckOutcome.INCONCLUSIVE


def test_a_table_emptied_at_the_source_since_is_not_held_against_the_copy(sides: Sides) -> None:
    """TRUNCATE counts no deletions: the accident that drills are for must not fail them."""
    sides.changes["point_at"] = dt.datetime.now(dt.UTC)
    sides.at_source("TRUNCATE tags")
    assert sides.run("fingerprint", "public.tags").outcome is CheckOutcome.INCONCLUSIVE
    assert sides.run("row_counts", "public.tags").outcome is CheckOutcome.INCONCLUSIVE


def test_a_table_rewritten_since_can_not_be_told(sides: Sides) -> None:
    sides.at_source("UPDATE families SET name = name || '!'")
    verdict = sides.run("fingerprint", "public.families")
    assert verdict.outcome is CheckOutcome.INCONCLUSIVE
    assert "every row was changed" in verdict.sentence
    sides.pack = CheckPack(changing_tables=("families",))
    planned = [(one.code, one.subject) for one in plan_checks(sides.target())]
    assert ("fingerprint", "public.families") not in planned
    assert ("row_counts", "public.families") in planned


def test_tables_too_large_for_the_source_are_left_alone(sides: Sides) -> None:
    sides.pack = CheckPack(largest_source_bytes=1000)
    for code in ("row_counts", "fingerprint"):
        verdict = sides.run(code, "public.doses")
        assert verdict.outcome is CheckOutcome.INCONCLUSIVE
        assert "too large to be read at the source" in verdict.sentence


def test_plan_names_each_check_once_and_what_is_required(shared: Sides) -> None:
    own = OwnCheck("doses", "Doses are there", "SELECT count(*) FROM doses", Operator.AT_LEAST, "1", required=False)
    pack = CheckPack(
        required_checks=frozenset({"row_counts"}), left_out=frozenset({"roles"}), has_canary=True, own_checks=(own,)
    )
    plan = plan_checks(Sides(shared.server, shared.source, shared.copy, pack).target())
    assert len({(one.database, one.code, one.subject) for one in plan}) == len(plan)
    assert {one.code for one in plan} == set(CODES) - {"roles"}
    assert {one.code for one in plan if one.required} == {"row_counts"}
    assert plan[-1].title == "Doses are there"
    assert all(len(one.title) <= 200 and len(one.code) <= 60 for one in plan)


@pytest.mark.usefixtures("questions_cost_a_second")
def test_interrupted_checks_go_on_where_they_stood_and_find_the_same(sides: Sides, monkeypatch) -> None:
    """Every cursor goes through JSON, as a row of a database keeps it."""
    monkeypatch.setattr("backups.verification.drill.content.ROWS_PER_SLICE", 10)
    sides.on_copy("UPDATE doses SET amount = amount + 1 WHERE id IN (3, 250, 499)")
    target = sides.target()
    calls = 0
    for planned in plan_checks(target):
        cursor = None
        while True:
            verdict = run_check(planned, target, budget_seconds=14, cursor=cursor)
            calls += 1
            if verdict.has_ended:
                break
            cursor = json.loads(json.dumps(verdict.cursor))
        json.dumps(dict(verdict.figures))
        target = target.learn(planned.code, verdict.figures)
        if (planned.code, planned.subject) == ("fingerprint", "public.doses"):
            assert verdict.figures["missing_or_other"] == 3
            assert verdict.outcome is CheckOutcome.FAILED
        else:
            assert verdict.outcome is CheckOutcome.PASSED
    assert calls > 35


def test_no_value_of_a_row_is_in_any_verdict(sides: Sides) -> None:
    marker = "Zebulon-4711"
    sides.at_source("UPDATE families SET name = '?' WHERE id = 2".replace("?", marker))
    changes = (
        "INSERT INTO families (name) VALUES ('?')",
        "SET session_replication_role = replica",
        "UPDATE doses SET family_id = 999, note = '?' WHERE id = 5",
    )
    sides.on_copy(*(one.replace("?", marker) for one in changes))
    sides.pack = CheckPack(own_checks=(OwnCheck("name", "n", "SELECT max(name) FROM families", Operator.EQUAL, "x"),))
    found = sides.run_all()
    assert found["own", "name"].outcome is CheckOutcome.FAILED
    assert marker not in repr(found)
    assert repr(sides.target()).count("secret of the portal") == 0


def test_without_a_known_time_what_needs_it_is_inconclusive(shared: Sides) -> None:
    sides = Sides(shared.server, shared.source, shared.copy, changes={"point_at": None})
    for code in ("point_time", "newest_row", "canary"):
        assert sides.run(code).outcome is CheckOutcome.INCONCLUSIVE
    assert sides.run("row_counts", "public.doses").outcome is CheckOutcome.PASSED


def test_hashes_of_two_drills_can_be_compared_only_with_the_same_key(shared: Sides) -> None:
    def fingerprint(**changes: object) -> str:
        sides = Sides(shared.server, shared.source, shared.copy, changes=dict(changes))
        return str(sides.run("fingerprint", "public.tags").figures["fingerprint"])

    assert fingerprint() == fingerprint()
    assert len({fingerprint(), fingerprint(hash_key=b"another"), fingerprint(hash_key=None)}) == 3


def test_objective_missed_only_when_the_source_has_what_the_copy_lacks(sides: Sides) -> None:
    sides.pack = CheckPack(rpo_objective_seconds=60)
    assert sides.run("newest_row").outcome is CheckOutcome.PASSED
    sides.at_source("INSERT INTO doses (family_id, amount, created_at) VALUES (1, 1, '2026-03-01 11:40Z')")
    verdict = sides.run("newest_row")
    assert verdict.outcome is CheckOutcome.FAILED
    assert "the source holds a newer one" in verdict.sentence
    assert to_the_end(plan_checks(sides.target())[0], sides.target()).outcome is CheckOutcome.PASSED
    assert POINT.tzinfo is not None
