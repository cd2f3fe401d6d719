"""Figures over time, and the straight line through them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.monitor import Forecast, forecast
from backups.models import MetricSample, Project, ProtectedBranch

STORAGE, SNAPSHOTS, HISTORY = "storage_bytes", "snapshot_bytes", "history_bytes"
COMPUTE = "compute_cu_hours_a_day"
BRANCH_SIZE, WINDOW = "branch_bytes", "history_window_seconds"
BRANCHES, ROOT_BRANCHES, SNAPSHOT_COUNT = "branches", "root_branches", "snapshots"

#: A trend is of the last weeks; what was before has other reasons.
LOOKS_BACK = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Trend:
    """`line` is None where too few points say nothing."""

    name: str
    points: tuple[tuple[dt.datetime, float], ...]
    line: Forecast | None

    @property
    def newest(self) -> float | None:
        return self.points[-1][1] if self.points else None


def trend_of(project: Project, name: str, *, now: dt.datetime, branch: ProtectedBranch | None = None) -> Trend:
    """One figure of a project, or of one of its branches, oldest first. One query."""
    rows = MetricSample.objects.filter(project=project, branch=branch, name=name, at__gte=now - LOOKS_BACK)
    points = tuple(rows.order_by("at").values_list("at", "value"))
    return Trend(name=name, points=points, line=forecast(points))
