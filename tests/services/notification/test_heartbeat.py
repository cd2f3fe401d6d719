"""Watchers outside hear of a control only when it ran, not too often, and a dead one delays nobody."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from django.db import DatabaseError

from backups.domain.notification import Control
from backups.models import Heartbeat
from backups.selectors.clock import database_now
from backups.services.notification.heartbeat import beat, send_heartbeats
from backups.services.worker import record_heartbeat
from tests.services.notification import receivers
from tests.services.notification.receivers import answer, http_receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def watcher(settings: Any) -> Any:
    with http_receiver() as receiver:
        settings.HEARTBEAT_URLS = {"monitor": receiver.address, "worker": "", "drills": "", "ledger": ""}
        settings.HEARTBEAT_EVERY_SECONDS = 60
        settings.HEARTBEAT_POST_SECONDS = 5
        yield receiver


def ago(**fields: Any) -> None:
    now = database_now()
    Heartbeat.objects.update(**{name: now - dt.timedelta(seconds=seconds) for name, seconds in fields.items()})


def test_a_control_that_never_ran_is_never_told_of(watcher):
    assert send_heartbeats() == 0
    assert not watcher.posts


def test_a_beat_is_told_once_and_not_more_often_than_set(watcher):
    beat(Control.MONITOR)
    assert [send_heartbeats(), send_heartbeats()] == [1, 0]
    beat(Control.MONITOR)
    assert send_heartbeats() == 0, "the watcher was told a moment ago"
    ago(tried_at=61)
    assert send_heartbeats() == 1
    assert len(watcher.posts) == 2


def test_silence_of_the_control_is_silence_at_the_watcher(watcher):
    beat(Control.MONITOR)
    send_heartbeats()
    ago(tried_at=3600)
    assert send_heartbeats() == 0


def test_an_old_beat_is_no_sign_of_life(watcher):
    beat(Control.MONITOR)
    ago(beat_at=300)
    assert send_heartbeats() == 0


def test_a_run_that_could_not_do_its_work_is_told_as_a_failure(watcher):
    beat(Control.MONITOR, well=False)
    send_heartbeats()
    assert watcher.posts[0].path.endswith("/SECRET-CANARY-IN-PATH/fail")


def test_a_dead_watcher_is_tried_again_later_and_delays_no_other(settings, watcher, caplog):
    settings.HEARTBEAT_POST_SECONDS = 0.3
    with http_receiver(receivers.hang) as dead:
        settings.HEARTBEAT_URLS = settings.HEARTBEAT_URLS | {"drills": dead.address, "ledger": "http://127.0.0.1:1/x"}
        for control in (Control.MONITOR, Control.DRILLS, Control.LEDGER):
            beat(control)
        started = time.monotonic()
        assert send_heartbeats() == 1
        assert time.monotonic() - started < 5
    assert len(watcher.posts) == 1
    assert "did not" in Heartbeat.objects.get(control="drills").last_problem or caplog.text
    assert "CANARY" not in caplog.text
    ago(tried_at=61)
    assert send_heartbeats() == 0, "both are dead, and the third has nothing new"
    assert Heartbeat.objects.get(control="drills").told_beat_at is None


def test_a_refusal_is_not_taken_as_told(watcher):
    watcher.act = answer(500)
    beat(Control.MONITOR)
    assert send_heartbeats() == 0
    watcher.act = answer(200)
    ago(tried_at=61)
    assert send_heartbeats() == 1


def test_a_heartbeat_never_stops_what_it_tells_of(monkeypatch, caplog):
    def burst(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Heartbeat.objects, "update_or_create", burst)
    beat(Control.MONITOR)
    assert "was not noted" in caplog.text


def test_the_worker_beats_by_running_a_task(watcher):
    record_heartbeat(node="host-1")
    assert Heartbeat.objects.get(control="worker").went_well
