"""Nodes on disk: `nodes/<id>/{data,wal,bases/<n>,spare-<n>,postgres.log}`, and what is left of discarded ones."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from neon_sandbox.binaries import Tools
from neon_sandbox.clock import Clock
from neon_sandbox.cluster import Cluster, free_port
from neon_sandbox.entities import Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.store import Store

SEGMENT_BYTES = 1 << 20
_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")


class Nodes:
    """Directories, running clusters and superuser connections of nodes."""

    def __init__(self, tools: Tools, store: Store, clock: Clock, settings: Mapping[str, str]) -> None:
        self.tools = tools
        self.store = store
        self.clock = clock
        self.root = tools.make_dir(tools.home / "nodes")
        self.trash = tools.make_dir(tools.home / "trash")
        self.template = tools.home / "template"
        self.unfinished_template = tools.home / "template.new"
        self._settings = dict(settings)
        self._clusters: dict[str, Cluster] = {}

    def dir(self, node_id: str) -> Path:
        return self.root / node_id

    def data_dir(self, node_id: str) -> Path:
        return self.dir(node_id) / "data"

    def make_dirs(self, node_id: str) -> None:
        for path in (self.dir(node_id), self.dir(node_id) / "wal", self.dir(node_id) / "bases"):
            self.tools.make_dir(path)

    def cluster(self, node_id: str) -> Cluster:
        if node_id not in self._clusters:
            self._clusters[node_id] = Cluster(
                self.data_dir(node_id), 0, self.tools, log_path=self.dir(node_id) / "postgres.log"
            )
        return self._clusters[node_id]

    def start(self, node_id: str, port: int, extra: Mapping[str, str] | None = None) -> None:
        """Serves the node on the port; `extra` are recovery settings. Harmless when it is served there already."""
        cluster = self.cluster(node_id)
        if cluster.port == port and cluster.running_pid() is not None:
            return
        cluster.stop()
        cluster.port = port
        # A hard link archives without copying. It is safe because finished segments are never reused (wal_recycle).
        archive = f'ln -f "%p" "{self.dir(node_id)}/wal/%f"'
        cluster.start({**self._settings, "archive_command": archive, **(extra or {})})

    def stop(self, node_id: str) -> None:
        self.cluster(node_id).stop()

    def is_running(self, node_id: str) -> bool:
        return self.cluster(node_id).running_pid() is not None

    @contextmanager
    def connection(self, node_id: str, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A superuser's connection in autocommit; a node that is not running is started for its duration."""
        cluster = self.cluster(node_id)
        was_running = self.is_running(node_id)
        if not was_running:
            self.start(node_id, free_port())
        try:
            with psycopg.connect(self.dsn(node_id, database), autocommit=True, connect_timeout=10) as connection:
                yield connection
        finally:
            if not was_running:
                cluster.stop()
                self.store.put(replace(self.store.must(Node, node_id), stopped_at=self.clock.now()))

    def dsn(self, node_id: str, database: str) -> str:
        return self.cluster(node_id).dsn(database, password=self.store.must(Node, node_id).superuser_password)

    def chain(self, node_id: str) -> list[Node]:
        """The node, its parent, its parent's parent, ..."""
        found, current = [], self.store.get(Node, node_id)
        while current is not None:
            found.append(current)
            current = self.store.get(Node, current.parent_id) if current.parent_id else None
        return found

    def shutdown_lsn(self, node_id: str) -> int:
        """Where a stopped node's history ends: the start of its shutdown checkpoint, behind every commit."""
        output = self._control_data(node_id)
        if "shut down\n" not in output:
            with self.connection(node_id):  # it was killed: starting recovers it, the end of the block stops it
                pass
            output = self._control_data(node_id)
        found = re.search(r"Latest checkpoint location: +([0-9A-F]+)/([0-9A-F]+)", output)
        if found is None:
            raise ClusterFailed(f"pg_controldata does not tell where {node_id} ends.")
        return (int(found[1], 16) << 32) | int(found[2], 16)

    def written_lsn(self, node: Node) -> int:
        """How far the node's WAL reaches, to the segment, by the names of its files."""
        newest = 0
        for path in (self.data_dir(node.id) / "pg_wal").iterdir():
            found = _SEGMENT.fullmatch(path.name)
            if found and int(found[1], 16) == node.timeline:
                newest = max(newest, (int(found[2], 16) << 32) | (int(found[3], 16) * SEGMENT_BYTES))
        return newest

    def copy_tree(self, source: Path, target: Path, names: Sequence[str] | None = None) -> None:
        """Copies a directory's entries. Files that vanish meanwhile below a running server are left out."""
        self.tools.make_dir(target)
        entries = sorted(path.name for path in source.iterdir()) if names is None else names
        done = self.tools.run(["/bin/cp", "-a", *(str(source / name) for name in entries), str(target)], check=False)
        serious = [line for line in done.stderr.splitlines() if "No such file" not in line]
        if done.returncode != 0 and serious:
            raise ClusterFailed(f"Copying {source} failed: {serious[0]}")

    def throw_away(self, path: Path) -> None:
        """Out of the way at once, deleted later: deleting thousands of files slows down the next copy."""
        if path.exists():
            path.rename(self.trash / f"{path.name}-{uuid.uuid4().hex}")

    def discard(self, node_id: str) -> None:
        self.stop(node_id)
        self._clusters.pop(node_id, None)
        self.throw_away(self.dir(node_id))
        if node := self.store.get(Node, node_id):
            self.store.remove(node)

    def empty_trash(self) -> None:
        for path in self.trash.iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def _control_data(self, node_id: str) -> str:
        return self.tools.run(self.tools.command("pg_controldata", "-D", str(self.data_dir(node_id)))).stdout
