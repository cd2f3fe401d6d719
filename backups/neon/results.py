"""What a mutation answered, and where a set of operations stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backups.neon.types import Branch, Endpoint, Operation


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


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """An accepted change of an endpoint. It is done only when all `operations` are."""

    endpoint: Endpoint
    operations: tuple[Operation, ...]
    request_id: str

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)


class Progress(StrEnum):
    DONE = "done"  # every operation finished or was skipped
    FAILED = "failed"  # at least one will not finish any more
    RUNNING = "running"  # nothing final yet when the deadline came


@dataclass(frozen=True, slots=True)
class OperationsState:
    progress: Progress
    operations: tuple[Operation, ...]
    failed: tuple[Operation, ...]
