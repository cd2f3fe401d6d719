"""A PostgreSQL with real point-in-time recovery, without any API around it: what the verification is tried against."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from neon_sandbox.binaries import Tools
from neon_sandbox.cluster import Cluster, free_port

PASSWORD = "synthetic"
DATABASE = "carecircle"


@dataclass
class Node:
    """One data directory with its archive. `path` lists the directories of WAL of its ancestors."""

    cluster: Cluster
    wal_dir: Path
    path: list[Path] = field(default_factory=list)
    timeline: int = 1

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
        self.home = tools.make_dir(home)
        self.settings = settings
        self.nodes: list[Node] = []
        self._numbers = itertools.count(1)
        self.main = self._node()
        self._start(self.main)

    def stop(self) -> None:
        for node in self.nodes:
            node.cluster.kill()

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
        self._start(node, {**self._recovery(source, point), **settings})
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
        self._start(new)
        self.main = new
        return new.execute("SELECT clock_timestamp()")[0][0]

    def _node(self, path: list[Path] | None = None) -> Node:
        home = self.tools.make_dir(self.home / f"n{next(self._numbers)}")
        self.tools.run(["cp", "-a", "--reflink=auto", str(self.template), str(home / "data")])
        cluster = Cluster(home / "data", free_port(), self.tools)
        node = Node(cluster, self.tools.make_dir(home / "wal"), path or [])
        self.nodes.append(node)
        return node

    def _start(self, node: Node, extra: dict[str, str] | None = None) -> None:
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


def make_template(tools: Tools, home: Path, fill) -> Path:
    """A stopped cluster with the database, filled by `fill(dsn)`; every timeline starts as its copy."""
    cluster = Cluster(tools.make_dir(home) / "template", free_port(), tools)
    cluster.initdb(password=PASSWORD)
    cluster.start({"track_commit_timestamp": "on"})
    with psycopg.connect(cluster.dsn("postgres", password=PASSWORD), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    fill(cluster.dsn(DATABASE, password=PASSWORD))
    cluster.stop()
    # A copy taken from a running server holds no statistics; neither must this one.
    tools.run(["rm", "-f", str(cluster.data_dir / "pg_stat" / "pgstat.stat")])
    return cluster.data_dir
