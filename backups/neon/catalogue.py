"""Every call that the client can make: where it goes, whether it may be repeated, what to look at when its
answer is lost. `calls.Caller` sends nothing that is not in here, and docs/neon-calls.md is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType
from urllib.parse import quote

from backups.neon import wire
from backups.neon.retry import CallKind


@dataclass(frozen=True, slots=True)
class ApiCall:
    """`name` is the method of `NeonClient` that makes the call. `look_up` says where the effect of a change
    shows after a lost answer; it is empty for reads."""

    name: str
    method: str
    path: str
    kind: CallKind = CallKind.READ
    look_up: str = ""
    paged: bool = False

    def path_of(self, ids: Mapping[str, str]) -> str:
        """The path with its parts filled in. Raises ValueError for one that could climb out of its place."""
        wanted = [name for _, name, _, _ in Formatter().parse(self.path) if name]
        if set(wanted) != set(ids):
            raise TypeError(f"{self.name} needs {wanted}")
        return self.path.format_map({name: _segment(name, value) for name, value in ids.items()})


def _segment(part: str, value: str) -> str:
    """Ids go in as they are; a name is quoted. "." and ".." would be resolved away even when quoted."""
    if not part.endswith("_name"):
        return wire.checked_id(value)
    if value in {"", ".", ".."}:
        raise ValueError(f"not the name of a {part.removesuffix('_name')}")
    return quote(value, safe="")


_PROJECT = "/projects/{project_id}"
_BRANCH = f"{_PROJECT}/branches/{{branch_id}}"
_ENDPOINT = f"{_PROJECT}/endpoints/{{endpoint_id}}"
_DATABASE = f"{_BRANCH}/databases/{{database_name}}"
_ROLE = f"{_BRANCH}/roles/{{role_name}}"
_SNAPSHOT = f"{_PROJECT}/snapshots/{{snapshot_id}}"


def _read(name: str, path: str) -> ApiCall:
    return ApiCall(name, "GET", path)


def _paged(name: str, path: str) -> ApiCall:
    return ApiCall(name, "GET", path, paged=True)


def _once(name: str, method: str, path: str, look_up: str) -> ApiCall:
    return ApiCall(name, method, path, CallKind.ONCE, look_up)


def _repeatable(name: str, method: str, path: str, look_up: str) -> ApiCall:
    return ApiCall(name, method, path, CallKind.REPEATABLE, look_up)


_READS = (
    _read("auth", "/auth"),
    _read("account.me", "/users/me"),
    _read("account.organizations", "/users/me/organizations"),
    _read("account.organization", "/organizations/{org_id}"),
    _read("account.regions", "/regions"),
    _paged("projects.list", "/projects"),
    _paged("projects.list_shared", "/projects/shared"),
    _read("projects.get", _PROJECT),
    _paged("branches.list", f"{_PROJECT}/branches"),
    _read("branches.get", _BRANCH),
    _read("branches.count", f"{_PROJECT}/branches/count"),
    _read("schemas.sql", f"{_BRANCH}/schema"),
    _read("schemas.tables", f"{_BRANCH}/schema"),
    _read("schemas.compare", f"{_BRANCH}/compare_schema"),
    _paged("operations.list_since", f"{_PROJECT}/operations"),
    _read("operations.get", f"{_PROJECT}/operations/{{operation_id}}"),
    _read("endpoints.list", f"{_PROJECT}/endpoints"),
    _read("endpoints.list_for_branch", f"{_BRANCH}/endpoints"),
    _read("endpoints.get", _ENDPOINT),
    _read("databases.list", f"{_BRANCH}/databases"),
    _read("databases.get", _DATABASE),
    _read("roles.list", f"{_BRANCH}/roles"),
    _read("roles.get", _ROLE),
    _read("roles.reveal_password", f"{_ROLE}/reveal_password"),
    _read("connection_uri", f"{_PROJECT}/connection_uri"),
    _read("snapshots.list", f"{_PROJECT}/snapshots"),
    _read("schedules.get", f"{_BRANCH}/backup_schedule"),
    _paged("consumption.projects", "/consumption_history/v2/projects"),
    _paged("consumption.branches", "/consumption_history/v2/branches"),
)

# Once: what would do harm if it happened twice. Repeatable: what names the state to be reached, not a step
# towards it, or deletes by an id, and ids are never used again.
_CHANGES = (
    # A second project, with a compute that costs.
    _once("projects.create", "POST", "/projects", "a project of the chosen name in the organisation"),
    _repeatable("projects.update", "PATCH", _PROJECT, "the project carries the new name, history or settings"),
    _repeatable("projects.delete", "DELETE", _PROJECT, "the project is gone; a second delete is answered with 404"),
    # A second branch, and a second compute that costs.
    _once("branches.create", "POST", f"{_PROJECT}/branches", "a branch of the chosen name"),
    _repeatable("branches.update", "PATCH", _BRANCH, "the branch carries the new name, protection or expiry"),
    _repeatable("branches.delete", "DELETE", _BRANCH, "the branch is gone; a second delete answers 204"),
    _repeatable(
        "branches.set_as_default", "POST", f"{_BRANCH}/set_as_default", "the branch says that it is the default"
    ),
    # A second restore throws away what was written since the first.
    _once(
        "branches.restore",
        "POST",
        f"{_BRANCH}/restore",
        "a branch of the name chosen for the state before, a newer last_reset_at of the target, and its operations",
    ),
    _once(
        "branches.finalize_restore",
        "POST",
        f"{_BRANCH}/finalize_restore",
        "the branch carries the name of the branch it replaces, and its restore_status has moved on from restored",
    ),
    # Snapshots are limited in number and cost; the second one holds a later state.
    _once("snapshots.create", "POST", f"{_BRANCH}/snapshot", "a snapshot of the chosen name in the list of snapshots"),
    _repeatable("snapshots.update", "PATCH", _SNAPSHOT, "the snapshot carries the new name or expiry"),
    _repeatable("snapshots.delete", "DELETE", _SNAPSHOT, "the snapshot is gone from the list of snapshots"),
    # A preview twice is two branches; in one step twice, the second replaces what was written since the first.
    _once(
        "snapshots.restore",
        "POST",
        f"{_SNAPSHOT}/restore",
        "preview: a branch of the chosen name with restored_from = the snapshot; in one step: the target's name"
        " belongs to another branch, new since then, with restored_from = the snapshot",
    ),
    _repeatable("schedules.put", "PUT", f"{_BRANCH}/backup_schedule", "the schedule reads back as it was sent"),
    # A second read_write compute is refused; a read_only one would be made again, and costs.
    _once("endpoints.create", "POST", f"{_PROJECT}/endpoints", "an endpoint of this type on the branch"),
    _repeatable("endpoints.start", "POST", f"{_ENDPOINT}/start", "the endpoint is active"),
    _repeatable("endpoints.suspend", "POST", f"{_ENDPOINT}/suspend", "the endpoint is idle"),
    _repeatable("endpoints.update", "PATCH", _ENDPOINT, "the endpoint carries the new settings"),
    _repeatable("endpoints.delete", "DELETE", _ENDPOINT, "the endpoint is gone; a second delete answers 204"),
    # Each one cuts every connection once more.
    _once("endpoints.restart", "POST", f"{_ENDPOINT}/restart", "the endpoint's operations since, and its started_at"),
    # Unlike ids, names come back: what is sent again may meet a role or a database that was made in between.
    _once("roles.create", "POST", f"{_BRANCH}/roles", "a role of the chosen name; its password is revealed"),
    _once("roles.delete", "DELETE", _ROLE, "no role of this name, and the branch's operations since"),
    _once(
        "roles.reset_password", "POST", f"{_ROLE}/reset_password", "the password that is revealed differs from before"
    ),
    _once("databases.create", "POST", f"{_BRANCH}/databases", "a database of the chosen name and owner"),
    _once("databases.update", "PATCH", _DATABASE, "a database of the new name or owner, and none of the old name"),
    _once("databases.delete", "DELETE", _DATABASE, "no database of this name, and the branch's operations since"),
)

CATALOGUE: Mapping[str, ApiCall] = MappingProxyType({call.name: call for call in (*_READS, *_CHANGES)})

# What Neon has besides, near to what is used, and why the client does not call it.
_MASKING = "masking is no part of a backup, and an anonymised branch can't be restored"
NOT_OFFERED: tuple[tuple[str, str], ...] = (
    (f"POST {_PROJECT}/branch_anonymized", _MASKING),
    (f"GET, PATCH {_BRANCH}/masking_rules", _MASKING),
    (f"POST {_BRANCH}/anonymize", _MASKING),
    (f"GET {_BRANCH}/anonymized_status", _MASKING),
    (f"POST {_BRANCH}/recover", "described by Neon before it was to be had: a deleted branch is gone"),
    (f"POST {_PROJECT}/recover", "to bring a whole project back is a person's decision, made at Neon"),
    ("GET /consumption_history/projects", "the figures of old plans, which today's invoices don't follow"),
)
