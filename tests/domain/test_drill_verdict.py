"""The verdict of a drill: what must hold whatever was measured, and each reason by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.drill import DrillOutcome
from backups.domain.drill_verdict import Judged, Measured, Trouble, verdict
from backups.domain.execution import CheckOutcome

P, F, I = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE  # noqa: E741
GOOD = Measured(
    checks=(Judged("rows", True, P), Judged("roles", True, P)),
    trouble=None,
    rto_milliseconds=4_000,
    elapsed_milliseconds=0,
    rto_objective_seconds=900,
    rpo_milliseconds=30_000,
    rpo_is_exact=True,
    nothing_newer=False,
    rpo_objective_seconds=300,
)

CHECKS = st.builds(Judged, st.just("a check"), st.booleans(), st.none() | st.sampled_from(CheckOutcome))
TROUBLES = st.builds(Trouble, st.just("code"), st.just("Something happened."), st.booleans())
MEASURED = st.builds(
    Measured,
    checks=st.lists(CHECKS, max_size=6),
    trouble=st.none() | TROUBLES,
    rto_milliseconds=st.none() | st.integers(0, 2_000_000),
    elapsed_milliseconds=st.integers(0, 2_000_000),
    rto_objective_seconds=st.integers(1, 1_000),
    rpo_milliseconds=st.none() | st.integers(0, 700_000),
    rpo_is_exact=st.booleans(),
    nothing_newer=st.booleans(),
    rpo_objective_seconds=st.none() | st.integers(1, 600),
)


@given(MEASURED)
def test_passed_means_that_everything_was_shown(measured: Measured) -> None:
    if verdict(measured).outcome is not DrillOutcome.PASSED:
        return
    required = [check for check in measured.checks if check.required]
    assert required
    assert all(check.outcome is P for check in required)
    assert measured.trouble is None
    assert measured.rto_milliseconds is not None
    assert measured.rto_milliseconds <= measured.rto_objective_seconds * 1000
    if measured.rpo_objective_seconds is not None:
        within = (measured.rpo_milliseconds or 0) <= measured.rpo_objective_seconds * 1000
        assert (measured.rpo_milliseconds is not None and within) or measured.nothing_newer


@given(MEASURED)
def test_a_failed_check_is_never_outweighed(measured: Measured) -> None:
    worse = replace(measured, checks=[*measured.checks, Judged("orders", True, F)])
    assert verdict(worse).outcome is DrillOutcome.FAILED
    assert "orders" in verdict(replace(worse, checks=[Judged("orders", True, F)])).sentence


@given(MEASURED, st.sampled_from([I, None]))
def test_what_could_not_be_told_never_passes(measured: Measured, outcome: CheckOutcome | None) -> None:
    unclear = replace(measured, checks=[*measured.checks, Judged("orders", True, outcome)])
    assert verdict(unclear).outcome is not DrillOutcome.PASSED


@given(MEASURED)
def test_a_check_that_is_not_required_decides_nothing(measured: Measured) -> None:
    more = replace(measured, checks=[*measured.checks, Judged("a wish", False, F)])
    assert verdict(more) == verdict(measured)


@given(MEASURED)
def test_every_verdict_has_a_code_and_a_sentence(measured: Measured) -> None:
    found = verdict(measured)
    assert found.code
    assert found.sentence.endswith(".")


LIMIT = Trouble("time_limit", "The time limit passed before the checks had ended.")


@pytest.mark.parametrize(
    ("changes", "outcome", "code"),
    [
        ({}, "passed", "passed"),
        ({"checks": ()}, "inconclusive", "nothing_checked"),
        ({"checks": (Judged("rows", True, I),)}, "inconclusive", "check_inconclusive"),
        ({"rto_milliseconds": 900_001}, "failed", "rto_missed"),
        ({"rto_milliseconds": 900_000}, "passed", "passed"),
        ({"rpo_milliseconds": 300_001}, "failed", "rpo_missed"),
        # The newest row only bounds the age, so a quiet database is no failure.
        ({"rpo_milliseconds": 300_001, "rpo_is_exact": False}, "inconclusive", "rpo_unknown"),
        ({"rpo_milliseconds": 300_001, "rpo_is_exact": False, "nothing_newer": True}, "passed", "passed"),
        ({"rpo_milliseconds": None}, "inconclusive", "rpo_unknown"),
        ({"rpo_milliseconds": None, "rpo_objective_seconds": None}, "passed", "passed"),
        # The time limit: failed when the objective was already exceeded, inconclusive before.
        ({"trouble": LIMIT, "rto_milliseconds": None, "elapsed_milliseconds": 900_001}, "failed", "rto_missed"),
        ({"trouble": LIMIT, "rto_milliseconds": None, "elapsed_milliseconds": 60_000}, "inconclusive", "time_limit"),
        ({"trouble": Trouble("copy_refused", "Neon refused.", True), "checks": ()}, "failed", "copy_refused"),
        ({"trouble": Trouble("copy_gone", "It is gone."), "checks": ()}, "inconclusive", "copy_gone"),
    ],
)
def test_each_reason_by_itself(changes: dict[str, Any], outcome: str, code: str) -> None:
    found = verdict(replace(GOOD, **changes))
    assert (found.outcome, found.code) == (outcome, code), found.sentence
