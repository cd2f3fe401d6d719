"""Base copies, taken while the server runs, and one prepared spare of each base in use."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg

from neon_sandbox.entities import Base, Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.storage.nodes import Nodes

log = logging.getLogger(__name__)

WAL_BETWEEN_BASES_BYTES = 16 << 20
NEWEST_BASES_KEPT = 4
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


class BaseGone(Exception):
    """The base was dropped while it was being copied; what was copied is not whole."""


class Bases:
    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._take_lock = threading.Lock()
        self._spare_lock = threading.Lock()
        self._spares_wanted: set[tuple[str, int]] = set()

    def take(self, node_id: str) -> Base:
        """Copies a running node. Raises ClusterFailed or psycopg.Error when the node is stopped meanwhile."""
        # Two at once would give both copies the same number.
        with self._take_lock:
            return self._take(node_id)

    def _take(self, node_id: str) -> Base:
        node = self._nodes.store.must(Node, node_id)
        number = 1 + max((base.number for base in node.bases), default=0)
        target = self.path(node_id, number)
        self._nodes.throw_away(target)
        try:
            stop_lsn, stop_time = self._copy(node_id, target)
        except (ClusterFailed, psycopg.Error):
            self._nodes.throw_away(target)
            raise
        base = Base(number=number, stop_time=stop_time, stop_lsn=stop_lsn)
        with self._nodes.store.transaction():
            node = self._nodes.store.must(Node, node_id)
            self._nodes.store.put(replace(node, bases=[*node.bases, base]))
        self._spares_wanted.add((node_id, number))
        return base

    def path(self, node_id: str, number: int) -> Path:
        return self._nodes.dir(node_id) / "bases" / str(number)

    def newest(self, source_id: str, *, at_time: datetime | None, at_lsn: int | None) -> tuple[str, Base] | None:
        """The newest base in the node's own past from which the point can be reached, and its node.

        A base that ended after the point would silently give newer rows; one that an ancestor took after the
        branch had left it belongs to another history.
        """
        limit = at_lsn
        for node in self._nodes.chain(source_id):
            fitting = [
                base
                for base in node.bases
                if (at_time is None or base.stop_time <= at_time) and (limit is None or base.stop_lsn <= limit)
            ]
            if fitting:
                return node.id, max(fitting, key=lambda base: base.stop_lsn)
            limit = node.fork_lsn if limit is None else min(limit, node.fork_lsn)
        return None

    def unpack(self, node_id: str, base: Base, target: Path) -> None:
        """Fills `target` with the base: its spare if there is one (a rename), else a new copy. Raises BaseGone."""
        with self._spare_lock:
            spare = self._spare(node_id, base.number)
            if spare.exists():
                spare.rename(target)
                self._spares_wanted.add((node_id, base.number))
                return
        self._copy_whole(self.path(node_id, base.number), target)
        self._spares_wanted.add((node_id, base.number))

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

    def prepare_spares(self) -> None:
        for node_id, number in list(self._spares_wanted):
            self._spares_wanted.discard((node_id, number))
            if self.path(node_id, number).exists() and not self._spare(node_id, number).exists():
                self._prepare_spare(node_id, number)

    def take_where_due(self) -> None:
        """A new base after every 16 MiB of WAL keeps the replay, and with it every branch, short."""
        for node in self._nodes.store.find(Node, lambda node: node.ready):
            reached = max([node.fork_lsn, *(base.stop_lsn for base in node.bases)])
            if not self._nodes.is_running(node.id):
                continue
            if self._nodes.written_lsn(node) - reached >= WAL_BETWEEN_BASES_BYTES:
                self._take_if_it_stays(node.id)

    def thin_out(self, keep_from: datetime) -> None:
        """Drops bases that no point needs, and most of the old ones: they only save replay time."""
        for node in self._nodes.store.find(Node, lambda node: len(node.bases) > NEWEST_BASES_KEPT):
            before_window = [base for base in node.bases if base.stop_time <= keep_from]
            oldest_needed = before_window[-1] if before_window else node.bases[0]
            kept = [oldest_needed, *(base for base in node.bases[-NEWEST_BASES_KEPT:] if base != oldest_needed)]
            self._drop(node.id, [base for base in node.bases if base not in kept])

    def _take_if_it_stays(self, node_id: str) -> None:
        try:
            self.take(node_id)
        except (ClusterFailed, psycopg.Error, OSError, KeyError) as error:
            log.info("No base of %s this time: %s", node_id, error)

    def _drop(self, node_id: str, dropped: list[Base]) -> None:
        with self._nodes.store.transaction():
            node = self._nodes.store.must(Node, node_id)
            self._nodes.store.put(replace(node, bases=[base for base in node.bases if base not in dropped]))
        for base in dropped:
            self._nodes.throw_away(self.path(node_id, base.number))
            with self._spare_lock:
                self._nodes.throw_away(self._spare(node_id, base.number))

    def _copy(self, node_id: str, target: Path) -> tuple[int, datetime]:
        data_dir = self._nodes.data_dir(node_id)
        with self._nodes.connection(node_id) as connection:
            connection.execute("select pg_backup_start('base', true)")
            names = [path.name for path in data_dir.iterdir() if path.name not in _LEFT_OUT]
            self._nodes.copy_tree(data_dir, target, names)
            row = connection.execute(
                "select lsn - '0/0', labelfile, clock_timestamp() from pg_backup_stop(false)"
            ).fetchone()
        for name in _EMPTY_DIRS:
            self._nodes.tools.make_dir(target / name)
        if row is None:
            raise ClusterFailed("pg_backup_stop gave no label.")
        label = target / "backup_label"
        label.write_text(row[1])
        self._nodes.tools.give(label)
        # Not the server's answer: the moment must lie behind the whole backup, end record included.
        return int(row[0]), self._nodes.clock.now()

    def _prepare_spare(self, node_id: str, number: int) -> None:
        spare = self._spare(node_id, number)
        unfinished = spare.with_name(spare.name + ".new")
        self._nodes.throw_away(unfinished)
        try:
            self._copy_whole(self.path(node_id, number), unfinished)
            with self._spare_lock:
                os.rename(unfinished, spare)
        except (BaseGone, ClusterFailed, OSError) as error:
            log.info("No spare of %s this time: %s", node_id, error)

    def _spare(self, node_id: str, number: int) -> Path:
        return self._nodes.dir(node_id) / f"spare-{number}"
