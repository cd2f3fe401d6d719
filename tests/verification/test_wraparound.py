"""Transaction ids start over after four billion. A restore across that line is judged like any other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from backups.verification.xids import MODULUS, as_stored, is_later, xid_of_age
from demo import seed
from demo.traffic import Traffic
from neon_sandbox.binaries import Tools
from tests.verification.story import Story, failures, not_passed, verify, whatever_is_deleted
from tests.verification.timeline import Timeline, make_template

SCALE = 0.01
#: Enough for loading and the story; the clients after a restore cross the line.
IDS_LEFT = 500
# When tests move between processes, a module's fixture can be made twice in one.
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def late_story(tools: Tools, new_timeline: Callable[..., Timeline]) -> Story:
    template = make_template(
        tools,
        tools.home / f"late{next(_numbers)}",
        lambda dsn: seed.load(dsn, scale=SCALE),
        next_xid=MODULUS - IDS_LEFT,
    )
    return Story(new_timeline(template), rows_between=60)


@pytest.mark.parametrize("commit_times", ["on", "off"])
def test_right_restore_across_the_line_passes(late_story: Story, commit_times: str) -> None:
    node, context = late_story.branch(track_commit_timestamp=commit_times)
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(IDS_LEFT)
    assert node.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0] > MODULUS
    assert not_passed(verify(replace(whatever_is_deleted(context), statistics_settle_seconds=12))) == {}


@pytest.mark.parametrize("wrong", ["early", "late"])
def test_wrong_points_across_the_line_fail(late_story: Story, wrong: str) -> None:
    node, context = late_story.branch(getattr(late_story, wrong))
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(IDS_LEFT)
    assert "public.medication_logs" in failures(verify(context))


def test_ids_compare_in_a_circle() -> None:
    assert is_later(5, 4)
    assert not is_later(4, 4)
    assert is_later(5, MODULUS - 5)
    assert not is_later(MODULUS - 5, 5)
    assert as_stored(MODULUS + 1) == 3
    assert xid_of_age(10, age_of_three=2) == MODULUS - 5
