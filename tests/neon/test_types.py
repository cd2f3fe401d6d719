"""Answers with fields missing, of another kind, or with words that did not exist when this was written."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.neon import wire
from backups.neon.accounts import Organization, Region, User
from backups.neon.schedules import ScheduleItem
from backups.neon.schemas import Column
from backups.neon.snapshots import Snapshot
from backups.neon.types import Auth, Branch, Database, Endpoint, Operation, Project, Role
from backups.neon.wire import UnusableShape

T = "2026-11-22T09:00:00Z"
AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FULL: dict[Any, dict[str, Any]] = {
    Auth: {"account_id": "a", "auth_method": "api_key_org"},
    Project: {
        "id": "p", "name": "n", "region_id": "aws-us-east-2", "pg_version": 18, "history_retention_seconds": 86400,
        "org_id": "org-x", "owner_id": "o", "owner": {"subscription_type": "scale_v3", "branches_limit": 25},
        "synthetic_storage_size": 5, "settings": {"hipaa": True}, "created_at": T, "updated_at": T,
        "data_storage_bytes_hour": 1, "data_transfer_bytes": 2, "written_data_bytes": 3, "compute_time_seconds": 4,
        "active_time_seconds": 6, "consumption_period_start": T, "consumption_period_end": T,
        "compute_last_active_at": T,
    },
    Branch: {
        "id": "br-a", "name": "main", "project_id": "p", "parent_id": "br-b", "parent_lsn": "0/1",
        "parent_timestamp": T, "current_state": "ready", "pending_state": "resetting", "default": True,
        "protected": False, "logical_size": 7, "creation_source": "console", "init_source": "parent-data",
        "restore_status": "restored", "restored_from": "s", "restored_as": "br-c",
        "restricted_actions": [{"name": "restore", "reason": "r"}], "created_at": T, "updated_at": T,
        "last_reset_at": T, "expires_at": T,
    },
    Endpoint: {
        "id": "ep-a", "branch_id": "br-a", "project_id": "p", "host": "h", "type": "read_write",
        "current_state": "active", "pending_state": "idle", "disabled": False, "autoscaling_limit_min_cu": 0.25,
        "autoscaling_limit_max_cu": 1, "suspend_timeout_seconds": -1, "last_active": T, "started_at": T,
        "suspended_at": T, "created_at": T, "updated_at": T,
    },
    Operation: {
        "id": "o", "project_id": "p", "branch_id": "br-a", "endpoint_id": "ep-a", "action": "create_branch",
        "status": "running", "error": "e", "failures_count": 0, "retry_at": T, "created_at": T, "updated_at": T,
        "total_duration_ms": 3,
    },
    Database: {"name": "d", "id": 1, "branch_id": "br-a", "owner_name": "o"},
    Role: {"name": "r", "branch_id": "br-a", "protected": False},
    Snapshot: {
        "id": "snap-a", "name": "s", "slug": "before-import", "lsn": "0/1", "timestamp": T, "source_branch_id": "br-a",
        "expires_at": T, "manual": False, "full_size": 9, "diff_size": 0, "created_at": T,
    },
    User: {
        "id": "u", "email": "ops@example.org", "name": "Ops", "plan": "scale", "projects_limit": 0,
        "branches_limit": 25,
    },
    Organization: {
        "id": "org-a", "name": "CareCircle", "handle": "carecircle", "plan": "scale", "allow_hipaa_projects": True,
        "require_mfa": False, "created_at": T, "updated_at": T,
    },
    Region: {"region_id": "aws-us-east-2", "name": "Ohio", "default": False},
    Column: {"name": "id", "type": "bigint", "nullable": False, "generated": True},
    ScheduleItem: {"frequency": "weekly", "hour": 0, "day": 7, "retention_seconds": 3600},
}  # fmt: skip
NEEDED = {
    Project: {"id"},
    Branch: {"id", "name"},
    Endpoint: {"id"},
    Operation: {"id"},
    Database: {"name"},
    Role: {"name"},
    Snapshot: {"id", "name"},
    User: {"id"},
    Organization: {"id"},
    Region: {"region_id"},
    Column: {"name"},
    ScheduleItem: {"frequency"},
}
TYPES = sorted(FULL, key=lambda t: t.__name__)
junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()) | st.just({"x": 1})


@pytest.mark.parametrize("of", TYPES)
def test_a_full_answer_fills_every_field(of: Any) -> None:
    value = of.of(FULL[of])
    told = {f.name for f in dataclasses.fields(value)} - {"annotation"}
    assert {name for name in told if getattr(value, name) is None} == set()


@given(st.data())
def test_fields_may_be_absent_or_null(data: st.DataObject) -> None:
    of = data.draw(st.sampled_from(TYPES))
    optional = sorted(set(FULL[of]) - NEEDED.get(of, set()))
    missing = data.draw(st.sets(st.sampled_from(optional)))
    null = data.draw(st.booleans())
    raw = {key: (None if key in missing else value) for key, value in FULL[of].items() if null or key not in missing}
    told, full = of.of(raw), of.of(FULL[of])
    for field in dataclasses.fields(full):
        assert getattr(told, field.name) in (getattr(full, field.name), None, ())


@given(st.data())
def test_fields_of_another_kind_never_break_and_never_lie(data: st.DataObject) -> None:
    of = data.draw(st.sampled_from(TYPES))
    raw = dict(FULL[of]) | data.draw(st.dictionaries(st.sampled_from(sorted(FULL[of])), junk))
    try:
        value = of.of(raw | {"a_new_field": {"of": ["any", "kind"]}})
    except UnusableShape:
        return
    for field in dataclasses.fields(value):
        told = getattr(value, field.name)
        if isinstance(told, datetime):
            assert told.utcoffset() == timedelta(0)


@given(st.sampled_from(TYPES), st.text(min_size=1))
def test_words_that_are_new_stay_as_they_are(of: Any, word: str) -> None:
    keys = {
        "auth_method",
        "current_state",
        "pending_state",
        "restore_status",
        "init_source",
        "type",
        "frequency",
        "action",
        "status",
    }
    raw = FULL[of] | dict.fromkeys(keys & set(FULL[of]), word)
    value = of.of(raw)
    for key in keys & set(FULL[of]):
        assert getattr(value, key) == word


@pytest.mark.parametrize(("of", "key"), [(of, key) for of, keys in NEEDED.items() for key in sorted(keys)])
def test_what_identifies_a_thing_must_be_there(of: Any, key: str) -> None:
    for raw in ({k: v for k, v in FULL[of].items() if k != key}, FULL[of] | {key: ""}, FULL[of] | {key: 7}):
        with pytest.raises(UnusableShape):
            of.of(raw)


def test_an_unreadable_last_reset_is_not_taken_for_never() -> None:
    with pytest.raises(UnusableShape):
        Branch.of(FULL[Branch] | {"last_reset_at": "yesterday"})
    for never in (None, "", "0001-01-01T00:00:00Z"):
        assert Branch.of(FULL[Branch] | {"last_reset_at": never}).last_reset_at is None


def test_an_unreadable_expiry_of_a_snapshot_is_not_taken_for_kept_for_ever() -> None:
    with pytest.raises(UnusableShape):
        Snapshot.of(FULL[Snapshot] | {"expires_at": "soon"})
    for never in (None, "", "0001-01-01T00:00:00Z"):
        assert Snapshot.of(FULL[Snapshot] | {"expires_at": never}).expires_at is None


def test_root_is_a_branch_without_a_parent() -> None:
    assert not Branch.of(FULL[Branch]).is_root
    assert Branch.of({"id": "br-a", "name": "main"}).is_root


@pytest.mark.parametrize(
    ("change", "possible"),
    [
        ({}, True),
        ({"parent_id": "br-b"}, False),
        ({"restricted_actions": [{"name": "restore"}]}, False),
        ({"restricted_actions": [{"name": "delete-rw-endpoint"}]}, True),
        ({"restore_status": "finalized"}, False),
        ({"restore_status": "a-new-word"}, True),
    ],
)
def test_what_neon_says_about_restoring_a_branch(change: dict[str, Any], possible: bool) -> None:
    assert Branch.of({"id": "br-a", "name": "main"} | change).can_be_restore_target is possible


@pytest.mark.parametrize(
    ("current", "pending", "ready"),
    [("ready", None, True), ("archived", None, True), ("ready", "resetting", False), ("init", "ready", False),
     ("a-new-word", None, False), (None, None, False)],
)  # fmt: skip
def test_ready_is_only_what_is_known_to_be(current: str | None, pending: str | None, ready: bool) -> None:
    raw = {"id": "br-a", "name": "main", "current_state": current, "pending_state": pending}
    assert Branch.of(raw).is_ready is ready


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (T, AT),
        ("2026-11-22T09:00:00z", AT),
        ("2026-11-22 09:00:00+00:00", AT),
        ("2026-11-22T10:30:00+01:30", AT),
        ("2026-11-22T09:00:00.5Z", AT.replace(microsecond=500_000)),
        ("2026-11-22T09:00:00.123456789Z", AT.replace(microsecond=123_456)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-11-22T09:00:00", None),
        ("2026-11-22", None),
        ("2026-13-22T09:00:00Z", None),
        ("2026-11-22T09:00:00+99:99", None),
        ("", None),
        ("soon", None),
    ],
)
def test_times(text: str, moment: datetime | None) -> None:
    assert wire.parse_time(text) == moment


@given(st.text())
def test_times_from_anything(text: str) -> None:
    moment = wire.parse_time(text)
    assert moment is None or moment.tzinfo is UTC


millis = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(millis, st.integers(-840, 840))
def test_a_point_goes_out_and_comes_back_unmoved(at: datetime, zone_minutes: int) -> None:
    local = at.astimezone(timezone(timedelta(minutes=zone_minutes)))
    assert wire.parse_time(wire.format_point(local)) == at


def test_a_point_is_never_moved_silently() -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        wire.format_point(AT.replace(microsecond=1))
    with pytest.raises(ValueError, match="zone"):
        wire.format_point(AT.replace(tzinfo=None))


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)))  # noqa: DTZ001
def test_an_expiry_is_never_earlier_than_asked(at: datetime) -> None:
    asked = at.replace(tzinfo=UTC)
    sent = wire.parse_time(wire.format_expiry(asked))
    assert sent is not None
    assert timedelta(0) <= sent - asked < timedelta(seconds=1)


@pytest.mark.parametrize("bad", ["", "..", "a/b", "A", "a b", "a?b", "a\n", "a%2e", "x" * 61, "é", "٣"])
def test_ids_that_could_leave_their_place_in_a_path(bad: str) -> None:
    with pytest.raises(ValueError, match="Neon id"):
        wire.checked_id(bad)


@pytest.mark.parametrize("bad", ["", "0", "0/", "/0", "0/123456789", "g/1", "0/1 ", "0/1\n", "0x0/1"])
def test_malformed_lsns(bad: str) -> None:
    with pytest.raises(ValueError, match="LSN"):
        wire.checked_lsn(bad)


NOW = AT + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("raw", "failed"),
    [
        ({"status": "error"}, True),
        ({"status": "cancelled"}, True),
        ({"status": "failed"}, False),
        ({"status": "failed", "updated_at": "2026-11-22T09:09:01Z"}, False),
        ({"status": "failed", "updated_at": "2026-11-22T09:09:00Z"}, True),
        ({"status": "failed", "updated_at": T, "retry_at": "2026-11-22T09:20:00Z"}, False),
        ({"status": "failed", "updated_at": T, "retry_at": "2026-11-22T09:08:00Z"}, True),
        ({"status": "running", "updated_at": T}, False),
        ({"status": "cancelling", "updated_at": T}, False),
        ({"status": "a-new-word", "updated_at": T}, False),
        ({}, False),
    ],
)
def test_when_an_operation_has_failed_for_good(raw: dict[str, Any], failed: bool) -> None:
    operation = Operation.of({"id": "o"} | raw)
    assert operation.has_failed(now=NOW, grace_seconds=60) is failed
    assert not operation.succeeded
