"""Databases and roles of a branch, and the two answers that hold a password."""

from __future__ import annotations

from urllib.parse import quote

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.secret import Secret
from backups.neon.types import Database, Role
from backups.neon.wire import Raw


class Databases:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Database, ...]:
        return self._caller.read(
            f"{_branch(project_id, branch_id)}/databases",
            lambda raw: tuple(Database.of(item) for item in wire.objects_in(raw, "databases")),
        )


class Roles:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Role, ...]:
        return self._caller.read(
            f"{_branch(project_id, branch_id)}/roles",
            lambda raw: tuple(Role.of(item) for item in wire.objects_in(raw, "roles")),
        )

    def reveal_password(self, project_id: str, branch_id: str, role_name: str) -> Secret:
        """NeonRefused with status 412 when the project does not store passwords."""
        role = _segment(role_name)
        return self._caller.read(
            f"{_branch(project_id, branch_id)}/roles/{role}/reveal_password",
            lambda raw: Secret(wire.required_text(raw, "password")),
        )


def connection_uri(
    caller: Caller,
    project_id: str,
    *,
    branch_id: str,
    database_name: str,
    role_name: str,
    endpoint_id: str | None = None,
    pooled: bool = False,
) -> Secret:
    params = {
        "branch_id": wire.checked_id(branch_id),
        "database_name": database_name,
        "role_name": role_name,
        "pooled": "true" if pooled else "false",
    }
    if endpoint_id is not None:
        params["endpoint_id"] = wire.checked_id(endpoint_id)
    return caller.read(f"/projects/{wire.checked_id(project_id)}/connection_uri", _secret_uri, params)


def _secret_uri(raw: Raw) -> Secret:
    return Secret(wire.required_text(raw, "uri"))


def _branch(project_id: str, branch_id: str) -> str:
    return f"/projects/{wire.checked_id(project_id)}/branches/{wire.checked_id(branch_id)}"


def _segment(name: str) -> str:
    """A role's name as one segment of a path. "." and ".." would be resolved away even when quoted."""
    if name in {"", ".", ".."}:
        raise ValueError("not the name of a role")
    return quote(name, safe="")
