"""The monitor's kinds and its arithmetic."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from backups.admin.monitor.advice import advice_for, anchor_of
from backups.domain.backup_plan import Rule, is_overdue
from backups.domain.leftovers import looks_like_ours
from backups.domain.monitor import KINDS, FindingCode, Health, Severity, forecast, overall, weight_in
from backups.domain.people import Capability, roles_with
from backups.domain.policy import Environment
from backups.domain.usage import storage_dollars_a_month

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_every_code_has_one_kind_with_a_title_and_somebody_to_tell() -> None:
    assert KINDS.keys() == set(FindingCode)
    handlers = set(roles_with(Capability.HANDLE_FINDING))
    assert all(kind.title and kind.tells and set(kind.tells) <= handlers for kind in KINDS.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code.value)
def test_every_kind_says_what_to_do(kind) -> None:
    advice = advice_for(kind.anchor)
    assert advice is not None
    assert len(advice.body) > 40
    assert "**" not in advice.body


def test_advice_is_escaped() -> None:
    text = (Path(settings.BASE_DIR) / "docs/procedures.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert anchor_of('"Needs a person": the effect is unknown') == "needs-a-person-the-effect-is-unknown"


def test_only_what_happened_outside_waits_for_an_explanation() -> None:
    stay = {code for code, kind in KINDS.items() if not kind.closes_by_itself}
    assert stay == {code for code in FindingCode if code.value.endswith("_outside")}


@given(st.floats(-1e9, 1e9), st.floats(0, 1e12), st.lists(st.integers(0, 60), min_size=4, max_size=40, unique=True))
def test_a_straight_line_is_found_again(per_day: float, first: float, days: list[int]) -> None:
    points = [(START + dt.timedelta(days=day), first + per_day * day) for day in days]
    line = forecast(points)
    if max(days) - min(days) < 2:
        assert line is None
        return
    assert line is not None
    assert line.per_day == pytest.approx(per_day, rel=1e-4, abs=max(1.0, first * 1e-6))
    assert line.samples == len(days)


@pytest.mark.parametrize("days", [[], [0, 5, 9], [0, 0.1, 0.2, 0.3, 1.9]])
def test_too_few_points_or_too_close_say_nothing(days: list[float]) -> None:
    assert forecast([(START + dt.timedelta(days=day), day) for day in days]) is None


def test_a_forecast_is_never_below_nothing() -> None:
    line = forecast([(START + dt.timedelta(days=day), 100.0 - 10 * day) for day in range(6)])
    assert line is not None
    assert line.in_days(50.0, 30) == 0.0


@pytest.mark.parametrize(
    ("findings", "unknown", "controls", "health"),
    [
        (0, 0, 5, Health.HEALTHY),
        (0, 0, 0, Health.UNKNOWN),
        (0, 1, 5, Health.UNKNOWN),
        (1, 1, 5, Health.FINDINGS),
    ],
)
def test_unknown_is_never_healthy(findings: int, unknown: int, controls: int, health: Health) -> None:
    assert overall(findings=findings, unknown=unknown, controls=controls) is health


def test_less_is_at_stake_below_production() -> None:
    assert weight_in(Environment.PRODUCTION, Severity.CRITICAL) is Severity.CRITICAL
    assert weight_in(Environment.STAGING, Severity.CRITICAL) is Severity.WARNING
    assert weight_in(Environment.STAGING, Severity.NOTICE) is Severity.NOTICE
    assert weight_in(Environment.DEVELOPMENT, Severity.CRITICAL) is Severity.NOTICE


@pytest.mark.parametrize(("age_hours", "overdue"), [(1, False), (24, False), (25.9, False), (26.1, True), (80, True)])
def test_a_daily_snapshot_is_overdue_after_its_day_and_the_grace(age_hours: float, overdue: bool) -> None:
    found = is_overdue(
        newest_at=START,
        now=START + dt.timedelta(hours=age_hours),
        interval_seconds=Rule("daily", 2).interval_seconds or 0,
        grace_seconds=7200,
    )
    assert found is overdue


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("look_L-0007", True),
        ("preview_R-0142_3", True),
        ("main_before_R-0142", True),
        ("main_copy_R-0142", True),
        ("drill_D-0088", True),
        ("safety-main-S-0007", True),
        ("auto-backup-main-20260301-0200-S-0008", True),
        ("main", False),
        ("auto-backup-2025-01-01", False),
        ("preview-feature", False),
        ("look_L-0007-mine", False),
    ],
)
def test_our_names_are_told_from_others(name: str, ours: bool) -> None:
    assert looks_like_ours(name) is ours
    assert looks_like_ours(name, {"made-by": "carecircle-ops"})


def test_ten_gigabytes_cost_three_and_a_half_dollars_a_month() -> None:
    assert storage_dollars_a_month(10 * 10**9) == pytest.approx(3.5)
