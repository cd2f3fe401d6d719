"""The canary: written without waiting for anybody, and a witness of where a copy was cut off."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn, inspect_database
from backups.verification.canary import COMMIT_MARGIN
from backups.verification.drill import (
    Beat,
    CheckPack,
    ensure_canary,
    judge,
    known_around,
    read_beats,
    write_beat,
)
from backups.verification.errors import NotReadable, OutOfTime
from tests.verification.drill.databases import POINT, Sides

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def beat(number: int, seconds_after_point: float) -> Beat:
    return Beat(number, POINT + dt.timedelta(seconds=seconds_after_point))


KNOWN = [beat(39, -100), beat(40, -40), beat(41, 20), beat(42, 80)]


@pytest.mark.parametrize(
    ("on_copy", "known", "outcome", "says"),
    [
        (KNOWN[:2], KNOWN, PASSED, "40, written 40.0 s before the point, is on the copy; 41, written 20.0 s after"),
        (KNOWN[:2], KNOWN[:2], PASSED, "is on the copy, and none after it."),
        (KNOWN[:3], KNOWN, FAILED, "holds canary 41, written 20.0 s after the point: it was recovered to a later time"),
        (KNOWN[:1], KNOWN, FAILED, "40, written 40.0 s before the point, is missing on the copy; its newest is 39"),
        ([], KNOWN, FAILED, "is missing on the copy, which holds none"),
        (None, KNOWN, FAILED, "the copy has no table of canaries"),
        (None, KNOWN[2:], INCONCLUSIVE, "no canary is known from before the point"),
        ([], [], INCONCLUSIVE, "no canary is known"),
        (KNOWN[:2], [], INCONCLUSIVE, "the portal knows of no canary"),
        (KNOWN[:3], [], FAILED, "recovered to a later time"),
        ([beat(40, -41)], KNOWN, FAILED, "it is of another history"),
        # Written just before the point, it may have been committed just after it.
        (KNOWN[:2], [*KNOWN[:2], beat(41, -1)], PASSED, "Canary 40"),
        ([*KNOWN[:2], beat(41, -1)], [*KNOWN[:2], beat(41, -1)], PASSED, "Canary 41, written 1.0 s before"),
    ],
)  # fmt: skip
def test_verdict(on_copy: list[Beat] | None, known: list[Beat], outcome: CheckOutcome, says: str) -> None:
    verdict = judge(POINT, on_copy, known)
    assert (verdict.outcome, says in verdict.sentence) == (outcome, True), verdict.sentence


def test_measured_rpo_is_the_age_of_the_newest_canary_at_the_point() -> None:
    assert judge(POINT, KNOWN[:2], KNOWN).rpo_seconds == 40
    assert judge(POINT, KNOWN[2:], KNOWN).rpo_seconds is None


def test_set_up_after_the_point_is_said() -> None:
    verdict = judge(POINT, None, KNOWN[2:], known_since=POINT + dt.timedelta(seconds=10))
    assert verdict.outcome is INCONCLUSIVE
    assert "set up after the point" in verdict.sentence


beats = st.lists(st.floats(-3600, 3600), min_size=1, max_size=20, unique=True).map(
    lambda times: [beat(number, at) for number, at in enumerate(sorted(times), 1)]
)


@given(beats, st.floats(-3600, 3600))
def test_a_copy_passes_only_if_it_was_cut_off_at_the_point(known: list[Beat], cut: float) -> None:
    """Whatever the copy was cut off at: no pass when a canary lies between there and the point."""
    cut_at = POINT + dt.timedelta(seconds=cut)
    verdict = judge(POINT, [one for one in known if one.written_at <= cut_at], known)
    if any(POINT < one.written_at <= cut_at for one in known):
        assert verdict.outcome is FAILED
    if any(cut_at < one.written_at <= POINT - COMMIT_MARGIN for one in known):
        assert verdict.outcome is FAILED
    if verdict.outcome is PASSED:
        assert verdict.rpo_seconds is not None
        assert verdict.rpo_seconds >= 0


def test_numbers_go_up_and_old_rows_are_pruned_in_small_steps(sides: Sides) -> None:
    dsn = Dsn(sides.server.url(sides.source))
    assert read_beats(dsn, POINT) is None
    ensure_canary(dsn)
    ensure_canary(dsn)
    first, second = write_beat(dsn), write_beat(dsn, keep=dt.timedelta(days=7))
    assert (first.number, second.number) == (1, 2)
    assert first.written_at < second.written_at
    assert write_beat(dsn, after_number=41).number == 42
    sides.at_source("INSERT INTO ops_canary.beat SELECT -i, now() - interval '8 days' FROM generate_series(1, 1200) i")
    for _ in range(2):
        write_beat(dsn, keep=dt.timedelta(days=7))
    assert sides.at_source("SELECT count(*) FROM ops_canary.beat WHERE number < 0") == [(200,)]
    write_beat(dsn, keep=dt.timedelta(days=7))
    found = read_beats(dsn, second.written_at) or []
    assert [one.number for one in found] == [1, 2, 42, 43, 44, 45]
    assert found[:2] == [first, second]


def test_nothing_else_takes_the_canary_for_data(sides: Sides) -> None:
    """Written right after a restore, it would look like a change by clients; added later, like a foreign table."""
    ensure_canary(Dsn(sides.server.url(sides.source)))
    write_beat(Dsn(sides.server.url(sides.source)))
    assert not any("canary" in table.name for table in inspect_database(Dsn(sides.server.url(sides.source))).tables)
    assert sides.run("tables_present").figures["at_source"] == sides.run("tables_present").figures["on_copy"]


def test_a_server_that_only_reads_is_told(sides: Sides) -> None:
    dsn = Dsn(sides.server.url(sides.source))
    ensure_canary(dsn)
    sides.at_source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
                    " current_database()); END $$")  # fmt: skip
    with pytest.raises(NotReadable, match="only reads"):
        write_beat(dsn)


def test_it_never_waits_long_for_a_lock(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backups.verification.canary.LOCK_TIMEOUT_MS", 50)
    dsn = Dsn(sides.server.url(sides.source))
    ensure_canary(dsn)
    with psycopg.connect(sides.server.url(sides.source)) as other:
        other.execute("LOCK TABLE ops_canary.beat")
        with pytest.raises(NotReadable, match="locked"):
            write_beat(dsn)
        monkeypatch.setattr("backups.verification.canary.LOCK_TIMEOUT_MS", 2000)
        monkeypatch.setattr("backups.verification.canary.STATEMENT_TIMEOUT_MS", 50)
        with pytest.raises(OutOfTime):
            write_beat(dsn)
    assert sides.at_source("SELECT count(*) FROM ops_canary.beat") == [(0,)]


def test_pruning_that_would_wait_is_left_for_later(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backups.verification.canary.LOCK_TIMEOUT_MS", 50)
    dsn = Dsn(sides.server.url(sides.source))
    ensure_canary(dsn)
    sides.at_source("INSERT INTO ops_canary.beat VALUES (0, now() - interval '8 days')")
    with psycopg.connect(sides.server.url(sides.source)) as other:
        other.execute("SELECT FROM ops_canary.beat FOR UPDATE")
        assert write_beat(dsn, keep=dt.timedelta(days=7)).number == 1


def test_a_role_that_may_not_make_the_table_is_told(sides: Sides) -> None:
    sides.at_source("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'synthetic'")
    place = sides.server.url(sides.source).rpartition("@")[2]
    with pytest.raises(NotReadable, match="grant it CREATE on the database"):
        ensure_canary(Dsn(f"postgresql://guest:synthetic@{place}"))
    assert sides.at_source("SELECT to_regnamespace('ops_canary')") == [(None,)]


@pytest.mark.parametrize(
    ("copied", "outcome"), [(["(7, '2026-03-01 11:59Z')"], PASSED), ([], FAILED),
                            (["(7, '2026-03-01 11:59Z')", "(8, '2026-03-01 12:00:30Z')"], FAILED)]
)  # fmt: skip
def test_the_drills_check_reads_the_copy(sides: Sides, copied: list[str], outcome: CheckOutcome) -> None:
    ensure_canary(Dsn(sides.server.url(sides.copy)))
    for values in copied:
        sides.on_copy("INSERT INTO ops_canary.beat VALUES ?".replace("?", values))
    sides.pack = CheckPack(has_canary=True)
    sides.changes["known_beats"] = (beat(7, -60), beat(8, 30))
    verdict = sides.run("canary")
    assert verdict.outcome is outcome
    assert verdict.figures["rpo_seconds"] == (60 if copied else None)


def test_beats_that_matter_for_a_point() -> None:
    long_ago, others = beat(1, -90_000), [beat(2, 5000), *KNOWN]
    assert known_around([*others, long_ago], POINT) == tuple(KNOWN)
    assert known_around([long_ago, beat(2, 90_000)], POINT) == (long_ago,)
