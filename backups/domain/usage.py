"""Neon's units of consumption in the units of its price list.

Neon's month always has 744 hours and its gigabyte 10^9 bytes. What it calls "bytes_month" are byte-hours.
"""

from __future__ import annotations

HOURS_PER_MONTH = 744
BYTES_PER_GB = 10**9
_SECONDS_PER_HOUR = 3600


def gb_months(byte_hours: float) -> float:
    """What storage is charged by."""
    return byte_hours / HOURS_PER_MONTH / BYTES_PER_GB


def average_gb(byte_hours: float, *, hours: float) -> float:
    """The mean size over a timeframe of `hours`. Raises ValueError for a timeframe without length."""
    if hours <= 0:
        raise ValueError("a timeframe has a length")
    return byte_hours / hours / BYTES_PER_GB


def cu_hours(cu_seconds: float) -> float:
    """What compute is charged by; a compute unit (CU) is one virtual processor with 4 GB of memory."""
    return cu_seconds / _SECONDS_PER_HOUR


def extra_branch_months(branch_hours: float, *, included_branches: int, hours: float) -> float:
    """What branches beyond the plan are charged by, over a timeframe of `hours`.

    Neon counts the hours of every child branch; the root branch is one of those included. Raises ValueError for a
    plan that includes no branch at all.
    """
    if included_branches < 1:
        raise ValueError("a plan includes at least the root branch")
    return max(0.0, branch_hours - (included_branches - 1) * hours) / HOURS_PER_MONTH


#: Neon's price of a stored GB for a month on its paid plans (price list of August 2026).
DOLLARS_A_GB_MONTH = 0.35


def storage_dollars_a_month(size_bytes: int) -> float:
    """About what a root branch of that size costs in a month of 744 hours; history and snapshots come on top."""
    return gb_months(float(size_bytes) * HOURS_PER_MONTH) * DOLLARS_A_GB_MONTH
