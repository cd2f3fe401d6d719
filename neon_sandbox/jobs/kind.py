"""What a kind of job is, and how its steps find what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neon_sandbox.entities import Branch, Endpoint, Job
from neon_sandbox.plane import Plane
from neon_sandbox.storage.base import Point

Step = Callable[[Plane, Job], None]


def _nothing(plane: Plane, job: Job) -> None:
    pass


@dataclass(frozen=True)
class JobKind:
    """Per action: slow `work`, then `settle` in the transaction that finishes the operation. `undo` likewise."""

    work: Mapping[str, Step] = field(default_factory=dict)
    settle: Mapping[str, Step] = field(default_factory=dict)
    finish: Step = _nothing
    undo_work: Step = _nothing
    undo: Step = _nothing


def point_arguments(point: Point) -> dict[str, Any]:
    return {"timestamp": point.timestamp, "lsn": point.lsn}


def point_of(job: Job) -> Point:
    return Point(**job.arguments["point"])


def branch_of(plane: Plane, job: Job) -> Branch | None:
    return plane.store.get(Branch, job.arguments["branch_id"])


def endpoint_of(plane: Plane, job: Job) -> Endpoint | None:
    return plane.store.get(Endpoint, job.arguments.get("endpoint_id") or "")
