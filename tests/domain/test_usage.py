"""Neon's units in those of its price list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.usage import average_gb, cu_hours, extra_branch_months, gb_months

DAY_HOURS = 24.0


def test_a_gigabyte_kept_for_a_month_of_neon_is_one_gb_month() -> None:
    assert gb_months(744 * 10**9) == 1.0
    # A month of 31 days is one of Neon's; a shorter one costs less.
    assert gb_months(28 * 24 * 10**9) == pytest.approx(0.9032, abs=1e-4)


def test_compute_is_counted_in_hours() -> None:
    assert cu_hours(5400) == 1.5


def test_the_mean_size_of_a_day() -> None:
    assert average_gb(12 * 4 * 10**9, hours=DAY_HOURS) == 2.0
    for hours in (0.0, -1.0):
        with pytest.raises(ValueError, match="length"):
            average_gb(1, hours=hours)


@pytest.mark.parametrize(
    ("branch_hours", "included", "extra_hours"),
    [
        (9 * DAY_HOURS, 10, 0.0),  # nine children and the root
        (10 * DAY_HOURS, 10, DAY_HOURS),
        (0.0, 10, 0.0),
        (DAY_HOURS, 1, DAY_HOURS),
    ],
)
def test_only_branches_beyond_the_plan_are_extra(branch_hours: float, included: int, extra_hours: float) -> None:
    found = extra_branch_months(branch_hours, included_branches=included, hours=DAY_HOURS)
    assert found == pytest.approx(extra_hours / 744)


def test_a_plan_without_branches_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="root"):
        extra_branch_months(1.0, included_branches=0, hours=DAY_HOURS)


@given(st.floats(0, 1e18), st.floats(0.1, 744))
def test_a_mean_size_and_gb_months_tell_the_same(byte_hours: float, hours: float) -> None:
    assert gb_months(byte_hours) == pytest.approx(average_gb(byte_hours, hours=hours) * hours / 744)
