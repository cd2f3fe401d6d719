"""Each finding: what causes it, seen by one look, and what takes it away again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.utils import timezone

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.monitor import KINDS, FindingCode
from backups.models import (
    Drill,
    DrillPlan,
    Look,
    MetricSample,
    OutboxMessage,
    OwnedBranch,
    ProjectWatch,
    ProtectedBranch,
    WorkerHeartbeat,
)
from backups.neon.types import Project
from backups.selectors.trend import STORAGE
from backups.services import project as projects
from backups.services.worker import record_heartbeat
from neon_sandbox.entities import Meter, Snapshot
from tests.factories import person
from tests.services.monitor.conftest import World

pytestmark = pytest.mark.django_db

C = FindingCode
Act = Callable[[World], object]
DAY = 86_400


@dataclass(frozen=True)
class Case:
    code: FindingCode
    cause: Act
    remove: Act
    severity: str = ""


def force(**changes: Any) -> Act:
    """As only Neon itself could."""

    def act(world: World) -> None:
        path = f"{world.sandbox.root_url}/_sandbox/branches/{world.branch_id}"
        assert world.api.http.patch(path, json=changes).is_success

    return act


def patch_project(**changes: Any) -> Act:
    return lambda world: world.api.done(world.api.call("PATCH", "", {"project": changes}))


def schedule(*items: dict[str, Any]) -> Act:
    def act(world: World) -> None:
        path = f"/branches/{world.branch_id}/backup_schedule"
        assert world.api.call("PUT", path, {"schedule": list(items)}).is_success

    return act


def declared(frequency: str = "daily") -> Act:
    item: dict[str, Any] = {"frequency": frequency, "hour": 2, "retention_seconds": 7 * DAY}
    return schedule(item | ({"day": 1} if frequency != "daily" else {}))


def fault(kind: str, **parameters: Any) -> Act:
    def act(world: World) -> None:
        world.sandbox.faults.add(kind, path=f"/projects/{world.project.neon_project_id}$", times=None, **parameters)

    return act


def clear(world: World) -> None:
    world.sandbox.faults.clear()


def endpoint(**changes: Any) -> Act:
    def act(world: World) -> None:
        found = world.api.get(f"/branches/{world.branch_id}/endpoints")["endpoints"][0]
        world.api.done(world.api.call("PATCH", f"/endpoints/{found['id']}", {"endpoint": changes}))

    return act


def delete_endpoint(world: World) -> None:
    found = world.api.get(f"/branches/{world.branch_id}/endpoints")["endpoints"][0]
    world.api.done(world.api.call("DELETE", f"/endpoints/{found['id']}"))


def make_endpoint(world: World) -> None:
    body = {"endpoint": {"branch_id": world.branch_id, "type": "read_write"}}
    world.api.done(world.api.call("POST", "/endpoints", body))


def make_orphan(world: World) -> None:
    world.api.make_branch("look_L-9999", parent_id=world.branch_id)


def delete_orphan(world: World) -> None:
    world.api.done(world.api.call("DELETE", f"/branches/{world.api.named('look_L-9999')['id']}"))


def own(world: World, *, age_days: int = 0, neon_branch_id: str, purpose: BranchPurpose = BranchPurpose.LOOK) -> None:
    look = Look.objects.create(
        branch=world.branch,
        person=person("alice").user,
        person_name="alice",
        point_kind="head",
        state="closed",
        expires_at=timezone.now(),
    )
    row = OwnedBranch.objects.create(
        project=world.project,
        name="main_before_R-0001",
        neon_branch_id=neon_branch_id,
        purpose=purpose,
        fate=BranchFate.PRESENT,
        owner_name="alice",
        look=look,
    )
    OwnedBranch.objects.filter(pk=row.pk).update(created_at=timezone.now() - dt.timedelta(days=age_days))


def own_missing(world: World) -> None:
    own(world, neon_branch_id="br-no-such-00000000")


def own_preserved(world: World) -> None:
    made = world.api.make_branch("main_before_R-0001", parent_id=world.branch_id)["branch"]
    own(world, age_days=8, neon_branch_id=made["id"], purpose=BranchPurpose.PRESERVED)


def disown(world: World) -> None:
    OwnedBranch.objects.update(fate=BranchFate.GONE, gone_at=timezone.now())


def make_child_main(world: World) -> None:
    made = world.api.make_branch("child", parent_id=world.branch_id)["branch"]
    ProtectedBranch.objects.create(
        project=world.project, neon_branch_id=made["id"], name="child", is_root=False, is_default=False,
        is_neon_protected=False, label="production",
    )  # fmt: skip


def forget_child(world: World) -> None:
    ProtectedBranch.objects.filter(name="child").update(label="development")


def know_unknown(world: World) -> None:
    ProtectedBranch.objects.create(
        project=world.project, neon_branch_id="br-was-never-00000000", name="never", is_root=True, label="production",
        is_default=False, is_neon_protected=False,
    )  # fmt: skip


def forget_unknown(world: World) -> None:
    world_row = ProtectedBranch.objects.get(name="never")
    world_row.neon_branch_id = world.api.make_branch("never", parent_id=world.branch_id)["branch"]["id"]
    world_row.save()


def give_up_message(world: World) -> None:
    OutboxMessage.objects.create(
        channel="slack", topic="system.trouble", subject_kind="system", subject_reference="x", subject_key="system:x",
        text="t", dedupe_key="x", attempts=15, given_up_at=timezone.now(), created_at=timezone.now(),
    )  # fmt: skip


def forget_messages(world: World) -> None:
    OutboxMessage.objects.filter(dedupe_key="x").delete()


def cap(number: int) -> Act:
    """As if the plan were another one: what the plan allows is this portal's own table."""

    def act(world: World) -> None:
        world.patch.setitem(projects.ROOT_BRANCH_CAPS, "scale", number)

    return act


