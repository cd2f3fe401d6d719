"""Making a node as its source was at a moment: a base copy, then replay of WAL up to the point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from neon_sandbox import times
from neon_sandbox.clock import Clock
from neon_sandbox.cluster import free_port
from neon_sandbox.entities import Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Fork, Point
from neon_sandbox.storage.bases import BaseGone, Bases
from neon_sandbox.storage.drops import behind_last_commit, has_half_dropped_database
from neon_sandbox.storage.nodes import Nodes

# Replay to a time stops at the first commit behind it, so there must be one.
_COMMIT_MARK = "select pg_logical_emit_message(true, 'sandbox', 'mark')"
# Replay to an LSN stops at any record. This one is no transaction, which the branch's users could find. It must
# reach the disk, or replay finds the end of WAL instead; before PostgreSQL 17 only a switch of segments does that.
_PLAIN_MARK = "select pg_logical_emit_message(false, 'sandbox', 'mark', true)"
_PLAIN_MARK_BEFORE_17 = "select pg_create_restore_point('sandbox'), pg_switch_wal()"


@dataclass(frozen=True)
class _Target:
    """Where replay stops. Always given: without one, a missing piece of WAL would end it early and unnoticed."""

    timestamp: datetime | None = None
    lsn: int | None = None
    head_at: datetime | None = None

    @property
    def moment(self) -> datetime | None:
        """The time that the target stands for; None for an LSN that somebody gave."""
        return self.timestamp or self.head_at

    def settings(self, clock: Clock) -> dict[str, str]:
        if self.timestamp is not None:
            moment = clock.real(self.timestamp).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
            return {"recovery_target_time": moment, "recovery_target_inclusive": "on"}
        # Inclusive would also take the record that begins at the LSN.
        return {"recovery_target_lsn": times.shown_lsn(self.lsn) or "", "recovery_target_inclusive": "off"}


class Recovery:
    def __init__(self, nodes: Nodes, bases: Bases) -> None:
        self._nodes = nodes
        self._bases = bases

    def fork(self, source_id: str, node_id: str, point: Point, port: int | None) -> Fork:
        """The new node is left running when a port is given. Nothing is left of it when ClusterFailed is raised."""
        source_id = self._origin(source_id, point)
        if self._nodes.store.must(Node, source_id).sealed:
            self._thaw(source_id, node_id, port)
            return self._finished(node_id, point)
        targets = self._targets(source_id, point)
        for number, target in enumerate(targets, start=1):
            try:
                self._make(source_id, node_id, target, port)
                break
            except ClusterFailed:
                self._nodes.discard(node_id)
                if number == len(targets):
                    raise
        return self._finished(node_id, point)

    def check(self, source_id: str, point: Point) -> None:
        """Raises ApiProblem 400 when the point is beyond the head or before the oldest base."""
        if point.lsn is not None and point.lsn > self._head(source_id):
            raise ApiProblem(400, f"LSN {times.shown_lsn(point.lsn)} is beyond the head of the branch")
        if self._bases.newest(source_id, at_time=point.timestamp, at_lsn=point.lsn) is None:
            raise ApiProblem(400, "the given point is outside the history window of the project")

    def _head(self, node_id: str) -> int:
        node = self._nodes.store.must(Node, node_id)
        if node.sealed:
            return node.bases[0].stop_lsn
        if not self._nodes.is_running(node_id):
            return self._nodes.shutdown_lsn(node_id)
        with self._nodes.connection(node_id) as connection:
            row = connection.execute("select pg_current_wal_flush_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0

    def _origin(self, source_id: str, point: Point) -> str:
        """The ancestor to which the point belongs, if it lies before the source was made."""
        for node, _ in self._nodes.past(source_id):
            after_time = point.timestamp and node.fork_timestamp and point.timestamp > node.fork_timestamp
            after_lsn = point.lsn is not None and point.lsn > node.fork_lsn
            unknown = point.timestamp is not None and node.fork_timestamp is None
            if point.is_head or node.parent_id is None or after_time or after_lsn or unknown:
                return node.id
        return source_id

    def _targets(self, source_id: str, point: Point) -> list[_Target]:
        """Usually one. Each needs a record behind it in the WAL, or replay fails instead of stopping."""
        if self._nodes.is_running(source_id):
            head = _Target(
                lsn=self._mark(source_id, with_commit=bool(point.timestamp)), head_at=self._nodes.clock.now()
            )
            return [head if point.is_head else _Target(point.timestamp, point.lsn)]
        end = _Target(lsn=self._end_of_stopped(source_id), head_at=point.timestamp or self._nodes.clock.now())
        stopped_at = self._nodes.store.must(Node, source_id).stopped_at
        if point.is_head or (point.timestamp and stopped_at and point.timestamp >= stopped_at):
            return [end]
        if point.lsn is not None:
            return [_Target(lsn=point.lsn)]
        # The source was stopped: if nothing was committed after the moment, its end is what the moment means.
        return [_Target(timestamp=point.timestamp), end]

    def _end_of_stopped(self, source_id: str) -> int:
        end = self._nodes.shutdown_lsn(source_id)
        if self._bases.newest(source_id, at_time=None, at_lsn=end) is None:
            # Its only base was taken after it had stopped: there is nothing to replay until it goes on.
            with self._nodes.connection(source_id):
                return self._mark(source_id, with_commit=True)
        return end

    def _mark(self, node_id: str, *, with_commit: bool) -> int:
        """Writes a record behind everything that exists; returns where WAL ended before it."""
        with self._nodes.connection(node_id) as connection:
            row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
            plain = _PLAIN_MARK if connection.info.server_version >= 17_00_00 else _PLAIN_MARK_BEFORE_17
            connection.execute(_COMMIT_MARK if with_commit else plain)
        return int(row[0]) if row else 0

    def _make(self, source_id: str, node_id: str, target: _Target, port: int | None) -> None:
        source, data_dir = self._begin(source_id, node_id)
        self._unpack(source_id, target, data_dir)
        (data_dir / "recovery.signal").touch()
        self._nodes.tools.give(data_dir / "recovery.signal")
        self._nodes.start(node_id, port or free_port(), self._settings(source, target))
        self._remember(node_id, target)
        if target.timestamp is not None and has_half_dropped_database(self._nodes, node_id):
            exact = self._before_the_drop(source, node_id, target)
            if exact is not None:
                self._nodes.discard(node_id)
                self._make(source_id, node_id, exact, port)
                return
        if port is None:
            self._nodes.stop(node_id)

    def _before_the_drop(self, source: Node, node_id: str, target: _Target) -> _Target | None:
        found = self._bases.newest(source.id, at_time=target.timestamp, at_lsn=None)
        if found is None:
            return None
        base_lsn = found[1].stop_lsn
        lsn = behind_last_commit(self._nodes, source, base_lsn, self._nodes.store.must(Node, node_id))
        return _Target(lsn=max(lsn, base_lsn), head_at=target.timestamp) if lsn is not None else None

    def _thaw(self, source_id: str, node_id: str, port: int | None) -> None:
        """From a sealed node: its data are started as they are and go on where it ended, on the same timeline."""
        source, data_dir = self._begin(source_id, node_id)
        (base,) = source.bases
        self._bases.unpack(source_id, base, data_dir)
        if port is not None:
            self._nodes.start(node_id, port)
        self._nodes.store.put(
            replace(
                self._nodes.store.must(Node, node_id),
                ready=True,
                timeline=source.timeline,
                fork_lsn=base.stop_lsn,
                fork_timestamp=self._nodes.clock.now(),
            )
        )

    def _begin(self, source_id: str, node_id: str) -> tuple[Node, Path]:
        source = self._nodes.store.must(Node, source_id)
        self._nodes.store.put(
            Node(
                id=node_id,
                created_at=self._nodes.clock.now(),
                superuser_password=source.superuser_password,
                parent_id=source_id,
            )
        )
        self._nodes.make_dirs(node_id)
        return source, self._nodes.data_dir(node_id)

    def _unpack(self, source_id: str, target: _Target, data_dir: Path) -> None:
        """The newest base that fits; one that is thinned out while it is copied is replaced by an older one."""
        gone = None
        while found := self._bases.newest(source_id, at_time=target.timestamp, at_lsn=target.lsn):
            if found == gone:
                raise ClusterFailed(f"A base of {source_id} is on record and not on disk.")
            try:
                self._bases.unpack(*found, data_dir)
                return
            except BaseGone:
                self._nodes.throw_away(data_dir)
                gone = found
        raise ClusterFailed(f"No base of {source_id} is old enough.")

    def _settings(self, source: Node, target: _Target) -> Mapping[str, str]:
        return {
            "restore_command": self._restore_command(source.id),
            "recovery_target_timeline": str(source.timeline),
            "recovery_target_action": "promote",
            # More than usual makes replay quicker; the branch has it until its next start, so not much more.
            "shared_buffers": "32MB",
            **target.settings(self._nodes.clock),
        }

    def _restore_command(self, source_id: str) -> str:
        """Looks into each ancestor's archive, its live WAL, and the archive again: a segment may just move there."""
        places = []
        for node, _ in self._nodes.past(source_id):
            archive, live = f'"{self._nodes.dir(node.id)}/wal"', f'"{self._nodes.data_dir(node.id)}/pg_wal"'
            places += [archive, live, archive]
        return f'for d in {" ".join(places)}; do test -f "$d/%f" && exec cp "$d/%f" "%p"; done; exit 1'

    def _remember(self, node_id: str, target: _Target) -> None:
        newest = max((self._nodes.data_dir(node_id) / "pg_wal").glob("*.history"))
        high, low = newest.read_text().strip().splitlines()[-1].split()[1].split("/")
        node = self._nodes.store.must(Node, node_id)
        self._nodes.store.put(
            replace(
                node,
                ready=True,
                timeline=int(newest.stem, 16),
                fork_lsn=(int(high, 16) << 32) | int(low, 16),
                fork_timestamp=target.moment,
            )
        )

    def _finished(self, node_id: str, point: Point) -> Fork:
        node = self._nodes.store.must(Node, node_id)
        return Fork(timestamp=node.fork_timestamp, lsn=point.lsn if point.lsn is not None else node.fork_lsn)
