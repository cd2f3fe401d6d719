"""Time travel: a read-only compute that shows a branch as it was, made when somebody connects and gone when idle."""

from __future__ import annotations

import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from neon_sandbox import times
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.rules import check_point, new_node_id
from neon_sandbox.entities import Branch
from neon_sandbox.front.protocol import Refused
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point

IDLE_SECONDS = 30.0
_WANTED = re.compile(r"neon_(timestamp|lsn):(\S+)")


@dataclass
class _Compute:
    """`point` as it was asked for. `last_used` by the monotonic clock."""

    node_id: str
    port: int
    users: int = 0
    last_used: float = field(default_factory=time.monotonic)


class Past:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._computes: dict[tuple[str, str], _Compute] = {}
        self._lock = threading.Lock()

    def compute(self, branch: Branch, options: str) -> tuple[str, int]:
        """Node and port of the branch at the point that the options name, counted as used. Raises Refused."""
        wanted = _WANTED.search(options)
        if wanted is None:
            raise Refused("a branch is reached at a point of its past: options=neon_timestamp:... or neon_lsn:...")
        with self._lock:
            key = (branch.node_id, wanted.group())
            found = self._computes.get(key)
            if found is None:
                found = self._computes[key] = self._made(branch, _point(wanted))
            found.users += 1
            return found.node_id, found.port

    def left(self, node_id: str) -> None:
        with self._lock:
            for compute in self._computes.values():
                if compute.node_id == node_id:
                    compute.users -= 1
                    compute.last_used = time.monotonic()

    def tidy(self) -> None:
        """Throws away what nobody has used for so long."""
        with self._lock:
            before = time.monotonic() - IDLE_SECONDS
            gone = {key: c for key, c in self._computes.items() if c.users <= 0 and c.last_used <= before}
            for key in gone:
                del self._computes[key]
        for compute in gone.values():
            self._plane.storage.release(compute.node_id)
            self._plane.pinned_nodes.discard(compute.node_id)
        if gone:
            self._plane.collect()

    def _made(self, branch: Branch, point: Point) -> _Compute:
        project = find_project(self._plane, branch.project_id)
        node_id, port = new_node_id(), self._plane.storage.new_port()
        with ExitStack() as undo:
            self._plane.pinned_nodes.add(node_id)
            undo.callback(self._plane.pinned_nodes.discard, node_id)
            try:
                check_point(self._plane, project, branch, point)
                self._plane.storage.fork(branch.node_id, node_id, point, port)
            except ApiProblem as problem:
                raise Refused(problem.message) from None
            self._use_passwords_of_today(branch, node_id, point)
            undo.pop_all()
        return _Compute(node_id, port)

    def _use_passwords_of_today(self, branch: Branch, node_id: str, point: Point) -> None:
        then = point.timestamp
        if then is not None:
            roles = [role for role in self._plane.roles(branch.id) if role.created_at <= then]
            self._plane.storage.set_passwords(node_id, roles)


def _point(wanted: re.Match[str]) -> Point:
    kind, text = wanted.groups()
    try:
        if kind == "lsn":
            return Point(lsn=times.parse_lsn(text, "neon_lsn"))
        return Point(timestamp=times.parse_time(text, "neon_timestamp"))
    except ApiProblem as problem:
        raise Refused(problem.message) from None