def branch_limit(number: int) -> Act:
    """The sandbox knows no limit, so its answer is changed on the way."""

    def act(world: World) -> None:
        read = Project.of
        world.patch.setattr(Project, "of", classmethod(lambda cls, raw: replace(read(raw), branches_limit=number)))

    return act


def stop_worker(world: World) -> None:
    WorkerHeartbeat.objects.all().delete()


def no_snapshot_for_days(world: World) -> None:
    """The schedule was seen three days ago, and nothing was taken since."""
    watch = ProjectWatch.objects.get(project=world.project)
    for known in watch.known["schedules"].values():
        known["since"] = (timezone.now() - dt.timedelta(days=3)).isoformat()
    watch.save()


def take_scheduled_snapshot(world: World) -> None:
    plane = world.sandbox.sandbox.plane
    taken = world.api.take_snapshot(world.branch_id, name=f"scheduled-{world.project.pk}")
    with plane.store.transaction():
        plane.store.put(replace(plane.store.must(Snapshot, taken["id"]), manual=False))


def grow(world: World) -> None:
    """A gigabyte a day for five days."""
    forget_growth(world)
    now = timezone.now()
    for days in range(5):
        value = (5 - days) * 1e9
        MetricSample.objects.create(
            project=world.project, name=STORAGE, at=now - dt.timedelta(days=days + 1), value=value
        )
    read = Project.of
    size = 5 * 10**9
    world.patch.setattr(
        Project, "of", classmethod(lambda cls, raw: replace(read(raw), synthetic_storage_size_bytes=size))
    )


def forget_growth(world: World) -> None:
    MetricSample.objects.all().delete()


def drill(world: World, *, age_days: float, outcome: str = "passed") -> None:
    plan, _ = DrillPlan.objects.get_or_create(branch=world.branch, name="weekly", created_by_name="alice")
    ended = timezone.now() - dt.timedelta(days=age_days)
    Drill.objects.create(
        type="functional", is_automatic=True, state="ended", outcome=outcome, title="t", project=world.project,
        branch=world.branch, plan=plan, scenario="rehearsal", asked_by_name="alice", ended_at=ended,
    )  # fmt: skip


def plan_and_pass_drill(world: World) -> None:
    drill(world, age_days=0)


def fail_a_drill_after_a_good_one(world: World) -> None:
    drill(world, age_days=2)
    drill(world, age_days=1, outcome="failed")


def drill_of_days_ago(world: World) -> None:
    drill(world, age_days=8)


def silence(world: World) -> None:
    """Neon answers nothing, and the grace is over at once."""
    world.settings.MONITOR_UNKNOWN_GRACE_SECONDS = 0
    world.settings.MONITOR_CALL_SECONDS = 0.2
    fault("status", status=503)(world)


def use_active_time(world: World) -> None:
    patch_project(settings={"quota": {"active_time_seconds": 1000}})(world)
    store = world.sandbox.sandbox.plane.store
    now = world.sandbox.now()
    with store.transaction():
        meter = Meter(
            world.api.project_id, world.api.project_id, None, at=now, period_start=now, period_active_seconds=950
        )
        store.put(meter)


