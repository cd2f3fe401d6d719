"""Starting and suspending computes, and giving one other data: its port changes hands, its id and host stay."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.entities import Job
from neon_sandbox.jobs.kind import JobKind, endpoint_of
from neon_sandbox.plane import Plane


def start_compute(plane: Plane, job: Job) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.storage.serve(endpoint.node_id, endpoint.port)


def endpoint_active(plane: Plane, job: Job) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(
            endpoint, current_state="active", pending_state=None, started_at=plane.moment(), suspended_at=None
        )


def suspend_compute(plane: Plane, job: Job) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.storage.release(endpoint.node_id)


def endpoint_idle(plane: Plane, job: Job) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(endpoint, current_state="idle", pending_state=None, suspended_at=plane.moment())


def endpoint_settled_again(plane: Plane, job: Job) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(endpoint, current_state=job.arguments.get("state_before", "idle"), pending_state=None)


def swap(plane: Plane, job: Job) -> None:
    endpoint = endpoint_of(plane, job)
    if endpoint is None:
        return
    plane.storage.prepare_to_release(job.arguments["old_node_id"])
    plane.storage.release(job.arguments["old_node_id"])
    endpoint = plane.change_endpoint(endpoint, node_id=job.arguments["node_id"])
    if job.arguments["was_active"]:
        plane.storage.serve(endpoint.node_id, endpoint.port)


def endpoint_as_before(plane: Plane, job: Job) -> None:
    endpoint = endpoint_of(plane, job)
    if endpoint is None:
        return
    active = job.arguments["was_active"]
    state = "active" if active else "idle"
    started_at = plane.moment() if active else endpoint.started_at
    plane.change_endpoint(endpoint, current_state=state, pending_state=None, started_at=started_at)


def serve_old_data_again(plane: Plane, job: Job) -> None:
    endpoint = endpoint_of(plane, job)
    if endpoint is not None and job.arguments["was_active"]:
        plane.storage.release(job.arguments["node_id"])
        plane.storage.serve(job.arguments["old_node_id"], endpoint.port)


def _release(plane: Plane, job: Job) -> None:
    plane.storage.release(job.arguments["released_node_id"])


KINDS: Mapping[str, JobKind] = {
    "start_endpoint": JobKind(
        work={"start_compute": start_compute},
        settle={"start_compute": endpoint_active},
        undo=endpoint_settled_again,
    ),
    "suspend_endpoint": JobKind(
        work={"suspend_compute": suspend_compute},
        settle={"suspend_compute": endpoint_idle},
        undo=endpoint_settled_again,
    ),
    # Its new sizes are remembered already, and PostgreSQL here knows nothing of them.
    "update_endpoint": JobKind(),
    "delete_endpoint": JobKind(work={"suspend_compute": _release}),
    "restart_endpoint": JobKind(
        work={"suspend_compute": suspend_compute, "start_compute": start_compute},
        settle={"suspend_compute": endpoint_idle, "start_compute": endpoint_active},
        undo=endpoint_settled_again,
    ),
}
