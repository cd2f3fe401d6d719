"""Long checks go part by part: interrupted anywhere they end with the same result."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backups.verification import CheckContext, CheckResult, Unfinished, difference, plan_checks, run_check, slices
from backups.verification.errors import OutOfTime
from backups.verification.slices import Slicing
from tests.verification.story import INCONCLUSIVE, PASSED, Story, verify, verify_only

TABLES = ("public.medication_logs", "public.documents", "public.measurements")


@pytest.mark.parametrize("table", TABLES)
def test_slices_add_up_to_the_whole(story: Story, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """By ranges of an integer key, of a hashed key and of hashed rows; with losses to be found in them."""
    _, context = story.branch(story.early)
    whole = verify_only(table, context)
    monkeypatch.setattr(slices, "ROWS_PER_SLICE", 40)
    assert verify_only(table, context).figures == whole.figures
    assert slices.slicing_for(3000).of > 16


def test_cursor_survives_json_and_goes_on_where_it_stopped(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    _, context = story.branch()
    monkeypatch.setattr(slices, "ROWS_PER_SLICE", 1000)
    context = _with_anchors(context)
    spec = next(s for s in plan_checks(context) if s.subject == "public.medication_logs")
    compared: list[Slicing] = []
    real = difference.compare_slice

    def one_per_call(pair, slicing, claims):
        if compared and compared[-1] != slicing and not compared.count(slicing) and calls[-1] == len(compared) - 1:
            raise OutOfTime
        compared.append(slicing)
        return real(pair, slicing, claims)

    monkeypatch.setattr("backups.verification.table_content.compare_slice", one_per_call)
    cursor, calls = None, []
    while True:
        calls.append(len(compared))
        outcome = run_check(spec, context, cursor=cursor)
        if isinstance(outcome, CheckResult):
            break
        cursor = json.loads(json.dumps(outcome.cursor))
    assert outcome.outcome is PASSED
    assert [slicing.index for slicing in compared] == list(range(compared[0].of))
    assert len(calls) == compared[0].of


def test_slice_that_takes_a_whole_budget_is_made_smaller(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    _, context = story.branch()
    context = _with_anchors(context)
    spec = next(s for s in plan_checks(context) if s.subject == "public.documents")
    real = difference.compare_slice

    def too_slow_unless_small(pair, slicing, claims):
        if slicing.of < 16:
            raise OutOfTime
        return real(pair, slicing, claims)

    monkeypatch.setattr("backups.verification.table_content.compare_slice", too_slow_unless_small)
    first = run_check(spec, context)
    assert isinstance(first, Unfinished)
    second = run_check(spec, context, cursor=first.cursor)
    assert isinstance(second, Unfinished)
    third = run_check(spec, context, cursor=second.cursor)
    assert isinstance(third, CheckResult)
    assert third.outcome is PASSED


def test_table_that_can_not_be_read_in_time_is_inconclusive(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_):
        raise OutOfTime

    monkeypatch.setattr("backups.verification.table_content.compare_slice", never)
    _, context = story.branch()
    result = verify_only("public.documents", context)
    assert result.sentence == "Could not tell: it can't be read in the time allowed."


@pytest.mark.usefixtures("questions_cost_a_second")
def test_anchors_and_constraints_go_on_after_each_interruption(story: Story) -> None:
    _, context = story.branch()
    only = frozenset({"anchors", "constraints_hold"})
    at_once, in_parts = (verify(context, only=only, budget_seconds=seconds) for seconds in (1000, 5))
    assert in_parts["anchors"].figures == at_once["anchors"].figures
    assert in_parts["constraints_hold"].figures == at_once["constraints_hold"].figures


@pytest.mark.usefixtures("questions_cost_a_second")
def test_budget_that_never_suffices_ends_as_inconclusive(story: Story) -> None:
    _, context = story.branch()
    results = verify(context, only=frozenset({"anchors", "sequences", "public.users"}), budget_seconds=1)
    assert {result.outcome for result in results.values()} == {INCONCLUSIVE}


def test_without_anchors_nothing_is_compared_and_nothing_passes(story: Story) -> None:
    _, context = story.branch()
    unread = context.learn("anchors", {})
    spec = next(s for s in plan_checks(unread) if s.subject == "public.users")
    outcome = run_check(spec, unread)
    assert isinstance(outcome, CheckResult)
    assert outcome.sentence == "Could not tell: the state at the point could not be read."


def _with_anchors(context: CheckContext) -> CheckContext:
    spec = next(s for s in plan_checks(context) if s.code == "anchors")
    outcome = run_check(spec, context)
    assert isinstance(outcome, CheckResult)
    return replace(context, anchors=context.learn("anchors", json.loads(json.dumps(outcome.figures))).anchors)
