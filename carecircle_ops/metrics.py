"""The state of portal and backups in Prometheus' text format; an example of alert rules is in docs/alert-rules.yml.

Read from the database at each scrape, so that every web process tells the same; nothing is counted in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from backups.domain.monitor import Health, Severity
from backups.selectors.clock import database_now
from backups.selectors.monitor import BranchHealth, Situation, situation
from backups.selectors.worker import WorkerHealth, WorkerState, worker_health

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BRANCH = ["project", "branch", "environment", "sandbox"]


def exposition(*, project_id: int | None = None) -> bytes:
    """Everything, or what concerns one project, as one scrape."""
    registry = CollectorRegistry()
    registry.register(_Backups(situation(database_now(), project_id=project_id), worker_health()))
    return generate_latest(registry)


class _Backups(Collector):
    def __init__(self, found: Situation, worker: WorkerHealth) -> None:
        self._found = found
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        yield from self._whole()
        yield from self._branches()
        yield from self._portal()

    def _whole(self) -> Iterator[Metric]:
        found = self._found
        state = GaugeMetricFamily("ccops_backups_state", "1 for the state that holds.", labels=["state"])
        for health in Health:
            state.add_metric([health.value], health is found.health)
        yield state
        findings = GaugeMetricFamily("ccops_findings_open", "Open findings.", labels=["severity"])
        for severity in Severity:
            findings.add_metric([severity.value], found.by_severity.get(severity, 0))
        yield findings
        yield self._by_code()
        yield GaugeMetricFamily("ccops_controls_unknown", "Controls without an answer.", value=len(found.unknown))

    def _by_code(self) -> Metric:
        """Several findings of one kind on one branch are one series with their number."""
        counts: Counter[tuple[str, ...]] = Counter()
        for each in self._found.findings:
            project = each.project.neon_project_id if each.project else ""
            branch = each.branch.neon_branch_id if each.branch else ""
            counts[each.code, each.severity, project, branch] += 1
        metric = GaugeMetricFamily(
            "ccops_finding_open", "Open findings of one kind.", labels=["code", "severity", "project", "branch"]
        )
        for labels, count in sorted(counts.items()):
            metric.add_metric(labels, count)
        return metric

    def _branches(self) -> Iterator[Metric]:
        healthy = GaugeMetricFamily(
            "ccops_branch_recoverable", "1 healthy, 0 findings, -1 unknown: never taken for healthy.", labels=_BRANCH
        )
        for each in self._found.branches:
            healthy.add_metric(_labels(each), _NUMBERS[each.health])
        yield healthy
        asked = GaugeMetricFamily(
            "ccops_branch_asked_age_seconds", "How long ago Neon last answered about the branch.", labels=_BRANCH
        )
        for each in self._found.branches:
            if each.asked_at is not None:
                asked.add_metric(_labels(each), (self._found.now - each.asked_at).total_seconds())
        yield asked

    def _portal(self) -> Iterator[Metric]:
        cycle = GaugeMetricFamily("ccops_monitor_last_look_age_seconds", "How long ago the monitor last looked.")
        if self._found.cycle_at is not None:
            cycle.add_metric([], (self._found.now - self._found.cycle_at).total_seconds())
        yield cycle
        yield GaugeMetricFamily("ccops_worker_up", "Tasks are being run.", value=self._worker.state is WorkerState.OK)
        age = GaugeMetricFamily("ccops_worker_heartbeat_age_seconds", "Age of the worker's last heartbeat.")
        if self._worker.heartbeat_age_seconds is not None:
            age.add_metric([], self._worker.heartbeat_age_seconds)
        yield age
        yield GaugeMetricFamily(
            "ccops_tasks_waiting", "Tasks that nobody has fetched.", value=self._worker.waiting_tasks
        )


_NUMBERS = {Health.HEALTHY: 1, Health.FINDINGS: 0, Health.UNKNOWN: -1}


def _labels(each: BranchHealth) -> list[str]:
    branch = each.branch
    sandbox = "1" if branch.project.is_sandbox else "0"
    return [branch.project.neon_project_id, branch.neon_branch_id, each.environment.value, sandbox]
