"""A proof decays by itself: as the clock goes on and nothing else happens, it never gets better."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.drill import Proof, proof_of

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
#: From the best to the worst that time alone leads to.
DECAY = [Proof.PROVEN, Proof.DOUBTFUL, Proof.FADING, Proof.STALE]
SECONDS = st.integers(0, 10**9)


@given(limit=st.integers(1, 10**8), ages=st.lists(SECONDS, min_size=2, max_size=20), newest_failed=st.booleans())
def test_time_alone_never_makes_a_proof_better(limit, ages, newest_failed):
    found = [
        proof_of(
            now=NOW,
            last_good_at=NOW - dt.timedelta(seconds=age),
            limit_seconds=limit,
            newest_failed=newest_failed,
        )
        for age in sorted(ages)
    ]
    assert [DECAY.index(proof) for proof in found] == sorted(DECAY.index(proof) for proof in found)


@given(limit=st.none() | st.integers(1, 10**8), age=st.none() | SECONDS, newest_failed=st.booleans())
def test_only_a_good_drill_within_the_limit_and_no_newer_failure_is_proof(limit, age, newest_failed):
    last_good_at = None if age is None else NOW - dt.timedelta(seconds=age)
    proof = proof_of(now=NOW, last_good_at=last_good_at, limit_seconds=limit, newest_failed=newest_failed)
    is_good = age is not None and limit is not None and age <= limit and not newest_failed
    assert (proof is Proof.PROVEN) is is_good


@pytest.mark.parametrize(
    ("days", "proof"),
    [(0, Proof.PROVEN), (7, Proof.PROVEN), (7.1, Proof.FADING), (14, Proof.FADING), (15, Proof.STALE)],
)
def test_a_weeks_proof_on_a_moved_clock(days, proof):
    assert proof_of(now=NOW + dt.timedelta(days=days), last_good_at=NOW, limit_seconds=7 * 86_400) is proof
