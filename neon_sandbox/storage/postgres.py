"""The real storage: each node is a PostgreSQL cluster, each fork a replay of WAL to the chosen point."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import psycopg

from neon_sandbox.binaries import Tools
from neon_sandbox.clock import Clock
from neon_sandbox.cluster import base_settings, free_port
from neon_sandbox.entities import Database, Endpoint, Node, Role
from neon_sandbox.errors import SandboxError
from neon_sandbox.storage import catalog, measuring
from neon_sandbox.storage.base import Fork, Point
from neon_sandbox.storage.bases import Bases
from neon_sandbox.storage.nodes import Nodes
from neon_sandbox.storage.pruning import Pruning
from neon_sandbox.storage.recovery import Recovery
from neon_sandbox.store import Store

OLDEST_MAJOR = 15
QUIET_SECONDS = 20.0
#: Deleting slows down the copies after it, so it waits for a quiet time unless this much has gathered.
MOST_TRASH = 6


class PostgresStorage:
    def __init__(
        self, tools: Tools, store: Store, clock: Clock, *, track_commit_timestamp: bool = True, fsync: bool = False
    ) -> None:
        if tools.major < OLDEST_MAJOR:
            raise SandboxError(f"PostgreSQL {tools.major} is too old: {OLDEST_MAJOR} or newer is needed (set PG_BIN).")
        self.pg_version = tools.major
        self.nodes = Nodes(tools, store, clock, _settings(tools.major, track_commit_timestamp, fsync))
        self._store = store
        self._clock = clock
        self._bases = Bases(self.nodes)
        self._recovery = Recovery(self.nodes, self._bases)
        self._superuser_password = secrets.token_urlsafe(24)
        self._pruning = Pruning(self.nodes, self._bases)
        self._temporary: set[str] = set()
        self._last_fork = 0.0

    def open(self) -> None:
        for leftover in (self.nodes.template, self.nodes.unfinished_template):  # with the password of an earlier run
            self.nodes.throw_away(leftover)
        for node in self._store.find(Node, lambda node: not node.ready):
            self.nodes.discard(node.id)
        for path in self.nodes.root.iterdir():
            if self._store.get(Node, path.name) is None:
                self.nodes.discard(path.name)
        self._bases.spares.keep_whole_ones()

    def close(self) -> None:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(self.release, [node.id for node in self._store.find(Node)]))

    def new_port(self) -> int:
        return free_port(avoid=[endpoint.port for endpoint in self._store.find(Endpoint)])

    def create_first(self, node_id: str, roles: Sequence[Role], databases: Sequence[Database]) -> datetime:
        made = self._store.get(Node, node_id)
        if made is not None and made.ready:  # before an interruption
            return made.bases[0].stop_time
        if made is not None:
            self.nodes.discard(node_id)
        node = Node(id=node_id, created_at=self._clock.now(), superuser_password=self._superuser_password)
        self._store.put(node)
        self.nodes.make_dirs(node_id)
        self._fill(node_id)
        self.nodes.start(node_id, free_port())
        for role in roles:
            self.create_role(node_id, role)
        for database in databases:
            self.create_database(node_id, database)
        base = self._bases.take(node_id)
        self.release(node_id)
        self._store.put(replace(self._store.must(Node, node_id), ready=True))
        return base.stop_time

    def check(self, node_id: str, point: Point) -> None:
        self._recovery.check(node_id, point)

    def fork(self, source_id: str, node_id: str, point: Point, port: int | None) -> Fork:
        self._last_fork = time.monotonic()
        node = self._store.get(Node, node_id)
        if node is not None and node.ready:  # made before an interruption
            return Fork(timestamp=node.fork_timestamp, lsn=node.fork_lsn)
        if node is not None:
            self.nodes.discard(node_id)
        return self._recovery.fork(source_id, node_id, point, port)

    def snapshot(self, source_id: str, node_id: str, point: Point) -> Fork:
        node = self._store.get(Node, node_id)
        if node is None or not node.sealed:
            self.fork(source_id, node_id, point, None)
            self._bases.seal(node_id)
            node = self._store.must(Node, node_id)
        return Fork(timestamp=node.fork_timestamp, lsn=node.fork_lsn)

    def size_bytes(self, node_id: str) -> int:
        return measuring.size_bytes(self.nodes, node_id)

    def history_bytes(self, node_id: str, since: datetime) -> int:
        return measuring.history_bytes(self.nodes, node_id, since)

    def schema(self, node_id: str, database_name: str, point: Point) -> str:
        if point.is_head and self.nodes.is_running(node_id):
            return self._dump(node_id, database_name)
        self.check(node_id, point)
        copy_id = f"schema-{secrets.token_hex(6)}"
        self._temporary.add(copy_id)
        try:
            self.fork(node_id, copy_id, point, free_port())
            return self._dump(copy_id, database_name)
        finally:
            self.nodes.discard(copy_id)
            self._temporary.discard(copy_id)

    def prepare_to_release(self, node_id: str) -> None:
        if self.nodes.is_running(node_id):
            with self.nodes.connection(node_id) as connection:
                connection.execute("checkpoint")

    def serve(self, node_id: str, port: int) -> None:
        self._store.put(replace(self._store.must(Node, node_id), stopped_at=None))
        self.nodes.start(node_id, port)

    def release(self, node_id: str) -> None:
        if self._store.get(Node, node_id) is None or not self.nodes.is_running(node_id):
            return
        self.nodes.stop(node_id)
        self._store.put(replace(self._store.must(Node, node_id), stopped_at=self._clock.now()))

    def set_passwords(self, node_id: str, roles: Sequence[Role]) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.set_passwords(connection, roles)

    def create_role(self, node_id: str, role: Role) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.create_role(connection, role)

    def drop_role(self, node_id: str, role: Role) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.drop_role(connection, lambda name: self._connected(node_id, name), role)

    def create_database(self, node_id: str, database: Database) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.create_database(connection, database)

    def change_database(self, node_id: str, name_before: str, database: Database) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.change_database(connection, name_before, database)

    def drop_database(self, node_id: str, database: Database) -> None:
        with self.nodes.connection(node_id) as connection:
            catalog.drop_database(connection, database)

    def cut_sessions(self, node_id: str) -> None:
        if self.nodes.is_running(node_id):
            with self.nodes.connection(node_id) as connection:
                catalog.cut_sessions(connection)

    def empty_tables(self, node_id: str, databases: Sequence[Database]) -> int:
        with self.nodes.connection(node_id) as whole:
            for database in databases:
                with self._connected(node_id, database.name) as connection:
                    catalog.empty_tables(connection)
            row = whole.execute("select pg_current_wal_flush_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0

    def _connected(self, node_id: str, database_name: str) -> psycopg.Connection:
        return psycopg.connect(self.nodes.dsn(node_id, database_name), autocommit=True, connect_timeout=10)

    def unneeded(self, needed: Mapping[str, datetime]) -> list[str]:
        return self._pruning.unneeded({**needed, **dict.fromkeys(self._temporary, self._clock.now())})

    def discard(self, node_ids: Sequence[str]) -> None:
        for node_id in node_ids:
            self.nodes.discard(node_id)

    def maintain(self, needed: Mapping[str, datetime]) -> None:
        quiet = time.monotonic() - self._last_fork > QUIET_SECONDS
        self._bases.take_where_due()
        if quiet:
            self._pruning.free_ancestors(needed)
        self._pruning.prune(needed)
        self._bases.spares.prepare()
        self.nodes.empty_trash(keep=0 if quiet else MOST_TRASH)

    def _dump(self, node_id: str, database_name: str) -> str:
        """Without the lines with which newer versions lock psql: their token is another one each time."""
        dsn = self.nodes.dsn(node_id, database_name)
        dumped = self.nodes.tools.run(self.nodes.tools.command("pg_dump", "--schema-only", dsn)).stdout
        return re.sub(r"^\\(un)?restrict .*\n", "", dumped, flags=re.MULTILINE)

    def _fill(self, node_id: str) -> None:
        """An empty cluster; the second and later ones are copies, which take a tenth of the time."""
        template = self.nodes.template
        if not template.exists():
            self.nodes.cluster(node_id).initdb(password=self._superuser_password)
            self.nodes.drop_side_maps(node_id)
            self.nodes.copy_tree(self.nodes.data_dir(node_id), self.nodes.unfinished_template)
            self.nodes.unfinished_template.rename(template)
            return
        self.nodes.copy_tree(template, self.nodes.data_dir(node_id))


def _settings(major: int, track_commit_timestamp: bool, fsync: bool) -> dict[str, str]:
    return {
        **base_settings(major, fsync=fsync),
        "wal_level": "replica",
        "archive_mode": "on",
        "wal_recycle": "off",
        "wal_init_zero": "off",
        "max_wal_senders": "4",
        # No sessions before replay has ended: the first connection finds the finished branch.
        "hot_standby": "off",
        "track_commit_timestamp": "on" if track_commit_timestamp else "off",
    }