def use_all(world: World) -> None:
    patch_project(settings={"quota": {"active_time_seconds": 1000}})(world)
    use_active_time(world)
    patch_project(settings={"quota": {"active_time_seconds": 900}})(world)


WEEK_OF_HISTORY = patch_project(history_retention_seconds=7 * DAY)
NO_QUOTA = patch_project(settings={"quota": {}})
RESTRICTED = [{"name": "restore", "reason": "its own"}]
CASES = (
    Case(C.KEY_REJECTED, fault("status", status=401), clear, "critical"),
    Case(C.PROJECT_HIDDEN, fault("status", status=404), clear, "critical"),
    Case(C.HISTORY_OFF, patch_project(history_retention_seconds=0), WEEK_OF_HISTORY, "critical"),
    Case(C.HISTORY_SHORT, patch_project(history_retention_seconds=DAY), WEEK_OF_HISTORY, "warning"),
    Case(C.BRANCH_MISSING, know_unknown, forget_unknown, "critical"),
    Case(C.BRANCH_NOT_READY, force(current_state="resetting"), force(current_state="ready"), "warning"),
    Case(C.BRANCH_NOT_ROOT, make_child_main, forget_child, "warning"),
    Case(C.BRANCH_RESTRICTED, force(restricted_actions=RESTRICTED), force(restricted_actions=[]), "critical"),
    Case(C.BRANCH_FROM_SNAPSHOT, force(restore_status="finalized"), force(restore_status=None), "warning"),
    Case(C.SCHEDULE_MISSING, schedule(), declared(), "warning"),
    Case(C.SCHEDULE_DRIFT, declared("weekly"), declared(), "warning"),
    Case(C.ROOT_CAP_NEAR, cap(2), cap(25), "warning"),
    Case(C.ROOT_CAP_REACHED, cap(1), cap(25), "critical"),
    Case(C.BRANCH_CAP_NEAR, branch_limit(2), branch_limit(-1), "warning"),
    Case(C.ORPHAN, make_orphan, delete_orphan, "warning"),
    Case(C.OWNED_MISSING, own_missing, disown, "warning"),
    Case(C.PRESERVED_KEPT, own_preserved, disown, "notice"),
    Case(C.QUOTA_NEAR, use_active_time, NO_QUOTA, "warning"),
    Case(C.QUOTA_EXCEEDED, use_all, NO_QUOTA, "critical"),
    Case(C.ENDPOINT_DISABLED, endpoint(disabled=True), endpoint(disabled=False), "critical"),
    Case(C.ENDPOINT_MISSING, delete_endpoint, make_endpoint, "warning"),
    Case(C.WORKER_LATE, stop_worker, lambda w: record_heartbeat(node="test"), "critical"),
    Case(C.MESSAGES_UNDELIVERED, give_up_message, forget_messages, "critical"),
    Case(C.SNAPSHOT_OVERDUE, no_snapshot_for_days, take_scheduled_snapshot, "critical"),
    Case(C.SNAPSHOT_AWAITED, lambda w: None, take_scheduled_snapshot, "notice"),
    Case(C.STORAGE_GROWTH, grow, forget_growth, "notice"),
    Case(C.DRILL_MISSING, lambda w: None, plan_and_pass_drill, "warning"),
    Case(C.DRILL_OVERDUE, drill_of_days_ago, plan_and_pass_drill, "warning"),
    Case(C.DRILL_FAILED, fail_a_drill_after_a_good_one, plan_and_pass_drill, "critical"),
    Case(C.CANNOT_TELL, silence, clear, "critical"),
)
#: There from the first look on.
AT_ONCE = {C.SNAPSHOT_AWAITED, C.DRILL_MISSING}
#: Their gravity depends on how bad it is.
VARIES = {C.MESSAGES_UNDELIVERED, C.CANNOT_TELL}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code.value)
def test_it_is_found_in_one_look_and_closes_by_itself(world: World, case: Case) -> None:
    world.look()
    assert (case.code in world.open()) == (case.code in AT_ONCE)

    case.cause(world)
    world.look()
    found = world.open()[case.code]
    assert found.severity == case.severity
    assert found.severity == KINDS[case.code].severity or case.code in VARIES
    assert found.sentence

    case.remove(world)
    world.look()
    assert case.code not in world.open()
    found.refresh_from_db()
    assert found.closed_at is not None
