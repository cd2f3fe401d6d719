"""Disk does not grow for ever: a week of the demo's traffic, with the clock moved from one burst to the next."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from demo import seed
from demo.traffic import Traffic
from neon_sandbox.storage import bases
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.programs import wait_until

DAYS, DAY = 7, 86_400.0
LIMIT_BYTES = 2_000_000_000
DAILY = {"frequency": "daily", "hour": 2, "retention_seconds": 7 * int(DAY)}
TABLES = ("medication_logs", "appointments", "medications", "notifications")


@dataclass(frozen=True)
class Load:
    bursts_a_day: int
    writes_a_burst: int
    scale: float


@dataclass(frozen=True)
class Seen:
    """What every table held from that moment until the clock was moved on."""

    moment: datetime
    contents: tuple[tuple[int, int], ...]


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(bursts_a_day=3, writes_a_burst=250, scale=0.1), id="small", marks=pytest.mark.soak),
        pytest.param(Load(bursts_a_day=24, writes_a_burst=2000, scale=1.0), id="full", marks=pytest.mark.soak),
    ],
)
def test_a_week_of_traffic(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    if load.scale < 1:  # as many bases and prunings as the full week has, with less to write
        monkeypatch.setattr(bases, "WAL_BETWEEN_BASES_BYTES", 1 << 20)
    with temporary_state_dir() as directory, running_sandbox("postgres", directory / "state") as sandbox:
        seed.load(sandbox.dsn(), scale=load.scale)
        api = Api(sandbox)
        with api.http:
            api.call("PUT", f"/branches/{sandbox.branch_id}/backup_schedule", {"schedule": [DAILY]}).raise_for_status()
            sizes, seen = _a_week(sandbox, api, directory, load)
            _the_window_is_whole(sandbox, api, seen)
    everything, wal = [all_of_it for all_of_it, _ in sizes], [archived for _, archived in sizes]
    shown = [f"{all_of_it >> 20} ({archived >> 20} of WAL)" for all_of_it, archived in sizes]
    print(f"disk at the end of each day, MiB: {', '.join(shown)}")  # noqa: T201 - shown with -s
    assert max(everything) < LIMIT_BYTES
    # The data and their daily snapshots grow with what is written; the history is as long as its window.
    assert wal[-1] <= 2 * max(wal[:3]), f"it goes on growing: {sizes}"


def _a_week(sandbox: RunningSandbox, api: Api, directory: Path, load: Load) -> tuple[list[tuple[int, int]], list[Seen]]:
    sizes, seen, bursts = [], [], 0
    for day in range(DAYS):
        for _ in range(load.bursts_a_day):
            bursts += 1
            with Traffic(sandbox.dsn(), rate_per_second=None, seed=bursts) as traffic:
                traffic.wait_for(load.writes_a_burst)
            seen.append(Seen(sandbox.now(), _contents(sandbox.dsn())))
            sandbox.move_clock(DAY / load.bursts_a_day)
            sandbox.sandbox.tidy()
        wait_until(lambda taken=day + 1: len(_complete(api)) >= taken, "the day's snapshot")  # type: ignore[misc]
        sandbox.sandbox.tidy()
        sizes.append((_used_bytes(directory), sum(map(_used_bytes, directory.glob("**/nodes/*/wal")))))
    return sizes, seen


def _the_window_is_whole(sandbox: RunningSandbox, api: Api, seen: list[Seen]) -> None:
    oldest = sandbox.now() - timedelta(seconds=DAY)
    for moment in (oldest - timedelta(seconds=2), seen[0].moment):
        refused = api.call("POST", "/branches", {"branch": {"parent_timestamp": moment.isoformat()}})
        assert refused.status_code == 400
        assert "history window" in refused.json()["message"]
    within = [each for each in seen if each.moment > oldest]
    at_the_edge = max((each for each in seen if each.moment <= oldest), key=lambda each: each.moment)
    asked = [(oldest + timedelta(seconds=1), at_the_edge), *((each.moment, each) for each in (within[0], within[-1]))]
    for number, (moment, expected) in enumerate(asked):
        made = api.make_branch(f"check-{number}", endpoint=True, parent_timestamp=moment.isoformat())
        assert _contents(sandbox.dsn(made["branch"]["id"])) == expected.contents, moment


def _contents(dsn: str) -> tuple[tuple[int, int], ...]:
    with psycopg.connect(dsn) as connection:
        rows = [
            connection.execute(f"select count(*), coalesce(sum(hashtext(t::text)), 0) from {table} t").fetchone()  # noqa: S608 - names from above
            for table in TABLES
        ]
    return tuple((int(row[0]), int(row[1])) for row in rows if row)


def _complete(api: Api) -> list[str]:
    found = api.get("/snapshots")["snapshots"]
    return [snapshot["id"] for snapshot in found if {"full_size", "diff_size"} & set(snapshot)]


def _used_bytes(directory: Path) -> int:
    """As `du` counts: what is linked twice lies on the disk once. What vanishes meanwhile does not count."""
    blocks: dict[int, int] = {}
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                found = os.lstat(Path(place) / name)
                blocks[found.st_ino] = found.st_blocks * 512
    return sum(blocks.values())
