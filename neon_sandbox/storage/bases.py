"""Base copies of nodes: of a running one while it runs, of a stopped one as it lies there."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg

from neon_sandbox import times
from neon_sandbox.entities import Base, Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.storage.nodes import Nodes
from neon_sandbox.storage.sharing import share_equal_files
from neon_sandbox.storage.spares import Spares

log = logging.getLogger(__name__)

WAL_BETWEEN_BASES_BYTES = 16 << 20
# Left out of a copy and made anew, empty: their content belongs to the running server.
_EMPTY_DIRS = (
    "pg_wal",
    "pg_wal/archive_status",
    "pg_wal/summaries",
    "pg_replslot",
    "pg_dynshmem",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
)
_LEFT_OUT = {*_EMPTY_DIRS, "postmaster.pid", "postmaster.opts", "backup_label", "recovery.signal", "standby.signal"}
# An LSN behind the start of the last checkpoint record, and before whatever comes after it.
_WITHIN_RECORD_BYTES = 8


class BaseGone(ClusterFailed):
    """The base was dropped while it was being copied; what was copied is not whole."""


class Bases:
    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._take_lock = threading.Lock()
        self.spares = Spares(nodes, lambda node_id, number, to: self._copy_whole(self.path(node_id, number), to))

    def take(self, node_id: str) -> Base:
        """Copies a node. Raises ClusterFailed or psycopg.Error when it is started or stopped meanwhile."""
        # Two at once would give both copies the same number.
        with self._take_lock:
            node = self._nodes.store.must(Node, node_id)
            number = 1 + max((base.number for base in node.bases), default=0)
            target = self.path(node_id, number)
            self._nodes.throw_away(target)
            copy = self._copy_running if self._nodes.is_running(node_id) else self._copy_stopped
            try:
                base = copy(node_id, number, target)
            except (ClusterFailed, psycopg.Error):
                self._nodes.throw_away(target)
                raise
            if node.bases:
                share_equal_files(target, self.path(node_id, node.bases[-1].number))
            return self._remember(node_id, base)

    def seal(self, node_id: str) -> None:
        """Turns a stopped node into one base that stands for its head. May be repeated after an interruption."""
        node, target = self._nodes.store.must(Node, node_id), self.path(node_id, 1)
        if node.sealed:
            return
        alike = self.newest(node_id, at_time=None, at_lsn=None)
        data_dir = self._nodes.data_dir(node_id)
        if data_dir.exists():
            end = self._nodes.shutdown_lsn(node_id)
            self._nodes.keep_only_last_wal(node_id, end)
            data_dir.rename(target)
        if alike is not None:
            share_equal_files(target, self.path(alike[0], alike[1].number))
        base = Base(1, self._nodes.clock.now(), *self._span_of_stopped(target))
        self._nodes.store.put(replace(node, sealed=True, parent_id=None, bases=[base]))
        self._nodes.throw_away(self._nodes.dir(node_id) / "wal")

    def path(self, node_id: str, number: int) -> Path:
        return self._nodes.dir(node_id) / "bases" / str(number)

    def newest(self, source_id: str, *, at_time: datetime | None, at_lsn: int | None) -> tuple[str, Base] | None:
        """The newest base in the node's own past from which the point can be reached, and its node.

        A base that ended after the point would silently give newer rows; one that an ancestor took after the
        branch had left it belongs to another history.
        """
        for node, limit in self._nodes.past(source_id):
            fitting = [
                base
                for base in node.bases
                if (at_time is None or base.stop_time <= at_time)
                and (limit is None or base.stop_lsn <= limit)
                and (at_lsn is None or base.stop_lsn <= at_lsn)
            ]
            if fitting:
                return node.id, max(fitting, key=lambda base: base.stop_lsn)
        return None

    def unpack(self, node_id: str, base: Base, target: Path) -> None:
        """Fills `target` with the base: its spare if there is one (a rename), else a new copy. Raises BaseGone."""
        if not self.spares.take(node_id, base.number, target):
            self._copy_whole(self.path(node_id, base.number), target)

    def take_where_due(self) -> None:
        """A new base after every 16 MiB of WAL keeps the replay, and with it every branch, short."""
        for node in self._nodes.store.find(Node, lambda node: node.ready and not node.sealed):
            reached = max([node.fork_lsn, *(base.stop_lsn for base in node.bases)])
            if not self._nodes.is_running(node.id):
                continue
            if self._nodes.written_lsn(node) - reached >= WAL_BETWEEN_BASES_BYTES:
                self.take_if_it_stays(node.id)

    def take_if_it_stays(self, node_id: str) -> None:
        """As `take`, but a node that is started, stopped or deleted meanwhile has its base taken another time."""
        try:
            self.take(node_id)
        except (ClusterFailed, psycopg.Error, OSError, KeyError) as error:
            log.info("No base of %s this time: %s", node_id, error)

    def drop(self, node_id: str, dropped: list[Base]) -> None:
        with self._nodes.store.transaction():
            node = self._nodes.store.must(Node, node_id)
            self._nodes.store.put(replace(node, bases=[base for base in node.bases if base not in dropped]))
        for base in dropped:
            self._nodes.throw_away(self.path(node_id, base.number))
            self.spares.drop(node_id, base.number)

    def _remember(self, node_id: str, base: Base) -> Base:
        with self._nodes.store.transaction():
            node = self._nodes.store.must(Node, node_id)
            self._nodes.store.put(replace(node, bases=[*node.bases, base]))
        return base

    def _copy_whole(self, source: Path, target: Path) -> None:
        try:
            self._nodes.copy_tree(source, target)
        except (FileNotFoundError, ClusterFailed):
            if source.exists():
                raise
            raise BaseGone from None
        # A base is dropped by one rename, so one that still has its place was whole all the time.
        if not source.exists():
            raise BaseGone

    def _copy_running(self, node_id: str, number: int, target: Path) -> Base:
        with self._nodes.connection(node_id) as connection:
            connection.execute("select pg_backup_start('base', true)")
            self._copy_files(node_id, target)
            row = connection.execute("select lsn - '0/0', labelfile from pg_backup_stop(false)").fetchone()
        if row is None:
            raise ClusterFailed("pg_backup_stop gave no label.")
        label = target / "backup_label"
        label.write_text(row[1])
        self._nodes.tools.give(label)
        started = re.search(r"START WAL LOCATION: ([0-9A-F]+/[0-9A-F]+)", row[1])
        # Not the server's time: the moment must lie behind the whole backup, end record included.
        return Base(
            number,
            self._nodes.clock.now(),
            stop_lsn=int(row[0]),
            start_lsn=times.parse_lsn(started[1], "label") if started else 0,
        )

    def _copy_stopped(self, node_id: str, number: int, target: Path) -> Base:
        data_dir = self._nodes.data_dir(node_id)
        self._nodes.shutdown_lsn(node_id)  # one that was killed is recovered and stopped first
        before = (data_dir / "global" / "pg_control").read_bytes()
        self._copy_files(node_id, target)
        moment = self._nodes.clock.now()
        if self._nodes.is_running(node_id) or (data_dir / "global" / "pg_control").read_bytes() != before:
            raise ClusterFailed(f"{node_id} was started while it was being copied.")
        return Base(number, moment, *self._span_of_stopped(target))

    def _copy_files(self, node_id: str, target: Path) -> None:
        data_dir = self._nodes.data_dir(node_id)
        names = [path.name for path in data_dir.iterdir() if path.name not in _LEFT_OUT]
        self._nodes.copy_tree(data_dir, target, names)
        for name in _EMPTY_DIRS:
            self._nodes.tools.make_dir(target / name)

    def _span_of_stopped(self, directory: Path) -> tuple[int, int]:
        """stop_lsn and start_lsn of a copy that needs only the checkpoint record with which its server ended."""
        end = self._nodes.checkpoint_lsn(directory)
        return end + _WITHIN_RECORD_BYTES, end
