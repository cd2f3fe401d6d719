"""Databases of a branch, and the address of one."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.results import DatabaseChange, OperationsStarted
from backups.neon.roles import checked_pg_name
from backups.neon.secret import Secret
from backups.neon.sending import without_none
from backups.neon.types import Database
from backups.neon.wire import Raw


class Databases:
    """Each change here drops the connections to an active compute of the branch."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str, branch_id: str) -> tuple[Database, ...]:
        return self._caller.read("databases.list", _databases_of, project_id=project_id, branch_id=branch_id)

    def get(self, project_id: str, branch_id: str, database_name: str) -> Database:
        return self._caller.read(
            "databases.get",
            lambda raw: Database.of(wire.object_in(raw, "database")),
            project_id=project_id,
            branch_id=branch_id,
            database_name=database_name,
        )

    def create(
        self, project_id: str, branch_id: str, database_name: str, *, owner_name: str, request_id: str | None = None
    ) -> DatabaseChange:
        """A new, empty database that belongs to an existing role. A second of the same name is refused."""
        database = {
            "name": checked_pg_name(database_name, "database"),
            "owner_name": checked_pg_name(owner_name, "role"),
        }
        return self._caller.change(
            "databases.create",
            DatabaseChange.of,
            {"database": database},
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
        )

    def update(
        self,
        project_id: str,
        branch_id: str,
        database_name: str,
        *,
        name: str | None = None,
        owner_name: str | None = None,
        request_id: str | None = None,
    ) -> DatabaseChange:
        """Give it another name or another owner."""
        changes = without_none(
            name=None if name is None else checked_pg_name(name, "database"),
            owner_name=None if owner_name is None else checked_pg_name(owner_name, "role"),
        )
        if not changes:
            raise ValueError("nothing to change")
        return self._caller.change(
            "databases.update",
            DatabaseChange.of,
            {"database": changes},
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
            database_name=database_name,
        )

    def delete(
        self, project_id: str, branch_id: str, database_name: str, *, request_id: str | None = None
    ) -> OperationsStarted:
        """For good, with all its rows. No operations when there was none to delete."""
        return self._caller.change(
            "databases.delete",
            OperationsStarted.of_delete,
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
            database_name=database_name,
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
