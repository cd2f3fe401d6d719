"""Addresses of databases on a Neon branch. They hold passwords, so they are never stored, logged or shown."""

from __future__ import annotations

from dataclasses import dataclass

from backups.models import Project
from backups.neon.client import NeonClient
from backups.neon.secret import Secret
from backups.verification.dsn import Dsn


@dataclass(frozen=True, slots=True)
class NamedDatabase:
    """A database on a branch and the role that owns it."""

    name: str
    role: str


def connection_uri(client: NeonClient, project: Project, *, neon_branch_id: str, database: str, role: str) -> Secret:
    """The branch's own connection string for this database, with its password. Raises NeonError."""
    return client.connection_uri(
        project.neon_project_id, branch_id=neon_branch_id, database_name=database, role_name=role
    )


def dsn_of(client: NeonClient, project: Project, *, neon_branch_id: str, database: NamedDatabase) -> Dsn:
    """The same as the verification takes it."""
    uri = connection_uri(client, project, neon_branch_id=neon_branch_id, database=database.name, role=database.role)
    return Dsn(uri.reveal())


def databases_of(client: NeonClient, project: Project, *, neon_branch_id: str) -> list[NamedDatabase]:
    """The databases on a branch with the roles to read them by, in order of name. Raises NeonError."""
    found = client.databases.list(project.neon_project_id, neon_branch_id)
    return sorted(
        (NamedDatabase(database.name, database.owner_name or "") for database in found), key=lambda each: each.name
    )


def addresses_of(client: NeonClient, project: Project, *, neon_branch_id: str) -> dict[str, Dsn]:
    """A connection string for each database of the branch, in order of name. Raises NeonError."""
    found = databases_of(client, project, neon_branch_id=neon_branch_id)
    return {each.name: dsn_of(client, project, neon_branch_id=neon_branch_id, database=each) for each in found}
