"""Figures of consumption: what is asked for, and that nothing is lost or counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.consumption import Granularity, Metric
from tests.neon.answers import COPY, params
from tests.neon.conftest import MAIN, PROJECT, START, Fake
from tests.neon.samples import FIGURES, ORG, RANGE

OTHER = "soft-field-87654321"


def frame(hour: int, **amounts: int) -> dict[str, Any]:
    return {
        "timeframe_start": f"2026-11-22T{hour:02d}:00:00Z",
        "timeframe_end": f"2026-11-22T{hour + 1:02d}:00:00Z",
        "metrics": [{"metric_name": name, "value": value} for name, value in amounts.items()],
    }


def used(project_id: str, *frames: dict[str, Any], **more: Any) -> dict[str, Any]:
    period = {"period_id": "p", "period_plan": "scale", "period_start": "2026-11-01T00:00:00Z", "consumption": frames}
    return {"project_id": project_id, "periods": [period]} | more


def test_projects_over_pages(fake: Fake, neon: NeonClient) -> None:
    first = used(PROJECT, frame(8, compute_unit_seconds=1800), frame(9, compute_unit_seconds=5400, a_new_metric=7))
    fake.says({"projects": [first], "pagination": {"cursor": "one"}})
    # The same project again, because the pages shifted, and one that is new.
    fake.says({"projects": [first, used(OTHER)], "pagination": {"cursor": "two"}})
    fake.says({"projects": [], "pagination": {"cursor": "three"}})
    mine, other = neon.consumption.projects(
        ORG, **RANGE, metrics=[Metric.COMPUTE_UNIT_SECONDS, Metric.SNAPSHOT_BYTES], project_ids=[PROJECT, OTHER]
    )
    assert fake.asked == ["GET /consumption_history/v2/projects"] * 3
    assert params(fake, 0) == {
        "org_id": ORG,
        "from": "2026-11-21T10:00:00Z",
        "to": "2026-11-22T10:00:00Z",
        "granularity": "hourly",
        "metrics": "compute_unit_seconds,snapshot_storage_bytes_month",
        "project_ids": f"{PROJECT},{OTHER}",
        "limit": "100",
    }
    assert [params(fake, turn).get("cursor") for turn in range(3)] == [None, "one", "two"]
    assert (mine.project_id, mine.branch_id, mine.total("compute_unit_seconds")) == (PROJECT, None, 7200)
    assert (mine.total("a_new_metric"), mine.total("never_told")) == (7, 0)
    assert [usage.start.hour for usage in mine.timeframes] == [8, 9]
    assert mine.timeframes[0].end - mine.timeframes[0].start == timedelta(hours=1)
    assert (mine.periods[0].plan, mine.periods[0].end) == ("scale", None)
    assert other.timeframes == ()


def test_branches_of_projects(fake: Fake, neon: NeonClient) -> None:
    listed = [used(PROJECT, frame(8, root_branch_bytes_month=10**9), branch_id=each) for each in (MAIN, COPY)]
    fake.says({"branches": listed})
    found = neon.consumption.branches(
        ORG, **RANGE, metrics=[Metric.ROOT_BRANCH_BYTES], project_ids=[PROJECT], branch_ids=[MAIN, COPY]
    )
    assert fake.asked == ["GET /consumption_history/v2/branches"]
    assert (params(fake)["project_ids"], params(fake)["branch_ids"]) == (PROJECT, f"{MAIN},{COPY}")
    assert params(fake)["limit"] == "1000"
    assert [usage.branch_id for usage in found] == [MAIN, COPY]
    assert found[0].total(Metric.ROOT_BRANCH_BYTES) == 10**9


def test_a_range_is_never_narrowed(fake: Fake, neon: NeonClient) -> None:
    fake.says({"projects": []})
    since = datetime(2026, 11, 22, 8, 59, 59, 900_000, tzinfo=UTC)
    neon.consumption.projects(ORG, **FIGURES | {"since": since, "until": since + timedelta(seconds=1)})
    assert (params(fake)["from"], params(fake)["to"]) == ("2026-11-22T08:59:59Z", "2026-11-22T09:00:01Z")
    assert "project_ids" not in params(fake)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metrics": []}, "metric"),
        ({"until": START - timedelta(days=1)}, "begins"),
        ({"since": (START - timedelta(days=1)).replace(tzinfo=None), "until": START.replace(tzinfo=None)}, "zone"),
        ({"project_ids": ["a"] * 101}, "1 to 100"),
        ({"project_ids": ["a,b"]}, "Neon id"),
    ],
)
def test_a_question_that_makes_no_sense_is_not_asked(neon: NeonClient, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        neon.consumption.projects(ORG, **FIGURES | change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"project_ids": []}, "1 to 100"),
        ({"branch_ids": ["b"] * 101}, "1 to 100"),
        ({"metrics": [Metric.SNAPSHOT_BYTES]}, "whole projects"),
        ({"metrics": [Metric.COMPUTE_UNIT_SECONDS, Metric.EXTRA_BRANCHES]}, "whole projects"),
    ],
)
def test_what_neon_does_not_tell_of_branches(neon: NeonClient, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        neon.consumption.branches(ORG, **FIGURES | {"project_ids": [PROJECT]} | change)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"projects": [{"project_id": PROJECT}]},
        {"projects": [{"periods": []}]},
        {"projects": [used(PROJECT, {"timeframe_start": "2026-11-22T08:00:00Z", "metrics": []})]},
        {"projects": [used(PROJECT, frame(8) | {"timeframe_end": "soon"})]},
        {"projects": [used(PROJECT, frame(8) | {"metrics": None})]},
        {"projects": [used(PROJECT, frame(8) | {"metrics": [{"metric_name": "compute_unit_seconds"}]})]},
        {"projects": [used(PROJECT, frame(8) | {"metrics": [{"metric_name": "compute_unit_seconds", "value": "1"}]})]},
        {"projects": [used(PROJECT, frame(8) | {"metrics": [{"value": 1}]})]},
    ],
)
def test_figures_that_cannot_be_read_are_not_nothing(fake: Fake, neon: NeonClient, broken: Any) -> None:
    fake.says(broken)
    with pytest.raises(errors.AnswerUnusable):
        neon.consumption.projects(ORG, **FIGURES)


def test_a_plan_without_figures_and_a_range_too_long_ago_are_told_apart(fake: Fake, neon: NeonClient) -> None:
    fake.says({"message": "not available for this account"}, status=403)
    fake.says({"message": "the range is not valid for the granularity"}, status=406)
    with pytest.raises(errors.NeonForbidden, match="plan of the Neon project"):
        neon.consumption.projects(ORG, **FIGURES)
    with pytest.raises(errors.NeonOutOfWindow, match="coarser granularity"):
        neon.consumption.projects(ORG, **FIGURES | {"granularity": Granularity.MONTHLY})
    assert params(fake)["granularity"] == "monthly"


def test_the_limit_of_its_own_says_when_to_come_back(fake: Fake, neon: NeonClient) -> None:
    fake.says({"message": "too many requests"}, status=429, retry_after="2")
    fake.says({"projects": [used(PROJECT)]})
    assert len(neon.consumption.projects(ORG, **FIGURES)) == 1
    assert fake.time.slept == [2.0]
