"""Ids that sort by time, and times that have one spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.ledger.identifiers import parse_utc, utc_text, uuid7

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(TIMES)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(at):
    made = uuid7(at)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(TIMES, st.integers(1, 10_000))
def test_a_later_microsecond_sorts_later(at, microseconds):
    assert uuid7(at) < uuid7(at + timedelta(microseconds=microseconds))


def test_ids_of_the_same_instant_differ():
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert len({uuid7(at) for _ in range(1000)}) == 1000


@given(TIMES)
def test_a_time_is_read_back_as_it_was_written(at):
    assert parse_utc(utc_text(at)) == at
    assert len(utc_text(at)) == 27


def test_a_time_of_another_zone_is_written_in_utc():
    berlin = timezone(timedelta(hours=1))
    assert utc_text(datetime(2026, 11, 22, 10, 40, 41, 5, tzinfo=berlin)) == "2026-11-22T09:40:41.000005Z"


@pytest.mark.parametrize("text", ["2026-11-22T09:40:41Z", "2026-11-22T09:40:41.5Z", "2026-11-22 09:40:41.000000Z", ""])
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueError, match=r"time|match"):
        parse_utc(text)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        utc_text(datetime(2026, 11, 22))  # noqa: DTZ001
