"""Copies made by real recovery, compared with a source that has gone on: its own servers, its own transaction ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn
from backups.verification.drill import Beat, CheckPack, CheckVerdict, DrillTarget, PlannedCheck, plan_checks
from backups.verification.drill import ensure_canary as ensure
from backups.verification.drill import write_beat as beat
from tests.verification.drill.databases import not_passed, to_the_end
from tests.verification.timeline import Node, Timeline

HOUR = dt.timedelta(hours=1)


@dataclass
class History:
    """A source with a point in it, at which one client was in the middle of a transaction."""

    timeline: Timeline
    point: dt.datetime
    copy: Node
    beats: tuple[Beat, ...]

    def target(self, **changes: Any) -> DrillTarget:
        target = DrillTarget(
            "carecircle",
            Dsn(self.copy.dsn),
            Dsn(self.timeline.main.dsn),
            point_at=self.point,
            pack=CheckPack(has_canary=True, required_tables=("medication_logs",)),
            known_beats=self.beats,
        )
        return replace(target, **changes)

    def run(self, code: str, subject: str = "", **changes: Any) -> CheckVerdict:
        target = self.target(**{name: value for name, value in changes.items() if name != "in_flight"})
        read = to_the_end(PlannedCheck("copy_read", "", "", "", True), target)
        target = replace(target.learn("copy_read", read.figures), **changes)
        return to_the_end(PlannedCheck(code, "", "", subject, True), target)


@pytest.fixture(scope="module")
def history(new_timeline: Callable[..., Timeline]) -> History:
    return make_history(new_timeline())


def make_history(timeline: Timeline) -> History:
    main = timeline.main
    ensure(Dsn(main.dsn))
    first = beat(Dsn(main.dsn))
    main.execute("INSERT INTO legacy_notes SELECT 'before ' || i, 'note' FROM generate_series(1, 20) i")
    with psycopg.connect(main.dsn) as long_one:
        long_one.execute("INSERT INTO legacy_notes SELECT 'open ' || i, 'note' FROM generate_series(1, 9) i")
        main.execute("UPDATE appointments SET title = 'later id' WHERE id <= 3")
        main.execute("DELETE FROM notifications WHERE id <= 2")
        point = timeline.now()
    second = beat(Dsn(main.dsn))
    main.execute("INSERT INTO legacy_notes SELECT 'after ' || i, 'note' FROM generate_series(1, 30) i")
    main.execute("UPDATE appointments SET title = 'changed since' WHERE id BETWEEN 10 AND 14")
    main.execute("DELETE FROM notifications WHERE id BETWEEN 5 AND 8")
    main.execute("CREATE TABLE made_since AS SELECT 1 AS one")
    main.execute("ALTER TABLE measurements ADD COLUMN unit text")
    main.execute("CREATE INDEX made_since_too ON appointments (title)")
    main.execute("CREATE ROLE made_since")
    main.execute("CREATE EXTENSION citext")
    copy = timeline.copy_at(point)
    copy.is_kept = True
    return History(timeline, point, copy, (first, second))


def test_every_check_passes_on_a_copy_of_the_point(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    # By default one that was written seconds before the point may have been committed after it.
    monkeypatch.setattr("backups.verification.canary_verdict.COMMIT_MARGIN", dt.timedelta(0))
    found, target = run_all(history)
    assert not_passed(found) == {
        ("fingerprint", "public.measurements"): "Could not tell: the columns at the source are not those of the copy."
    }
    assert found["columns_present", ""].figures["changed_since"] == ["public.measurements.unit"]
    assert len(target.in_flight) == 1
    assert found["tables_present", ""].figures["made_since"] == ["public.made_since"]
    assert "index public.made_since_too" in found["definitions", ""].figures["changed_since"]
    assert "made_since" in found["roles", ""].figures["made_since"]
    assert "the source has been changed since" in found["extensions", ""].sentence
    notes = found["row_counts", "public.legacy_notes"].figures
    assert (notes["on_copy"], notes["settled_at_source"], notes["at_source"]) == (70, 70, 109)
    notifications = found["fingerprint", "public.notifications"].figures
    assert notifications["gone_since"] == 4
    appointments = found["fingerprint", "public.appointments"].figures
    assert appointments["changed_since"] == 5
    assert "the first transaction that it does not know was committed" in found["point_time", ""].sentence
    assert "is not" in found["canary", ""].sentence


def test_without_commit_times_the_same_is_found_by_ids_and_times_in_rows(
    new_timeline: Callable[..., Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may count on Neon keeping commit times."""
    monkeypatch.setattr("backups.verification.canary_verdict.COMMIT_MARGIN", dt.timedelta(0))
    history = make_history(new_timeline(track_commit_timestamp="off"))
    found, target = run_all(history)
    assert {code for code, _ in not_passed(found)} == {"fingerprint"}  # the table with another column
    assert len(target.in_flight) == 1
    assert "By the times in rows" in found["point_time", ""].sentence
    history.timeline.discard(history.copy)


def run_all(history: History) -> tuple[dict[tuple[str, str], CheckVerdict], DrillTarget]:
    target = history.target()
    found = {}
    for planned in plan_checks(target):
        found[planned.code, planned.subject] = verdict = to_the_end(planned, target)
        target = target.learn(planned.code, verdict.figures)
    return found, target


@pytest.mark.parametrize("code", ["row_counts", "fingerprint"])
def test_a_transaction_open_at_the_point_is_not_taken_for_lost(history: History, code: str) -> None:
    """Its id is from before the point; only the copy knows that it had not been committed."""
    assert history.run(code, "public.legacy_notes").outcome is CheckOutcome.PASSED
    without = history.run(code, "public.legacy_notes", in_flight=())
    assert without.outcome is CheckOutcome.FAILED
    assert "9" in without.sentence


def test_a_copy_of_another_time_is_told_by_commit_times(history: History) -> None:
    early = history.run("point_time", point_at=history.point + HOUR)
    assert early.outcome is CheckOutcome.FAILED
    assert "recovered to an earlier time" in early.sentence
    late = history.run("point_time", point_at=history.point - HOUR)
    assert late.outcome is CheckOutcome.FAILED
    assert "recovered to a later time" in late.sentence


def test_rows_that_came_before_the_point_and_are_not_on_the_copy(history: History) -> None:
    verdict = history.run("row_counts", "public.legacy_notes", point_at=history.point + HOUR)
    assert verdict.outcome is CheckOutcome.FAILED
    assert verdict.figures["unknown_commits"] == 30


def test_a_role_that_is_missing_on_the_copy(history: History) -> None:
    history.timeline.main.execute("CREATE ROLE nurse")
    node = history.timeline.copy_at(history.timeline.now())
    there = history.run("roles", copy=Dsn(node.dsn))
    assert there.outcome is CheckOutcome.PASSED
    node.execute("DROP ROLE nurse")
    verdict = history.run("roles", copy=Dsn(node.dsn))
    assert verdict.outcome is CheckOutcome.FAILED
    assert "Not on the copy: nurse" in verdict.sentence
