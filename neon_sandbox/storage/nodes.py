"""Nodes on disk: `nodes/<id>/{data,wal,bases/<n>,spare-<n>-<k>,postgres.log}`, and what is left of discarded ones."""

from __future__ import annotations

import re
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from neon_sandbox import times
from neon_sandbox.binaries import Tools
from neon_sandbox.clock import Clock
from neon_sandbox.cluster import Cluster, free_port
from neon_sandbox.entities import Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.storage.retention import chain
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
        self._discarding = threading.Lock()

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

    def past(self, node_id: str) -> list[tuple[Node, int | None]]:
        """The node, its parent, its parent's parent, ..., each with the LSN at which the next younger one left it."""
        return list(chain({node.id: node for node in self.store.find(Node)}, node_id))

    def shutdown_lsn(self, node_id: str) -> int:
        """Where a stopped node's history ends: the start of its shutdown checkpoint, behind every commit."""
        if "shut down\n" not in self._control_data(self.data_dir(node_id)):
            with self.connection(node_id):  # it was killed: starting recovers it, the end of the block stops it
                pass
        return self.checkpoint_lsn(self.data_dir(node_id))

    def checkpoint_lsn(self, directory: Path) -> int:
        """Where the last checkpoint of a stopped cluster begins."""
        found = re.search(r"Latest checkpoint location: +([0-9A-F]+/[0-9A-F]+)", self._control_data(directory))
        if found is None:
            raise ClusterFailed(f"pg_controldata does not tell where {directory} ends.")
        return times.parse_lsn(found[1], "pg_controldata")

    def written_lsn(self, node: Node) -> int:
        """How far the node's WAL reaches, to the segment, by the names of its files."""
        segments = (segment_of(path.name) for path in (self.data_dir(node.id) / "pg_wal").iterdir())
        return max((lsn for timeline, lsn in filter(None, segments) if timeline == node.timeline), default=0)

    def keep_only_last_wal(self, node_id: str, end: int) -> None:
        """Removes what a stopped node needs neither to start nor to tell where its timeline comes from."""
        for path in list((self.data_dir(node_id) / "pg_wal").rglob("*")):
            segment = segment_of(path.name)
            if path.is_file() and path.suffix != ".history" and (segment is None or segment[1] + SEGMENT_BYTES <= end):
                path.unlink()

    def drop_side_maps(self, node_id: str) -> None:
        """Removes the maps of free space and of visibility of a stopped, new cluster.

        They are a sixth of it and of its files, which every branch would copy. PostgreSQL does without a missing one
        and makes it again for a table that grows.
        """
        for place in ("base/*/*", "global/*"):
            for kind in ("_fsm", "_vm"):
                for path in self.data_dir(node_id).glob(place + kind):
                    path.unlink()

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
        """May be called twice at once: by a worker and by the housekeeper."""
        with self._discarding:
            self.stop(node_id)
            self._clusters.pop(node_id, None)
            self.throw_away(self.dir(node_id))
            if node := self.store.get(Node, node_id):
                self.store.remove(node)

    def empty_trash(self, *, keep: int = 0) -> None:
        """Deletes what was thrown away, oldest first; `keep` of it may stay."""
        thrown = sorted(self.trash.iterdir(), key=lambda path: path.lstat().st_ctime)
        for path in thrown[: len(thrown) - keep]:
            shutil.rmtree(path, ignore_errors=True)

    def _control_data(self, directory: Path) -> str:
        return self.tools.run(self.tools.command("pg_controldata", "-D", str(directory))).stdout


def segment_of(file_name: str) -> tuple[int, int] | None:
    """The timeline and the first LSN of a WAL segment, by its name; None for any other file."""
    found = _SEGMENT.fullmatch(file_name)
    if found is None:
        return None
    return int(found[1], 16), (int(found[2], 16) << 32) | (int(found[3], 16) * SEGMENT_BYTES)
