"""A PostgreSQL with real point-in-time recovery, without any API around it: what the verification is tried against."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from neon_sandbox.binaries import Tools
from neon_sandbox.cluster import Cluster, free_port

PASSWORD = "synthetic"
DATABASE = "carecircle"
XIDS_PER_SEGMENT = 32 * 8192 * 4  # of pg_xact: two bits for each


@dataclass
class Node:
    """One data directory with its archive. `path` lists the directories of WAL of its ancestors."""

    cluster: Cluster
    wal_dir: Path
    path: list[Path] = field(default_factory=list)
    timeline: int = 1
    is_kept: bool = False  # beyond the test that made it

    @property
    def dsn(self) -> str:
        return self.cluster.dsn(DATABASE, password=PASSWORD)

    def execute(self, statement: str, *args: object) -> list[tuple]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []

    def search_path(self) -> list[Path]:
        return [self.wal_dir, self.cluster.data_dir / "pg_wal", self.wal_dir, *self.path]


class Timeline:
    """`main` serves on one port; `copy_at` makes a copy beside it, `restore` puts such a copy in its place."""

    def __init__(self, tools: Tools, template: Path, home: Path, **settings: str) -> None:
        self.tools = tools
        self.template = template
        self.home = home
        self.settings = settings
        self.nodes: list[Node] = []
        self._numbers = itertools.count(1)
        self.main = self._node()
        self.main.is_kept = True
        self.start(self.main)

    def stop(self) -> None:
        for node in self.nodes:
            node.cluster.kill()

    def discard(self, node: Node) -> None:
        """A data directory takes some 30 MB, often of memory."""
        node.cluster.kill()
        self.tools.run(["rm", "-rf", str(node.wal_dir.parent)])
        self.nodes.remove(node)

    def now(self) -> dt.datetime:
        """A moment of main's clock with nothing committed at the same microsecond and something after it."""
        (moment,) = self.main.execute("SELECT clock_timestamp()")[0]
        self.mark()
        return moment

    def mark(self) -> None:
        self.main.execute("SELECT pg_logical_emit_message(true, 'test', 'mark')")

    def copy_at(self, point: dt.datetime | str, **settings: str) -> Node:
        """A recovered, promoted copy of main at a time or an LSN."""
        source = self.main
        node = self._node(source.search_path())
        (node.cluster.data_dir / "recovery.signal").touch()
        self.tools.give(node.cluster.data_dir / "recovery.signal")
        self.start(node, {**self._recovery(source, point), **settings})
        node.timeline = node.execute("SELECT timeline_id FROM pg_control_checkpoint()")[0][0]
        return node

    def restore(self, point: dt.datetime | str) -> dt.datetime:
        """Main in place: same port, clients are cut. Returns R, when it first answered. Old main keeps its files."""
        old = self.main
        port = old.cluster.port
        new = self.copy_at(point)
        new.cluster.stop()
        old.cluster.stop()
        old.cluster.port = free_port()
        new.cluster.port = port
        self.start(new)
        self.main = new
        new.is_kept = True
        return new.execute("SELECT clock_timestamp()")[0][0]

    def _node(self, path: list[Path] | None = None) -> Node:
        # Beside each other: the warden looks one level below the directory that it guards.
        home = self.tools.make_dir(self.home.with_name(f"{self.home.name}-{next(self._numbers)}"))
        self.tools.run(["cp", "-a", "--reflink=auto", str(self.template), str(home / "data")])
        cluster = Cluster(home / "data", free_port(), self.tools)
        node = Node(cluster, self.tools.make_dir(home / "wal"), path or [])
        self.nodes.append(node)
        return node

    def start(self, node: Node, extra: dict[str, str] | None = None) -> None:
        node.cluster.start(
            {
                "wal_level": "replica",
                "archive_mode": "on",
                "wal_recycle": "off",
                "wal_init_zero": "off",
                "hot_standby": "off",
                "track_commit_timestamp": "on",
                "archive_command": f'ln -f "%p" "{node.wal_dir}/%f"',
                **self.settings,
                **(extra or {}),
            }
        )

    def _recovery(self, source: Node, point: dt.datetime | str) -> dict[str, str]:
        directories = " ".join(f'"{directory}"' for directory in source.search_path())
        target = (
            {"recovery_target_lsn": point, "recovery_target_inclusive": "false"}
            if isinstance(point, str)
            else {"recovery_target_time": point.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")}
        )
        return {
            "restore_command": f'for d in {directories}; do test -f "$d/%f" && exec cp "$d/%f" "%p"; done; exit 1',
            "recovery_target_timeline": str(source.timeline),
            "recovery_target_action": "promote",
            **target,
        }


def make_template(tools: Tools, home: Path, fill: Callable[[str], object], *, next_xid: int | None = None) -> Path:
    """A stopped cluster with the database, filled by `fill(dsn)`; every timeline starts as its copy."""
    cluster = Cluster(tools.make_dir(home) / "data", free_port(), tools)
    cluster.initdb(password=PASSWORD)
    if next_xid is not None:
        _set_next_xid(cluster, next_xid)
    cluster.start({"track_commit_timestamp": "on"})
    _execute(cluster, "postgres", f"CREATE DATABASE {DATABASE}")
    fill(cluster.dsn(DATABASE, password=PASSWORD))
    cluster.stop()
    # A copy taken from a running server holds no statistics; neither must this one.
    cluster.tools.run(["rm", "-f", str(cluster.data_dir / "pg_stat" / "pgstat.stat")])
    return cluster.data_dir


def _set_next_xid(cluster: Cluster, next_xid: int) -> None:
    """As if so many transactions had been made. What is there already must be frozen, or it would lie in the future."""
    cluster.start()
    for database in ("postgres", "template1"):
        _execute(cluster, database, "VACUUM (FREEZE)")
    cluster.stop()
    ids = ["-x", str(next_xid), "-u", str(next_xid - 100_000)]
    cluster.tools.run(cluster.tools.command("pg_resetwal", "-f", *ids, "-D", str(cluster.data_dir)))
    segment = cluster.data_dir / "pg_xact" / f"{next_xid // XIDS_PER_SEGMENT:04X}"
    segment.write_bytes(bytes(XIDS_PER_SEGMENT // 4))
    cluster.tools.give(segment)


def _execute(cluster: Cluster, database: str, statement: str) -> None:
    with psycopg.connect(cluster.dsn(database, password=PASSWORD), autocommit=True) as connection:
        connection.execute(statement)
