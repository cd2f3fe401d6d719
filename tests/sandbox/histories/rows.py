"""A storage that holds rows in memory, strict where PostgreSQL would be: for histories of the control plane alone.

It remembers of each node what was written when, and raises when it is asked for a node that it was told to discard,
for a moment that it was told nobody needs any more, or for a port that another node has.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from neon_sandbox import times
from neon_sandbox.clock import Clock
from neon_sandbox.entities import Database, Role
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Fork, Point
from neon_sandbox.storage.none import NoStorage

LSN_STEP = 0x60


@dataclass(frozen=True)
class Change:
    moment: datetime
    lsn: int
    rows: frozenset[int]


@dataclass
class Contents:
    changes: list[Change]
    sealed: bool = False
    floor: datetime | None = None
    ports: set[int] = field(default_factory=set)

    @property
    def head(self) -> Change:
        return self.changes[-1]

    def at(self, point: Point) -> list[Change]:
        if point.is_head or self.sealed:
            return self.changes
        if point.timestamp is not None:
            assert self.floor is None or point.timestamp >= self.floor, "a moment that was given up is asked for"
            return [change for change in self.changes if change.moment <= point.timestamp]
        return [change for change in self.changes if change.lsn <= (point.lsn or 0)]


class RowsStorage(NoStorage):
    """Outlives the sandbox that uses it, as a disk does; `clock` is that of the present one."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._nodes: dict[str, Contents] = {}
        self._gone: set[str] = set()
        self._served: dict[int, str] = {}
        self._rows_lock = threading.RLock()

    def taken_over_by(self, clock: Clock) -> None:
        """By the next sandbox, after its predecessor was killed: no compute has survived."""
        self._clock = clock
        self._served.clear()

    # What a client of the database does

    def write(self, port: int, rows: frozenset[int]) -> None:
        with self._rows_lock:
            node = self._nodes[self._served[port]]
            node.changes.append(Change(self._clock.now(), node.head.lsn + LSN_STEP, rows))

    def read(self, port: int) -> frozenset[int]:
        return self._nodes[self._served[port]].head.rows

    def head_lsn(self, port: int) -> str:
        return times.shown_lsn(self._nodes[self._served[port]].head.lsn) or ""

    def is_served(self, port: int) -> bool:
        return port in self._served

    # What the control plane asks for

    def create_first(self, node_id: str, roles: Sequence[Role], databases: Sequence[Database]) -> datetime:
        moment = self._clock.now()
        self._nodes.setdefault(node_id, Contents([Change(moment, 0x1000000, frozenset())]))
        return moment

    def check(self, node_id: str, point: Point) -> None:
        node = self._node(node_id)
        if point.lsn is not None and not node.changes[0].lsn <= point.lsn <= node.head.lsn:
            raise ApiProblem(400, f"LSN {times.shown_lsn(point.lsn)} is not in the history of the branch")
        if point.timestamp is not None and point.timestamp < node.changes[0].moment:
            raise ApiProblem(400, "the given point is outside the history window of the project")

    def fork(self, source_id: str, node_id: str, point: Point, port: int | None) -> Fork:
        with self._rows_lock:
            if node_id not in self._nodes:
                source = self._node(source_id)
                reached = source.at(point)
                assert reached, f"{source_id} does not reach {point}"
                if source.sealed:  # a history of its own begins
                    reached = [replace(source.head, moment=self._clock.now())]
                self._nodes[node_id] = Contents(list(reached), floor=source.floor)
            if port is not None:
                self.serve(node_id, port)
            moment = point.timestamp or (None if point.lsn else self._clock.now())
            return Fork(timestamp=moment, lsn=point.lsn or self._nodes[node_id].head.lsn)

    def snapshot(self, source_id: str, node_id: str, point: Point) -> Fork:
        fork = self.fork(source_id, node_id, point, None)
        self._nodes[node_id].sealed = True
        return fork

    def serve(self, node_id: str, port: int) -> None:
        with self._rows_lock:
            self._node(node_id)
            assert not self._node(node_id).sealed, "a snapshot's data are never served"
            assert self._served.get(port, node_id) == node_id, f"port {port} is in use"
            other = [taken for taken, served in self._served.items() if served == node_id and taken != port]
            assert not other, f"{node_id} is served already, at {other}"
            self._served[port] = node_id

    def release(self, node_id: str) -> None:
        with self._rows_lock:
            for port in [port for port, served in self._served.items() if served == node_id]:
                del self._served[port]

    def unneeded(self, needed: Mapping[str, datetime]) -> list[str]:
        return [node_id for node_id in self._nodes if node_id not in needed]

    def discard(self, node_ids: Sequence[str]) -> None:
        with self._rows_lock:
            for node_id in node_ids:
                self.release(node_id)
                self._nodes.pop(node_id, None)
                self._gone.add(node_id)

    def maintain(self, needed: Mapping[str, datetime]) -> None:
        with self._rows_lock:
            for node_id, moment in needed.items():
                if node_id in self._nodes:
                    node = self._nodes[node_id]
                    node.floor = max(moment, node.floor or moment)

    def _node(self, node_id: str) -> Contents:
        assert node_id not in self._gone, f"{node_id} was discarded, and is asked for"
        return self._nodes[node_id]
