"""What a mutation answered, and where a set of operations stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backups.neon import wire
from backups.neon.types import Branch, Endpoint, Operation
from backups.neon.wire import Raw


@dataclass(frozen=True, slots=True)
class OperationsStarted:
    """An accepted change of which Neon tells only the operations. It is done only when all of them are."""

    operations: tuple[Operation, ...]
    request_id: str

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> OperationsStarted:
        return cls(operations_of(raw), request_id)


@dataclass(frozen=True, slots=True)
class BranchChange:
    """An accepted change of a branch. It is done only when all `operations` are.

    `branch` is None only for a delete of a branch that was not there (any more).
    """

    branch: Branch | None
    endpoints: tuple[Endpoint, ...]
    operations: tuple[Operation, ...]
    request_id: str

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)

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
class EndpointChange:
    """An accepted change of an endpoint. It is done only when all `operations` are."""

    endpoint: Endpoint
    operations: tuple[Operation, ...]
    request_id: str

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)

    @classmethod
    def of(cls, raw: Raw, request_id: str) -> EndpointChange:
        return cls(Endpoint.of(wire.object_in(raw, "endpoint")), operations_of(raw), request_id)


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
