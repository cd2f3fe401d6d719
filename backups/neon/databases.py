"""Databases and roles of a branch, and the two answers that hold a password."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.secret import Secret
from backups.neon.types import Database, Role
from backups.neon.wire import Raw


class Databases:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Database, ...]:
        return self._caller.read("databases.list", _databases_of, project_id=project_id, branch_id=branch_id)


class Roles:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Role, ...]:
        return self._caller.read("roles.list", _roles_of, project_id=project_id, branch_id=branch_id)

    def reveal_password(self, project_id: str, branch_id: str, role_name: str) -> Secret:
        """NeonRefused with status 412 when the project does not store passwords."""
        return self._caller.read(
            "roles.reveal_password",
            lambda raw: Secret(wire.required_text(raw, "password")),
            project_id=project_id,
            branch_id=branch_id,
            role_name=role_name,
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
    return caller.read("connection_uri", _secret_uri, params, project_id=project_id)


def _secret_uri(raw: Raw) -> Secret:
    return Secret(wire.required_text(raw, "uri"))


def _databases_of(raw: Raw) -> tuple[Database, ...]:
    return tuple(Database.of(item) for item in wire.objects_in(raw, "databases"))


def _roles_of(raw: Raw) -> tuple[Role, ...]:
    return tuple(Role.of(item) for item in wire.objects_in(raw, "roles"))
