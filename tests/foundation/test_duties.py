"""The supervisor's own duties: one that fails or hangs stops neither itself nor its neighbours."""

from __future__ import annotations

import threading

import pytest

from backups.worker.duties import Duty, DutyRoster, do_once

PATIENCE_SECONDS = 10


@pytest.fixture
def run_roster():
    rosters = []

    def start(*duties: Duty) -> DutyRoster:
        roster = DutyRoster(duties)
        rosters.append(roster)
        roster.start()
        return roster

    yield start
    for roster in rosters:
        roster.stop(timeout_seconds=PATIENCE_SECONDS)


def test_a_duty_that_fails_is_tried_again_and_told(run_roster):
    again, told = threading.Semaphore(0), threading.Semaphore(0)

    def fail() -> None:
        again.release()
        raise RuntimeError("planned")

    run_roster(Duty("failing", 0.001, fail, told.release))

    for _ in range(3):
        assert again.acquire(timeout=PATIENCE_SECONDS)
        assert told.acquire(timeout=PATIENCE_SECONDS)


def test_a_duty_that_hangs_does_not_delay_another(run_roster):
    release, done = threading.Event(), threading.Semaphore(0)

    run_roster(Duty("hanging", 0.001, release.wait), Duty("quick", 0.001, done.release))

    try:
        for _ in range(3):
            assert done.acquire(timeout=PATIENCE_SECONDS)
    finally:
        release.set()


def test_after_the_stop_nothing_is_done_any_more(run_roster):
    done = threading.Semaphore(0)
    roster = run_roster(Duty("quick", 0.001, done.release))
    assert done.acquire(timeout=PATIENCE_SECONDS)

    roster.stop(timeout_seconds=PATIENCE_SECONDS)

    assert not [thread for thread in threading.enumerate() if thread.name == "quick"]


def test_what_failed_is_logged_with_its_name(caplog):
    def fail() -> None:
        raise RuntimeError("planned")

    do_once(Duty("telling people", 1, fail))

    assert "telling people failed; it is tried again" in caplog.text
