"""Figures for trends: one set an hour, kept for a quarter of a year."""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from backups.domain.usage import BYTES_PER_GB, average_gb, cu_hours
from backups.models import MetricSample, MonitorRun, ProtectedBranch
from backups.neon.consumption import Metric
from backups.selectors import trend
from backups.services.monitor.scene import Scene

_KEPT = dt.timedelta(days=92)
_RUNS_KEPT = dt.timedelta(days=7)


def take_samples(scene: Scene) -> None:
    """Writes what Neon told, at most once in an interval. What it did not tell leaves a gap."""
    MetricSample.objects.bulk_create(_usage_rows(scene))
    earliest = scene.now - dt.timedelta(seconds=settings.MONITOR_SAMPLE_SECONDS)
    taken = MetricSample.objects.filter(project=scene.project, at__gt=earliest)
    if taken.exclude(name__in=[trend.HISTORY, trend.COMPUTE]).exists():
        return
    figures = _project_figures(scene)
    rows = [
        MetricSample(project=scene.project, name=name, at=scene.now, value=float(value))
        for name, value in figures.items()
        if value is not None
    ]
    MetricSample.objects.bulk_create(rows + _branch_rows(scene))


def prune(now: dt.datetime) -> None:
    """Forgets old figures and old cycles."""
    MetricSample.objects.filter(at__lt=now - _KEPT).delete()
    MonitorRun.objects.filter(started_at__lt=now - _RUNS_KEPT).delete()


def _project_figures(scene: Scene) -> dict[str, float | None]:
    facts, figures = scene.facts, dict[str, float | None]()
    if facts.project.is_told:
        told = facts.project.get()
        figures |= {trend.STORAGE: told.synthetic_storage_size_bytes, trend.WINDOW: told.history_retention_seconds}
    if facts.branches.is_told:
        listed = facts.branches.get()
        figures |= {trend.BRANCHES: len(listed), trend.ROOT_BRANCHES: sum(each.is_root for each in listed)}
    if facts.snapshots.is_told:
        snapshots = facts.snapshots.get()
        sizes = [each.full_size_bytes or each.diff_size_bytes for each in snapshots]
        figures[trend.SNAPSHOT_COUNT] = len(snapshots)
        # A size that Neon has not worked out yet would look as if something had been deleted.
        figures[trend.SNAPSHOTS] = None if None in sizes else sum(size or 0 for size in sizes)
    return figures


def _usage_rows(scene: Scene) -> list[MetricSample]:
    """The mean size of the history over the last hours, and the compute used in them, as the invoice counts them."""
    usage = scene.facts.usage
    frames = usage.timeframes if usage is not None else ()
    hours = sum((frame.end - frame.start).total_seconds() for frame in frames) / 3600
    if usage is None or hours <= 0:
        return []
    history_bytes = average_gb(usage.total(Metric.INSTANT_RESTORE_BYTES), hours=hours) * BYTES_PER_GB
    a_day = cu_hours(usage.total(Metric.COMPUTE_UNIT_SECONDS)) / hours * 24
    figures = {trend.HISTORY: history_bytes, trend.COMPUTE: a_day}
    return [
        MetricSample(project=scene.project, name=name, at=scene.now, value=value) for name, value in figures.items()
    ]


def _branch_rows(scene: Scene) -> list[MetricSample]:
    if not scene.facts.branches.is_told:
        return []
    sizes = {each.id: each.logical_size_bytes for each in scene.facts.branches.get()}

    def row(branch: ProtectedBranch, size: int) -> MetricSample:
        return MetricSample(
            project=scene.project, branch=branch, name=trend.BRANCH_SIZE, at=scene.now, value=float(size)
        )

    found = [(branch, sizes.get(branch.neon_branch_id)) for branch in scene.branches]
    return [row(branch, size) for branch, size in found if size is not None]
