"""Roles of a branch, and their passwords."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.results import OperationsStarted, RoleChange
from backups.neon.secret import Secret
from backups.neon.types import Role
from backups.neon.wire import Raw


class Roles:
    """Each change here drops the connections to an active compute of the branch."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Role, ...]:
        return self._caller.read("roles.list", _roles_of, project_id=project_id, branch_id=branch_id)

    def get(self, project_id: str, branch_id: str, role_name: str) -> Role:
        return self._caller.read(
            "roles.get",
            lambda raw: Role.of(wire.object_in(raw, "role")),
            project_id=project_id,
            branch_id=branch_id,
            role_name=role_name,
        )

    def reveal_password(self, project_id: str, branch_id: str, role_name: str) -> Secret:
        """NeonRefused with status 412 when the project does not store passwords."""
        return self._caller.read(
            "roles.reveal_password",
            lambda raw: Secret(wire.required_text(raw, "password")),
            project_id=project_id,
            branch_id=branch_id,
            role_name=role_name,
        )

    def create(
        self, project_id: str, branch_id: str, role_name: str, *, no_login: bool = False, request_id: str | None = None
    ) -> RoleChange:
        """A new role; its password is in the answer, except with `no_login`. A second of the same name is refused."""
        role = {"name": checked_pg_name(role_name, "role")} | ({"no_login": True} if no_login else {})
        return self._caller.change(
            "roles.create",
            RoleChange.of,
            {"role": role},
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
        )

    def delete(
        self, project_id: str, branch_id: str, role_name: str, *, request_id: str | None = None
    ) -> OperationsStarted:
        """No operations when there was none to delete."""
        return self._caller.change(
            "roles.delete",
            OperationsStarted.of_delete,
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
            role_name=role_name,
        )

    def reset_password(
        self, project_id: str, branch_id: str, role_name: str, *, request_id: str | None = None
    ) -> RoleChange:
        """A new password, valid when the last operation is done; the old one is valid until then."""
        return self._caller.change(
            "roles.reset_password",
            RoleChange.with_password,
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
            role_name=role_name,
        )


def checked_pg_name(name: str, what: str) -> str:
    if not 1 <= len(name.encode()) <= 63:
        raise ValueError(f"the name of a {what} has 1 to 63 bytes")
    return name


def _roles_of(raw: Raw) -> tuple[Role, ...]:
    return tuple(Role.of(item) for item in wire.objects_in(raw, "roles"))
