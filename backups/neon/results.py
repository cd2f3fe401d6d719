"""What a mutation answered, and where a set of operations stands."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from enum import StrEnum

from backups.neon import wire
from backups.neon.calls import NO_CONTENT
from backups.neon.secret import Secret
from backups.neon.types import Branch, Database, Endpoint, Operation, Project, Role
from backups.neon.wire import Raw


class _Accepted(ABC):
    """A change that Neon has accepted. It is done only when all `operations` are."""

    __slots__ = ()
    operations: tuple[Operation, ...]

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)


@dataclass(frozen=True, slots=True)
class OperationsStarted(_Accepted):
    """An accepted change of which Neon tells only the operations."""

    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> OperationsStarted:
        return cls(operations_of(raw), request_id)

    @classmethod
    def of_delete(cls, raw: Raw, request_id: str) -> OperationsStarted:
        """When there was nothing (any more) to delete, nothing is under way."""
        return cls((), request_id) if raw is NO_CONTENT else cls.of(raw, request_id)


@dataclass(frozen=True, slots=True)
class BranchChange(_Accepted):
    """An accepted change of a branch. `branch` is None only for a delete of a branch that was not there (any more)."""

    branch: Branch | None
    endpoints: tuple[Endpoint, ...]
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> BranchChange:
        endpoints = wire.objects_in(raw, "endpoints") if raw.get("endpoints") is not None else ()
        return cls(
            branch=Branch.of(wire.object_in(raw, "branch")),
            endpoints=tuple(Endpoint.of(item) for item in endpoints),
            operations=operations_of(raw),
            request_id=request_id,
        )


@dataclass(frozen=True, slots=True)
class EndpointChange(_Accepted):
    """An accepted change of an endpoint."""

    endpoint: Endpoint
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> EndpointChange:
        return cls(Endpoint.of(wire.object_in(raw, "endpoint")), operations_of(raw), request_id)


@dataclass(frozen=True, slots=True)
class RoleChange(_Accepted):
    """An accepted change of a role. `password` is the new one, if any."""

    role: Role
    password: Secret | None
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> RoleChange:
        role = wire.object_in(raw, "role")
        password = wire.text(role, "password")
        secret = None if password is None else Secret(password)
        return cls(Role.of(role), secret, operations_of(raw), request_id)

    @classmethod
    def with_password(cls, raw: Raw, request_id: str) -> RoleChange:
        """A reset that does not tell the new password can't be used."""
        wire.required_text(wire.object_in(raw, "role"), "password")
        return cls.of(raw, request_id)


@dataclass(frozen=True, slots=True)
class DatabaseChange(_Accepted):
    """An accepted change of a database."""

    database: Database
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> DatabaseChange:
        return cls(Database.of(wire.object_in(raw, "database")), operations_of(raw), request_id)


@dataclass(frozen=True, slots=True)
class ProjectChange(_Accepted):
    """An accepted change of a project. Neon tells no operations of a delete."""

    project: Project
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> ProjectChange:
        operations = operations_of(raw) if raw.get("operations") is not None else ()
        return cls(Project.of(wire.object_in(raw, "project")), operations, request_id)


@dataclass(frozen=True, slots=True)
class NewProject(_Accepted):
    """A project with what Neon made in it. The addresses and
    passwords in the answer are dropped; ask `connection_uri` for one."""

    project: Project
    branch: Branch
    endpoints: tuple[Endpoint, ...]
    databases: tuple[Database, ...]
    roles: tuple[Role, ...]
    operations: tuple[Operation, ...]
    request_id: str

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> NewProject:
        return cls(
            project=Project.of(wire.object_in(raw, "project")),
            branch=Branch.of(wire.object_in(raw, "branch")),
            endpoints=tuple(Endpoint.of(item) for item in wire.objects_in(raw, "endpoints")),
            databases=tuple(Database.of(item) for item in wire.objects_in(raw, "databases")),
            roles=tuple(Role.of(item) for item in wire.objects_in(raw, "roles")),
            operations=operations_of(raw),
            request_id=request_id,
        )


def operations_of(raw: Raw) -> tuple[Operation, ...]:
    """The operations of a change. Without the list nobody could tell when the change is done, so it must be there;
    an empty one means that it is done."""
    return tuple(Operation.of(item) for item in wire.objects_in(raw, "operations"))


class Progress(StrEnum):
    DONE = "done"  # every operation finished or was skipped
    FAILED = "failed"  # at least one will not finish any more
    RUNNING = "running"  # nothing final yet when the deadline came


@dataclass(frozen=True, slots=True)
class OperationsState:
    progress: Progress
    operations: tuple[Operation, ...]
    failed: tuple[Operation, ...]
