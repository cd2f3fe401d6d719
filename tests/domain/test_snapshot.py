from __future__ import annotations

import datetime as dt

import pytest

from backups.domain.policy import DEFAULT_POLICY, Environment, default_start_mode, votes_needed
from backups.domain.restore import PointKind, RestoreKind, RestorePoint, StartMode

TAKEN = dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC)


def test_a_restore_from_a_snapshot_overwrites_and_is_guarded_like_one_in_place() -> None:
    assert RestoreKind.SNAPSHOT.overwrites
    for environment in Environment:
        kinds = (RestoreKind.SNAPSHOT, RestoreKind.IN_PLACE)
        needed = {votes_needed(DEFAULT_POLICY, kind=kind, environment=environment) for kind in kinds}
        modes = {default_start_mode(kind=kind, environment=environment) for kind in kinds}
        assert len(needed) == len(modes) == 1
    production = Environment.PRODUCTION
    assert votes_needed(DEFAULT_POLICY, kind=RestoreKind.SNAPSHOT, environment=production) == 2
    assert default_start_mode(kind=RestoreKind.SNAPSHOT, environment=production) is StartMode.BY_HAND


@pytest.mark.parametrize(
    "fields",
    [{"at": TAKEN}, {"snapshot_id": "snap-1"}, {"snapshot_id": "snap-1", "at": TAKEN.replace(tzinfo=None)}],
    ids=["no id", "no time", "no zone"],
)
def test_a_snapshot_has_an_id_and_a_time(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="needs its id and the time"):
        RestorePoint(PointKind.SNAPSHOT, **fields)  # type: ignore[arg-type]


def test_a_snapshot_s_name_is_in_no_message_and_its_last_second_counts() -> None:
    point = RestorePoint(PointKind.SNAPSHOT, at=TAKEN, snapshot_id="snap-1", snapshot_name="Ms Miller's chart")
    assert str(point) == "the snapshot of 2026-11-21 02:00:00 UTC"
    assert point.latest_moment() == TAKEN + dt.timedelta(seconds=1)
    assert point.for_neon() == {"snapshot": "snap-1"}
