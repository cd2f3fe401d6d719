"""The sandbox's own routes under /_sandbox: faults, recorded calls, settings, keys, and tools for tests."""

from __future__ import annotations

from dataclasses import asdict

from neon_sandbox import keys, problems, times
from neon_sandbox.api import shapes
from neon_sandbox.api.catalog import find_role
from neon_sandbox.api.projects import find_project, shown
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import Branch, Key, Project
from neon_sandbox.faults import fault_from
from neon_sandbox.problems import ApiProblem
from neon_sandbox.sandbox import Sandbox

FORCEABLE = {"protected", "restricted_actions", "current_state", "restore_status", "kept_for_history", "name"}


def list_faults(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(200, {"faults": [fault.shown() for fault in sandbox.faults.all()]})


def add_fault(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(201, {"fault": sandbox.faults.add(fault_from(request.body())).shown()})


def clear_faults(sandbox: Sandbox, request: Request, fault_id: str | None = None) -> Reply:
    sandbox.faults.clear(fault_id)
    return Reply(204)


def list_calls(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(200, {"calls": sandbox.calls.all()})


def clear_calls(sandbox: Sandbox, request: Request) -> Reply:
    sandbox.calls.clear()
    return Reply(204)


def get_settings(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(200, {"settings": asdict(sandbox.plane.settings)})


def update_settings(sandbox: Sandbox, request: Request) -> Reply:
    sandbox.change_settings(request.body())
    return get_settings(sandbox, request)


def list_keys(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(
        200,
        {
            "keys": [
                {"label": key.label, "kind": key.kind, "revoked_at": times.shown(key.revoked_at)}
                for key in sandbox.plane.store.find(Key)
            ]
        },
    )


def add_key(sandbox: Sandbox, request: Request) -> Reply:
    body = request.body()
    label, kind = text_of(body, "label") or "another", text_of(body, "kind") or "organisation"
    if kind not in keys.KINDS:
        raise ApiProblem(400, f"kind must be one of: {', '.join(keys.KINDS)}")
    key = text_of(body, "key") or keys.new_key()
    project_id = text_of(body, "project_id")
    if project_id is not None:
        find_project(sandbox.plane, project_id)
    sandbox.add_key(key, label=label, kind=kind, project_id=project_id)
    return Reply(201, {"key": key, "label": label, "kind": kind})


def revoke_key(sandbox: Sandbox, request: Request, label: str) -> Reply:
    for key in sandbox.plane.store.find(Key, lambda key: key.label == label):
        keys.revoke(sandbox.plane.store, key)
    return Reply(204)


def branch_dsn(sandbox: Sandbox, request: Request, branch_id: str) -> Reply:
    """A connection string without Neon's API, for whoever looks at the data from outside."""
    plane = sandbox.plane
    endpoint = plane.endpoint_of(branch_id)
    if endpoint is None:
        raise problems.not_found("endpoint of the branch")
    roles, databases = plane.roles(branch_id), plane.databases(branch_id)
    role = find_role(plane, branch_id, request.query.get("role", roles[0].name))
    database_name = request.query.get("database", databases[0].name)
    return Reply(200, {"dsn": plane.connection_uri(endpoint, role, database_name)})


def force_branch(sandbox: Sandbox, request: Request, branch_id: str) -> Reply:
    """Sets what only Neon itself could set, so that a client's answer to it can be tested."""
    branch = sandbox.plane.store.get(Branch, branch_id)
    if branch is None:
        raise problems.not_found("branch")
    changes = request.body()
    if unknown := set(changes) - FORCEABLE:
        raise ApiProblem(400, f"can not be set: {', '.join(sorted(unknown))}")
    return Reply(200, {"branch": shapes.branch(sandbox.plane.change_branch(branch, **changes))})


def foreign_operation(sandbox: Sandbox, request: Request) -> Reply:
    body = request.body()
    project_id = text_of(body, "project_id") or sandbox.plane.store.find(Project)[0].id
    operations = sandbox.start_foreign_operation(project_id, float(body.get("seconds", 1)))
    return Reply(201, {"operations": shapes.operations(operations)})


def get_clock(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(200, {"now": times.shown_exactly(sandbox.plane.clock.now())})


def move_clock(sandbox: Sandbox, request: Request) -> Reply:
    """Lets `seconds` pass at once; what has become due by then happens soon after."""
    try:
        sandbox.move_clock(float(request.body()["seconds"]))
    except (KeyError, TypeError, ValueError):
        raise ApiProblem(400, "seconds must be a number, not below 0") from None
    return get_clock(sandbox, request)


def create_project(sandbox: Sandbox, request: Request) -> Reply:
    body = request.body()
    project = sandbox.create_project(
        name=text_of(body, "name") or "another", databases=body.get("databases") or ["carecircle"]
    )
    return Reply(201, {"project": shown(sandbox.plane, project)})
