"""Periods without observation: a silence is found wherever it lies, and ordinary lateness is none."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable
from uuid import uuid4

import psycopg
from django.test import Client

from backups.domain.period import Period
from backups.ledger.record import FORMAT
from backups.selectors.audit.gaps import observation
from tests.factories import People
from tests.support.database import OwnDatabase

BEGIN = dt.datetime(2026, 8, 14, tzinfo=dt.UTC)
DAY = Period(BEGIN.date(), BEGIN.date())


def _beats(database: OwnDatabase, minutes: Iterable[int]) -> None:
    """Heartbeats of the past. The database takes none from anybody, so its owner's guard is lifted first."""
    with psycopg.connect(database.superuser_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE backups_ledgerevent DISABLE TRIGGER event_is_of_now")
        for minute in minutes:
            event_id, at = str(uuid4()), f"{BEGIN + dt.timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S.%fZ}"
            body = {"actor": {"id": "system:portal", "kind": "system"}, "env": "portal", "id": event_id}
            body |= {"out": {"s": "success"}, "rec": at, "time": at, "type": "system.heartbeat"}
            body |= {"target": {"id": "portal", "kind": "portal"}, "v": FORMAT}
            owner.execute(
                "INSERT INTO backups_ledgerevent (id, actor_name, body) VALUES (%s, 'portal', %s)",
                [event_id, json.dumps(body)],
            )


def _gaps(now_minute: int, period: Period = DAY) -> list[tuple[int, int | None]]:
    found = observation(period, BEGIN + dt.timedelta(minutes=now_minute)).gaps
    return [(_minute(gap.begins_at), _minute(gap.ends_at) if gap.ends_at else None) for gap in found]


def _minute(at: dt.datetime) -> int:
    return round((at - BEGIN).total_seconds() / 60)


def test_a_silence_is_found_and_lateness_is_none(own_database):
    _beats(own_database, [*range(0, 131, 10), *range(161, 240, 10), 245])
    assert _gaps(250) == [(130, 161)]
    assert observation(DAY, BEGIN).first == BEGIN


def test_a_silence_that_lasts_has_no_end(own_database):
    _beats(own_database, [0, 10])
    assert _gaps(20) == []
    assert _gaps(60) == [(10, None)]


def test_a_silence_over_the_edges_of_the_period_is_whole(own_database):
    _beats(own_database, [-30, 30, *range(40, 1431, 10), 1500])
    assert _gaps(1600) == [(-30, 30), (1430, 1500)]


def test_without_a_heartbeat_nothing_is_said(own_database):
    assert observation(DAY, BEGIN).first is None


def test_auditors_see_the_silence_where_they_begin(own_database):
    _beats(own_database, [*range(0, 131, 10), *range(161, 1442, 10)])
    dana = Client()
    dana.force_login(People().dana.user)
    page = dana.get("/audit/", {"first": "2026-08-14", "last": "2026-08-14"}).content.decode()
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert re.search(r"Without observation 2026-08-14 02:10:00 UTC to 2026-08-14 02:41:00 UTC observed", words), words
    quiet = dana.get("/audit/", {"first": "2026-08-15", "last": "2026-08-15"}).content.decode()
    assert "2026-08-15 00:01" in quiet
    assert "02:10" not in quiet
